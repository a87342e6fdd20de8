package io.teleworld.examples;

import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** Speed of large models on a GPU with random weights, and what the scheduler would make of it on several. */
@Command(
        name = "benchmark",
        mixinStandardHelpOptions = true,
        versionProvider = Cli.Version.class,
        scope = ScopeType.INHERIT,
        sortOptions = false,
        description = "Speed of large models on a GPU, random weights.",
        subcommands = {GpuReport.class, SchedulePrediction.class})
public final class CudaBenchmark implements Callable<Integer> {

    private static final String LOG_LEVEL = "teleworld.log.cuda";

    @Spec
    @Nullable
    CommandSpec spec;

    /** The command. */
    public CudaBenchmark() {
        // Everything is in the subcommands.
    }

    /** Runs the program; exit code 3 where there is no GPU. */
    public static void main(String... args) {
        // What is planned for the device's memory is printed before the first launch.
        if (System.getProperty(LOG_LEVEL) == null) {
            System.setProperty(LOG_LEVEL, "INFO");
        }
        int code = Cli.of(new CudaBenchmark()).execute(args);
        if (code != Cli.OK) {
            System.exit(code);
        }
    }

    @Override
    public Integer call() {
        CommandSpec command = java.util.Objects.requireNonNull(spec, "command specification");
        throw Cli.badArgument(
                command,
                "name one of " + String.join(", ", command.subcommands().keySet()));
    }
}
