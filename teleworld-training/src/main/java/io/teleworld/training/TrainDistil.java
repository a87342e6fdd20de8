package io.teleworld.training;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.recipe.DistributionMatchingObjective;
import io.teleworld.training.recipe.NetworkFile;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Distils a few-step video transformer by matching the distribution of its flow-matching teacher. */
@Command(
        name = "distil",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Distils a few-step transformer by distribution matching (DMD).")
final class TrainDistil extends SelfForcedTraining {

    private static final String NAME = "distil";
    private static final double RATE = 2e-5;
    private static final int WARMUP = 10;
    /** The flow-matching teacher's noise levels are compared without a shift, as it was trained. */
    private static final double SHIFT = 1;

    @Option(
            names = "--teacher",
            paramLabel = "FILE",
            description = "Weights of the flow-matching transformer; target/training/transformer by default.")
    Path teacher = Path.of("target", "training", "transformer");

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

    @Override
    LoopArguments.Figures train() {
        given();
        if (criticUpdates < 1 || !(criticRate > 0) || !(teacherGuidance >= 0) || !(regression >= 0)) {
            throw Cli.badArgument(
                    command(),
                    "--critic-updates is " + criticUpdates + ", --critic-rate " + criticRate + ", --teacher-guidance "
                            + teacherGuidance + ", --regression " + regression
                            + "; at least 1, positive, and at least 0 are allowed");
        }
        loop.prepare(command(), NAME);
        TeleWorldConfig world = size.world();
        NetworkFile<VideoTransformerConfig> student = student();
        NetworkFile<VideoTransformerConfig> flow = NetworkFile.read(teacher, size.transformer());
        if (!student.config().equals(flow.config())) {
            throw Cli.badArgument(command(), "--weights and --teacher are transformers of different sizes");
        }
        DistributionMatchingObjective.Options options = new DistributionMatchingObjective.Options(
                loop.batch(BATCH), criticUpdates, teacherGuidance, regression, SHIFT, levels());
        return onData(data -> {
            try (DistributionMatchingObjective objective = new DistributionMatchingObjective(
                    student.config(),
                    world.guidance(),
                    world.segments().plan(ChainingPolicy.MAX_THROUGHPUT),
                    student.arrays(),
                    flow.arrays(),
                    data.train(),
                    data.held(),
                    data.statistics().means(),
                    data.statistics().deviations(),
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
        });
    }
}
