package io.teleworld.examples;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/**
 * Times of networks at the sizes of published models, with random weights: time does not depend on them. Every figure is
 * wall time seen by Java, from inputs in host memory to outputs in host memory.
 */
@Command(name = "gpu", description = "Times, frames/s and TFLOP/s of large models; exit code 3 without a GPU.")
final class GpuReport implements Callable<Integer> {

    /** There is no GPU, or something that it needs is missing. */
    static final int UNAVAILABLE = 3;

    private static final int BLOCK = 3;
    private static final String NONE = "none";

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(
            names = "--workloads",
            split = ",",
            paramLabel = "NAME",
            description = "Of product, block, decode, upscale, groups and 18B; all by default.")
    List<String> workloads = GpuWorkloads.NAMES;

    @Option(names = "--runtime", paramLabel = "NAME", description = "cuda, the default, or another runtime.")
    String runtimeName = "cuda";

    @Option(names = "--device", paramLabel = "ID", description = "cuda:0 by default; the baseline's, too.")
    String device = "cuda:0";

    @Option(
            names = "--precision",
            split = ",",
            paramLabel = "P",
            converter = Named.class,
            description = "Precisions, one run each; by default bf16 and, where the runtime has it, fp8.")
    List<Precision> precisions = List.of();

    @Option(
            names = "--baseline",
            paramLabel = "NAME",
            description = "Runtime that does the same beside it; torch by default, none for none.")
    String baselineName = "torch";

    @Option(names = "--baseline-precision", paramLabel = "P", converter = Named.class, description = "bf16 by default.")
    Precision baselinePrecision = Precision.BF16;

    @Option(
            names = "--contexts",
            split = ",",
            paramLabel = "K",
            description = "Frames that a block sees, its own 3 included; 3,9,21 by default.")
    List<Integer> contexts = List.of(3, 9, 21);

    @Option(
            names = "--repeats",
            paramLabel = "N",
            description = "Measured repetitions; 120 by default, 100 are needed for a 99th percentile.")
    int repeats = 120;

    @Option(names = "--baseline-repeats", paramLabel = "N", description = "Those of the baseline; 30 by default.")
    int baselineRepeats = 30;

    @Option(
            names = "--warm-up",
            paramLabel = "N",
            description = "Repetitions before, the first touch of everything among them; 5 by default.")
    int warmUp = 5;

    @Option(
            names = "--limit",
            paramLabel = "S",
            description = "Seconds after which a figure takes no more than 10 repetitions; 40 by default.")
    double limit = 40;

    @Option(
            names = "--profile",
            description = "Also device time by class of kernels, of products, blocks and super-resolution.")
    boolean profile;

    @Option(
            names = "--parity",
            description = "No times: compares the runtime with the reference interpreter, on random inputs in every"
                    + " precision, and runs the contract of runtimes.")
    boolean parity;

    @Option(names = "--goldens", paramLabel = "DIR", description = "With --parity: golden files that are checked, too.")
    @Nullable
    Path goldens;

    @Option(names = "--seed", paramLabel = "N", description = "With --parity: repeats an earlier run.")
    @Nullable
    Long seed;

    @Option(names = "--small", description = "With --parity: few cases and no contract, for slow checkers.")
    boolean small;

    @Option(names = "--tiny", description = "Tiny sizes, to try the program itself anywhere.")
    boolean tiny;

    @Option(names = "--out", paramLabel = "DIR", description = "Where the JSON file is put; target/eval by default.")
    Path out = Path.of("target", "eval");

    /** Names of precisions, fp8 and int8 in short. */
    static final class Named implements ITypeConverter<Precision> {
        @Override
        public Precision convert(String value) {
            String name = value.toUpperCase(Locale.ROOT);
            return Arrays.stream(Precision.values())
                    .filter(p -> p.name().equals(name) || p.name().equals(name + "_LINEAR"))
                    .findFirst()
                    .orElseThrow(() -> new TypeConversionException("'" + value + "' is unknown; there are "
                            + Arrays.toString(Precision.values()).toLowerCase(Locale.ROOT)));
        }
    }

