package io.teleworld.training;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.recipe.DistributionMatchingObjective;
import io.teleworld.training.recipe.NetworkFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Distils a few-step video transformer by matching the distribution of its flow-matching teacher. */
@Command(
        name = "distil",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Distils a few-step transformer by distribution matching (DMD).")
final class TrainDistil implements Callable<Integer> {

    private static final String NAME = "distil";
    private static final double RATE = 2e-5;
    private static final int WARMUP = 10;
    private static final int BATCH = 4;
    /** The flow-matching teacher's noise levels are compared without a shift, as it was trained. */
    private static final double SHIFT = 1;

    @Spec
    @Nullable
    CommandSpec spec;

    @Mixin
    LoopArguments loop = new LoopArguments();

    @Option(
            names = "--teacher",
            paramLabel = "FILE",
            description = "Weights of the flow-matching transformer; target/training/transformer by default.")
    Path teacher = Path.of("target", "training", "transformer");

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

    @Option(
            names = "--sampling-steps",
            paramLabel = "T[,T...]",
            split = ",",
            description = "Timesteps of the generator's steps, falling; by default those of the size.")
    @Nullable
    List<Integer> samplingSteps;

    @Option(
            names = "--critic-updates",
            paramLabel = "N",
            description = "Updates of the critic for one of the generator; ${DEFAULT-VALUE} by default.")
    int criticUpdates = 5;

    @Option(
            names = "--critic-rate",
            paramLabel = "X",
            description = "The critic's learning rate over the generator's; ${DEFAULT-VALUE} by default.")
    double criticRate = 2;

    @Option(
            names = "--teacher-guidance",
            paramLabel = "G",
            description = "Factor of the teacher's guided over unguided prediction; ${DEFAULT-VALUE} by default.")
    double teacherGuidance;

    @Option(
            names = "--regression",
            paramLabel = "X",
            description = "Weight of the error to the truth where guidance knows; ${DEFAULT-VALUE} by default.")
    double regression = 1;

    @Option(names = "--size", description = "nano (the default, as shipped) or tiny.")
    ModelSize size = ModelSize.NANO;

    @Override
    public Integer call() {
        train();
        return Cli.OK;
    }

    /** Distils and tells what changed. */
    LoopArguments.Figures train() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        Path from = loop.weights;
        if (from == null) {
            throw Cli.badArgument(command, "--weights is missing; it names the few-step transformer to start from");
        }
        if (criticUpdates < 1 || !(criticRate > 0) || !(teacherGuidance >= 0) || !(regression >= 0)) {
            throw Cli.badArgument(
                    command,
                    "--critic-updates is " + criticUpdates + ", --critic-rate " + criticRate + ", --teacher-guidance "
                            + teacherGuidance + ", --regression " + regression
                            + "; at least 1, positive, and at least 0 are allowed");
        }
        loop.prepare(command, NAME);
        TeleWorldConfig world = size.world();
        NetworkFile<VideoTransformerConfig> student = NetworkFile.read(from, size.transformer());
        NetworkFile<VideoTransformerConfig> flow = NetworkFile.read(teacher, size.transformer());
        if (!student.config().equals(flow.config())) {
            throw Cli.badArgument(command, "--weights and --teacher are transformers of different sizes");
        }
        LatentStatistics statistics = LatentStatistics.read(latents);
        DistributionMatchingObjective.Options options = new DistributionMatchingObjective.Options(
                loop.batch(BATCH), criticUpdates, teacherGuidance, regression, SHIFT, levels());
        List<LatentCache> caches = new ArrayList<>();
        try (LatentCache held = LatentCache.open(latents.resolve("held"))) {
            caches.add(LatentCache.open(latents.resolve("train")));
            caches.add(LatentCache.open(rollouts.resolve("train")));
            try (DistributionMatchingObjective objective = new DistributionMatchingObjective(
                    student.config(),
                    world.guidance(),
                    world.segments().plan(ChainingPolicy.MAX_THROUGHPUT),
                    student.arrays(),
                    flow.arrays(),
                    caches,
                    held,
                    statistics.means(),
                    statistics.deviations(),
                    options,
                    loop.device,
                    loop.arithmetic(false))) {
                return loop.train(
                        NAME,
                        student.config(),
                        objective,
                        p -> DistributionMatchingObjective.optimizer(p, criticRate),
                        RATE,
                        WARMUP);
            }
        } finally {
            caches.forEach(LatentCache::close);
        }
    }

    private List<Double> levels() {
        SchedulerConfig scheduler = size.scheduler();
        List<Integer> chosen = samplingSteps;
        FewStepSampler sampler = chosen == null
                ? scheduler.sampler()
                : FewStepSampler.of(
                        new FlowMatchScheduler(scheduler.numTrainTimesteps(), scheduler.flowShift()), chosen, true);
        return Arrays.stream(sampler.timesteps())
                .map(t -> t / scheduler.numTrainTimesteps())
                .filter(t -> t > 0)
                .boxed()
                .toList();
    }
}
