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
import io.teleworld.training.recipe.Optimizers;
import io.teleworld.training.recipe.TransformerObjective;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Option;

/** What the commands that train the video transformer share. */
abstract class TransformerTraining extends TrainingCommand {

    private static final Logger LOG = LoggerFactory.getLogger(TransformerTraining.class);

    private static final double CONTEXT_NOISE = 0.12;
    private static final int WARMUP = 40;
    private static final int BATCH = 8;

    @Option(
            names = "--latents",
            paramLabel = "DIR",
            description = "What encode wrote; target/training/latents by default.")
    Path latents = Path.of("target", "training", "latents");

    @Option(names = "--sampling-steps", paramLabel = "T[,T...]", split = ",", description = SamplingSteps.DESCRIPTION)
    @Nullable
    List<Integer> samplingSteps;

    /**
     * How a stage of training differs from the others.
     *
     * @param name of the command
     * @param unguided share of steps without guidance
     * @param scheduled share of noise levels that are not those of few-step sampling
     * @param rate peak learning rate unless --lr is given
     */
    record Stage(String name, double unguided, double scheduled, double rate) {}

    /**
     * Trains.
     *
     * @param folders of caches, each with {@code train}; {@code held} and the statistics are those of {@link #latents}
     */
    LoopArguments.Figures train(
            Stage stage, VideoTransformerConfig config, Map<String, float[]> initial, List<Path> folders) {
        TeleWorldConfig world = size.world();
        int inputs = world.guidance().inputChannels(config.latentChannels());
        if (config.inChannels() < inputs) {
            LOG.info(
                    "the weights take {} channels; {} are given, the new ones begin with weights of 0",
                    config.inChannels(),
                    inputs);
            return train(
                    stage, config.withInChannels(inputs), TransformerObjective.widen(config, initial, inputs), folders);
        }
        LatentStatistics statistics = LatentStatistics.read(latents);
        if (statistics.mean().size() != config.latentChannels()) {
            throw Cli.badArgument(
                    command(),
                    "--latents has " + statistics.mean().size() + " channels; the transformer takes "
                            + config.latentChannels());
        }
        // The shipped plan, and one frame after the other, so that both planners of sessions work.
        List<SegmentPlan> plans = List.of(
                new MacroMicroPlanner(world.segments(), ChainingPolicy.MAX_THROUGHPUT).plan(0),
                new FrameChainPlanner().plan(0));
        SchedulerConfig scheduler = size.scheduler();
        List<Double> levels = SamplingSteps.levels(scheduler, samplingSteps);
        TransformerObjective.Options options = new TransformerObjective.Options(
                loop.batch(BATCH), stage.unguided(), CONTEXT_NOISE, stage.scheduled(), scheduler.flowShift(), levels);
        List<LatentCache> caches = new ArrayList<>();
        try (LatentCache held = LatentCache.open(latents.resolve("held"))) {
            for (Path folder : folders) {
                caches.add(LatentCache.open(folder.resolve("train")));
            }
            try (TransformerObjective objective = new TransformerObjective(
                    config,
                    world.guidance(),
                    plans,
                    initial,
                    caches,
                    held,
                    statistics.means(),
                    statistics.deviations(),
                    options,
                    loop.device,
                    loop.arithmetic(false))) {
                return loop.train(stage.name(), config, objective, Optimizers::transformer, stage.rate(), WARMUP);
            }
        } finally {
            caches.forEach(LatentCache::close);
        }
    }
}
