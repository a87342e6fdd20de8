package io.teleworld.training;

import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.recipe.NetworkFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What the commands share that train a few-step transformer on its own samples. */
abstract class SelfForcedTraining extends TrainingCommand {

    static final int BATCH = 4;

    @Option(
            names = "--latents",
            paramLabel = "DIR",
            description = "What encode wrote; target/training/latents by default.")
    Path latents = Path.of("target", "training", "latents");

    @Option(
            names = "--rollouts",
            paramLabel = "DIR",
            description = "What encode --transformer wrote; target/training/rollouts by default.")
    Path rollouts = Path.of("target", "training", "rollouts");

    @Option(names = "--sampling-steps", paramLabel = "T[,T...]", split = ",", description = SamplingSteps.DESCRIPTION)
    @Nullable
    List<Integer> samplingSteps;

    /** Segments to learn from and to be judged by. */
    record Data(List<LatentCache> train, LatentCache held, LatentStatistics statistics) {}

    /** Trains on open data. */
    interface OnData {
        LoopArguments.Figures train(Data data);
    }

    /** The few-step transformer to start from. */
    NetworkFile<VideoTransformerConfig> student() {
        return NetworkFile.read(given(), size.transformer());
    }

    /** What {@code --weights} names. */
    Path given() {
        Path from = loop.weights;
        if (from == null) {
            throw Cli.badArgument(command(), "--weights is missing; it names the few-step transformer to start from");
        }
        return from;
    }

    LoopArguments.Figures onData(OnData training) {
        LatentStatistics statistics = LatentStatistics.read(latents);
        List<LatentCache> caches = new ArrayList<>();
        try (LatentCache held = LatentCache.open(latents.resolve("held"))) {
            caches.add(LatentCache.open(latents.resolve("train")));
            caches.add(LatentCache.open(rollouts.resolve("train")));
            return training.train(new Data(caches, held, statistics));
        } finally {
            caches.forEach(LatentCache::close);
        }
    }

    /** The generator's noise levels, falling, without the clean one. */
    List<Double> levels() {
        return SamplingSteps.levels(size.scheduler(), samplingSteps);
    }
}
