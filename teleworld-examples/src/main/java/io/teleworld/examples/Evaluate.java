package io.teleworld.examples;

import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** Measures a model: speed, agreement with the truth, memory, drift, camera, steps, endurance, how runtimes agree, and large models. */
@Command(
        name = "evaluate",
        mixinStandardHelpOptions = true,
        versionProvider = Cli.Version.class,
        scope = ScopeType.INHERIT,
        sortOptions = false,
        description = "Measures a model and prints what it found.",
        subcommands = {
            SpeedReport.class,
            FollowReport.class,
            MemoryReport.class,
            AutoencoderReport.class,
            SuperResolutionReport.class,
            GeometryReport.class,
            DeterminismReport.class,
            EnduranceReport.class,
            ParityReport.class,
            RuntimesReport.class,
            BlockReport.class,
            RooflineReport.class,
            TruthReport.class,
            DriftReport.class,
            CameraReport.class,
            StepsReport.class,
            GalleryReport.class,
            StylesReport.class
        })
public final class Evaluate implements Callable<Integer> {

    @Spec
    @Nullable
    CommandSpec spec;

    /** The command. */
    public Evaluate() {
        // Everything is in the subcommands.
    }

    /** Runs the program; ends the process only if something went wrong, so that Maven can go on. */
    public static void main(String... args) {
        int code = Cli.of(new Evaluate()).execute(args);
        if (code != Cli.OK) {
            System.exit(code);
        }
    }

    @Override
    public Integer call() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        throw Cli.badArgument(
                command,
                "name one of " + String.join(", ", command.subcommands().keySet()));
    }
}
