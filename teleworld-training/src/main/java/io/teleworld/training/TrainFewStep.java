package io.teleworld.training;

import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Optimizers;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Fits a trained video transformer to the few steps that sessions take: regression of the clean latents at the step list
 * (as the ODE initialisation of CausVid and Self-Forcing), half of it with recorded roll-outs of the model as context.
 */
@Command(
        name = "few-step",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Fits a trained video transformer to its sampling steps and its own roll-outs.")
final class TrainFewStep extends TransformerTraining {

    private static final Stage STAGE = new Stage("few-step", 0.05, 0, 0.25 * Optimizers.TRANSFORMER_RATE);

    @Option(
            names = "--rollouts",
            paramLabel = "DIR",
            description = "What encode --transformer wrote; target/training/rollouts by default.")
    Path rollouts = Path.of("target", "training", "rollouts");

    @Override
    LoopArguments.Figures train() {
        Path from = loop.weights;
        if (from == null) {
            throw Cli.badArgument(command(), "--weights is missing; it names the transformer to start from");
        }
        loop.prepare(command(), STAGE.name());
        NetworkFile<VideoTransformerConfig> file = NetworkFile.read(from, size.transformer());
        return train(STAGE, file.config(), file.arrays(), List.of(latents, rollouts));
    }
}
