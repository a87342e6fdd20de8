package io.teleworld.goldens;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * Checks a folder of golden files on a tensor runtime: {@code GoldenCheck DIR --runtime NAME}. Prints one line per case:
 * the largest and the relative error of the result that uses most of its tolerance, and that tolerance.
 *
 * <p>Exit codes: 0 if all that can be checked agrees, 1 if something does not, 2 for arguments that have to be changed,
 * 3 with {@code --strict} if a case cannot be checked.
 */
@Command(
        name = "GoldenCheck",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Compares this project with numbers that public reference implementations computed.")
public final class GoldenCheck implements Callable<Integer> {

    static final int OK = 0;
    static final int FAILED = 1;
    static final int NOT_CHECKED = 3;

    @Spec
    @Nullable
    CommandSpec spec;

    @Parameters(index = "0", paramLabel = "DIR", description = "Folder of NAME.json and NAME.safetensors files.")
    @Nullable
    Path folder;

    @Option(
            names = "--runtime",
            paramLabel = "NAME",
            split = ",",
            defaultValue = "reference",
            description = "One runtime or several, separated by commas, or 'all' that can be used here; default:"
                    + " ${DEFAULT-VALUE}.")
    List<String> runtimes = List.of("reference");

    @Option(
            names = "--precision",
            paramLabel = "P",
            defaultValue = "FP32",
            description = "${COMPLETION-CANDIDATES}; results without a limit for it are passed over.")
    Precision precision = Precision.FP32;

    @Option(
            names = "--device",
            paramLabel = "ID",
            defaultValue = "cpu",
            description = "The runtime's device, cuda:0 for instance; default: ${DEFAULT-VALUE}.")
    String device = "cpu";

    @Option(
            names = "--relative",
            paramLabel = "LIMIT",
            description =
                    "Results may differ by this much of their norm, in the place of the files' limits; for those that"
                            + " the files limit in bf16.")
    @Nullable
    Double relative;

    @Option(names = "--cases", paramLabel = "REGEX", description = "Only the cases with such a name.")
    @Nullable
    String cases;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Host threads; 0 for all processors.")
    int threads;

    @Option(names = "--strict", description = "Exit code 3 if a case cannot be checked.")
    boolean strict;

    @Option(names = "--verbose", description = "Print every comparison.")
    boolean verbose;

    /** The command. */
    public GoldenCheck() {
        // Its fields are set from the arguments.
    }

    /** Runs the program; ends the process only if something went wrong, so that Maven can go on. */
    public static void main(String... args) {
        int code = execute(args);
        if (code != OK) {
            System.exit(code);
        }
    }

    /** Runs the program; the exit code. */
    static int execute(String... args) {
        return commandLine().execute(args);
    }

    static CommandLine commandLine() {
        return new CommandLine(new GoldenCheck())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, command, parsed) -> {
                    if (e instanceof TeleWorldException || e instanceof IOException) {
                        command.getErr().println("GoldenCheck: " + e.getMessage());
                        return CommandLine.ExitCode.USAGE;
                    }
                    throw e;
                });
    }

    @Override
    public Integer call() throws IOException {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        Path dir = Objects.requireNonNull(folder, "folder");
        if (!Files.isDirectory(dir)) {
            throw new ParameterException(command.commandLine(), dir + " is not a folder");
        }
        List<String> names = new ArrayList<>(GoldenCase.names(dir));
        if (cases != null) {
            try {
                Pattern wanted = Pattern.compile(cases);
                names.removeIf(n -> !wanted.matcher(n).matches());
            } catch (PatternSyntaxException e) {
                throw new ParameterException(command.commandLine(), "--cases: " + e.getMessage(), e);
            }
        }
        if (names.isEmpty()) {
            throw new ParameterException(command.commandLine(), "there are no such golden files in " + dir);
        }
        PrintWriter out = command.commandLine().getOut();
        RuntimeRegistry registry = RuntimeRegistry.load(GoldenCheck.class.getClassLoader());
        List<TensorRuntimeProvider> providers = providers(registry, out);
        int code = OK;
        for (TensorRuntimeProvider provider : providers) {
            int one = checkAll(dir, names, provider, out);
            code = code == FAILED || one == FAILED ? FAILED : Math.max(code, one);
        }
        return code;
    }

    private List<TensorRuntimeProvider> providers(RuntimeRegistry registry, PrintWriter out) {
        boolean all = runtimes.equals(List.of("all"));
        List<TensorRuntimeProvider> providers = new ArrayList<>();
        for (String runtime : all ? registry.names() : runtimes) {
            TensorRuntimeProvider provider = registry.get(runtime);
            if (provider.probe() instanceof Availability.Unavailable u) {
                if (!all) {
                    throw new TeleWorldException(
                            TeleWorldException.Category.BACKEND,
                            "runtime " + runtime + " cannot be used: " + u.reason());
                }
                out.printf("runtime %s cannot be used: %s%n", runtime, u.reason());
            } else {
                providers.add(provider);
            }
        }
        return providers;
    }

    private int checkAll(Path dir, List<String> names, TensorRuntimeProvider provider, PrintWriter out) {
        int checked = 0;
        int failed = 0;
        int left = 0;
        try (TensorRuntime r = provider.create(new RuntimeOptions(device, threads))) {
            if (!r.precisions().contains(precision)) {
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "runtime " + r.name() + " cannot compute in " + precision + "; it has " + r.precisions());
            }
            for (String name : names) {
                Outcome o = one(dir, name, r, out);
                checked += o == Outcome.LEFT ? 0 : 1;
                failed += o == Outcome.FAILED ? 1 : 0;
                left += o == Outcome.LEFT ? 1 : 0;
                out.flush();
            }
        }
        out.printf(
                Locale.ROOT,
                "%d of %d cases checked on %s in %s: %d agree, %d fail; %d not checked%n",
                checked,
                names.size(),
                provider.name(),
                precision.name().toLowerCase(Locale.ROOT),
                checked - failed,
                failed,
                left);
        out.flush();
        return failed > 0 ? FAILED : strict && left > 0 ? NOT_CHECKED : OK;
    }

    private enum Outcome {
        PASSED,
        FAILED,
        LEFT
    }

    private Outcome one(Path dir, String name, TensorRuntime r, PrintWriter out) {
        CaseReport report;
        List<String> stored = new ArrayList<>();
        try {
            GoldenCase c = GoldenCase.open(dir, name);
            Optional<GoldenKind> kind = GoldenKind.of(c);
            if (kind.isEmpty()) {
                out.printf("  --  %-28s not checked: %s%n", name, GoldenKind.reason(c));
                return Outcome.LEFT;
            }
            Double limit = relative;
            report = new CaseReport(
                    limit == null
                            ? Tolerances.of(c, precision.name().toLowerCase(Locale.ROOT))
                            : Tolerances.relative(c, limit));
            stored.addAll(c.tensorNames("out."));
            stored.addAll(c.tensorNames("mid."));
            try (Scope scope = Scope.root(name)) {
                kind.get().check(c, new CheckContext(r, precision, scope), report);
            }
        } catch (RuntimeException | IOException e) {
            out.printf(" FAIL %-28s %s%n", name, e);
            return Outcome.FAILED;
        }
        if (report.results().isEmpty()) {
            out.printf("  --  %-28s not checked: it states no tolerance for %s%n", name, precision);
            return Outcome.LEFT;
        }
        List<CaseReport.Result> failures = report.failures();
        stored.removeIf(report::compared);
        out.printf(
                Locale.ROOT,
                "%s %-28s %4d results; worst %s%s%n",
                failures.isEmpty() ? "  ok " : " FAIL",
                name,
                report.results().size(),
                report.worst().map(CaseReport.Result::describe).orElse(""),
                stored.isEmpty() ? "" : "; " + stored.size() + " stored tensors are not compared");
        for (CaseReport.Result result : verbose ? report.results() : failures) {
            out.printf("        %s %s%n", result.passed() ? "ok  " : "FAIL", result.describe());
        }
        if (verbose && !stored.isEmpty()) {
            out.printf("        not compared: %s%n", String.join(", ", stored));
        }
        return failures.isEmpty() ? Outcome.PASSED : Outcome.FAILED;
    }
}
