package io.teleworld.training;

import io.teleworld.ChainingPolicy;
import io.teleworld.SegmentPlan;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.plan.FrameChainPlanner;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Optimizers;
import io.teleworld.training.recipe.TransformerObjective;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains the video transformer on encoded segments. */
@Command(
        name = "transformer",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains the video transformer.")
final class TrainTransformer implements Callable<Integer> {

    private static final double UNGUIDED = 0.1;
    private static final double CONTEXT_NOISE = 0.12;
    private static final int WARMUP = 40;

    @Spec
    @Nullable
    CommandSpec spec;

    @Mixin
    LoopArguments loop = new LoopArguments();

    @Option(
            names = "--latents",
            paramLabel = "DIR",
            description = "What encode wrote; target/training/latents by default.")
    Path latents = Path.of("target", "training", "latents");

    @Option(names = "--size", description = "nano (the default, as shipped) or tiny.")
    ModelSize size = ModelSize.NANO;

    @Option(names = "--layers", paramLabel = "N", description = "Blocks; by default those of the size.")
    @Nullable
    Integer layers;

    @Override
    public Integer call() {
        train();
        return Cli.OK;
    }

    /** Trains and tells what changed. */
    LoopArguments.Figures train() {
        loop.prepare(Objects.requireNonNull(spec, "command specification"), "transformer");
        VideoTransformerConfig config;
        Map<String, float[]> initial;
        Path from = loop.weights;
        if (from == null) {
            Integer chosen = layers;
            config = chosen == null ? size.transformer() : size.transformer(chosen);
            initial = TransformerObjective.initialise(config, loop.seed);
        } else {
            NetworkFile<VideoTransformerConfig> file = NetworkFile.read(from, size.transformer());
            config = file.config();
            initial = file.arrays();
        }
        TeleWorldConfig world = size.world();
        LatentStatistics statistics = LatentStatistics.read(latents);
        if (statistics.mean().size() != config.latentChannels()) {
            throw Cli.badArgument(
                    Objects.requireNonNull(spec),
                    "--latents has " + statistics.mean().size() + " channels; the transformer takes "
                            + config.latentChannels());
        }
        // The shipped plan, and one frame after the other, so that both planners of sessions work.
        List<SegmentPlan> plans = List.of(
                new MacroMicroPlanner(world.segments(), ChainingPolicy.MAX_THROUGHPUT).plan(0),
                new FrameChainPlanner().plan(0));
        SchedulerConfig scheduler = size.scheduler();
        List<Double> levels = Arrays.stream(scheduler.sampler().timesteps())
                .mapToObj(t -> t / scheduler.numTrainTimesteps())
                .filter(t -> t > 0)
                .toList();
        TransformerObjective.Options options =
                new TransformerObjective.Options(loop.batch(8), UNGUIDED, CONTEXT_NOISE, scheduler.flowShift(), levels);
        try (LatentCache train = LatentCache.open(latents.resolve("train"));
                LatentCache held = LatentCache.open(latents.resolve("held"));
                TransformerObjective objective = new TransformerObjective(
                        config,
                        world.guidance(),
                        plans,
                        initial,
                        train,
                        held,
                        statistics.means(),
                        statistics.deviations(),
                        options,
                        loop.device,
                        loop.arithmetic(false))) {
            return loop.train(
                    "transformer", config, objective, Optimizers::transformer, Optimizers.TRANSFORMER_RATE, WARMUP);
        }
    }
}
