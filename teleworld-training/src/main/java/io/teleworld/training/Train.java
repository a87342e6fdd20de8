package io.teleworld.training;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Trains world models. The commands build on each other: {@code autoencoder} and {@code geometry}, {@code encode} with the
 * autoencoder, {@code transformer} on what was encoded, {@code export}. {@code tiny} runs all of them in miniature.
 */
@Command(
        name = "train",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        description = "Trains a world model on worlds that are rendered on the way.",
        subcommands = {
            TrainAutoencoder.class,
            TrainGeometry.class,
            EncodeSegments.class,
            TrainTransformer.class,
            TrainFewStep.class,
            TrainDistil.class,
            TrainAdversarial.class,
            TrainSuperResolution.class,
            AverageWeights.class,
            ExportModel.class,
            CalibratePackage.class,
            TrainTiny.class
        })
public final class Train implements Runnable {

    @Spec
    @org.jspecify.annotations.Nullable
    CommandSpec spec;

    /** Runs the program; ends the process only if something went wrong, so that Maven can go on. */
    public static void main(String... args) {
        int code = Cli.of(new Train()).execute(args);
        if (code != Cli.OK) {
            System.exit(code);
        }
    }

    @Override
    public void run() {
        CommandSpec command = java.util.Objects.requireNonNull(spec, "command specification");
        throw new ParameterException(
                command.commandLine(), "name one of " + command.subcommands().keySet());
    }
}