    @Override
    public Integer call() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        if (repeats < 1
                || baselineRepeats < 1
                || warmUp < 0
                || contexts.stream().anyMatch(k -> k < BLOCK)) {
            throw Cli.badArgument(
                    command,
                    "--repeats and --baseline-repeats must be at least 1, --warm-up 0 and --contexts " + BLOCK);
        }
        for (String w : workloads) {
            if (!GpuWorkloads.NAMES.contains(w)) {
                throw Cli.badArgument(command, "workload " + w + " is unknown; there are " + GpuWorkloads.NAMES);
            }
        }
        Output.folder(out);
        Report report = new Report(command.name(), command.commandLine().getOut());
        RuntimeRegistry registry = RuntimeRegistry.load(GpuReport.class.getClassLoader());
        TensorRuntimeProvider provider = registry.get(runtimeName);
        if (provider.probe() instanceof Availability.Unavailable missing) {
            report.line("Unavailable(%s)", missing.reason());
            report.put("unavailable", missing.reason());
            report.write(out);
            return UNAVAILABLE;
        }
        if (parity) {
            return new GpuParity(command.commandLine(), runtimeName, device, goldens, seed, small)
                    .run(precisions, provider);
        }
        try (TensorRuntime runtime = provider.create(new RuntimeOptions(device, 0))) {
            report.line("device: %s", runtime.devices().get(0).description());
            report.put("runtime", runtimeName);
            report.put("device", runtime.devices().get(0));
            report.put("started", Instant.now().toString());
            report.put("repeats", repeats);
            report.put("warmUp", warmUp);
            report.put("tiny", tiny);
            TensorRuntime other = baseline(registry, report);
            try {
                measure(report, runtime, other);
            } finally {
                if (other != null) {
                    other.close();
                }
            }
        }
        report.write(out);
        return Cli.OK;
    }

    private @Nullable TensorRuntime baseline(RuntimeRegistry registry, Report report) {
        if (baselineName.equals(NONE)) {
            return null;
        }
        try {
            TensorRuntime other = registry.get(baselineName).create(new RuntimeOptions(device, 0));
            report.line(
                    "baseline: %s on %s, operator by operator",
                    baselineName, other.devices().get(0).description());
            report.put("baseline", baselineName);
            return other;
        } catch (TeleWorldException | IllegalArgumentException e) {
            report.line("baseline: Unavailable(%s)", String.valueOf(e.getMessage()));
            report.put("baselineUnavailable", String.valueOf(e.getMessage()));
            return null;
        }
    }

    private void measure(Report report, TensorRuntime runtime, @Nullable TensorRuntime other) {
        report.line("wall time from inputs to outputs in host memory; %d repetitions before are not counted", warmUp);
        List<Map<String, Object>> entries = new ArrayList<>();
        GpuSide baseline = other == null ? null : new GpuSide(other, baselinePrecision);
        GpuRuns runs = new GpuRuns(repeats, baselineRepeats, warmUp, limit);
        for (Precision precision : chosen(runtime)) {
            GpuWorkloads all = new GpuWorkloads(
                    report, new GpuSide(runtime, precision), baseline, runs, contexts, tiny, profile, entries);
            for (String workload : workloads) {
                all.run(workload);
                // What is there is kept if the process is ended.
                report.put("figures", entries);
                report.keep(out);
            }
        }
    }

    private List<Precision> chosen(TensorRuntime runtime) {
        if (!precisions.isEmpty()) {
            return precisions;
        }
        List<Precision> out = new ArrayList<>(List.of(Precision.BF16));
        runtime.precisions().stream().filter(p -> p.name().startsWith("FP8")).forEach(out::add);
        return out;
    }
}
