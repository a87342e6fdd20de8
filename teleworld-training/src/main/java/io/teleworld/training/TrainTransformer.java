package io.teleworld.training;

import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Optimizers;
import io.teleworld.training.recipe.TransformerObjective;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Trains the video transformer by flow matching on recorded segments. */
@Command(
        name = "transformer",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains the video transformer by flow matching.")
final class TrainTransformer extends TransformerTraining {

    private static final Stage STAGE = new Stage("transformer", 0.1, 0.5, Optimizers.TRANSFORMER_RATE);

    @Option(names = "--layers", paramLabel = "N", description = "Blocks; by default those of the size.")
    @Nullable
    Integer layers;

    @Override
    LoopArguments.Figures train() {
        loop.prepare(command(), STAGE.name());
        Integer chosen = layers;
        LoopArguments.Start<VideoTransformerConfig> start = loop.start(
                chosen == null ? size.transformer() : size.transformer().withLayers(chosen),
                TransformerObjective::initialise,
                NetworkFile::read);
        return train(STAGE, start.config(), start.weights(), List.of(latents));
    }
}
