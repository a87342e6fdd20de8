package io.teleworld.training;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.plan.FrameChainPlanner;
import io.teleworld.training.recipe.AdversarialObjective;
import io.teleworld.training.recipe.NetworkFile;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Sharpens a few-step video transformer against a discriminator of its latents. */
@Command(
        name = "adversarial",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Sharpens a few-step transformer against a discriminator of its latents.")
final class TrainAdversarial extends SelfForcedTraining {

    private static final String NAME = "adversarial";
    private static final double RATE = 2.5e-5;
    private static final int WARMUP = 20;
    private static final double NOISE = 0.1;

    @Option(
            names = "--adversarial",
            paramLabel = "X",
            description = "Weight of the discriminator's judgement; ${DEFAULT-VALUE} by default.")
    double adversarial = 0.3;

    @Option(
            names = "--unknown",
            paramLabel = "X",
            description = "Weight of the error to the truth where guidance knows nothing; ${DEFAULT-VALUE} by default.")
    double unknown = 0.1;

    @Option(
            names = "--smoothness",
            paramLabel = "X",
            description = "Weight of the discriminator's change by noise; ${DEFAULT-VALUE} by default.")
    double smoothness = 8;

    @Option(
            names = "--discriminator-rate",
            paramLabel = "X",
            description = "The discriminator's learning rate over the generator's; ${DEFAULT-VALUE} by default.")
    double discriminatorRate = 25;

    @Option(
            names = "--patience",
            paramLabel = "N",
            description = "Steps in which only the discriminator learns; ${DEFAULT-VALUE} by default.")
    int patience = 120;

    @Override
    LoopArguments.Figures train() {
        given();
        if (!(adversarial >= 0) || !(unknown >= 0) || !(smoothness >= 0) || !(discriminatorRate > 0) || patience < 0) {
            throw Cli.badArgument(
                    command(),
                    "--adversarial is " + adversarial + ", --unknown " + unknown + ", --smoothness " + smoothness
                            + ", --discriminator-rate " + discriminatorRate + ", --patience " + patience
                            + "; at least 0, and a positive rate, are allowed");
        }
        loop.prepare(command(), NAME);
        TeleWorldConfig world = size.world();
        NetworkFile<VideoTransformerConfig> student = student();
        AdversarialObjective.Options options = new AdversarialObjective.Options(
                loop.batch(BATCH), adversarial, unknown, smoothness, NOISE, loop.resume ? 0 : patience, levels());
        return onData(data -> {
            try (AdversarialObjective objective = new AdversarialObjective(
                    student.config(),
                    world.guidance(),
                    List.of(world.segments().plan(ChainingPolicy.MAX_THROUGHPUT), new FrameChainPlanner().plan(0)),
                    student.arrays(),
                    data.train(),
                    data.held(),
                    data.statistics().means(),
                    data.statistics().deviations(),
                    options,
                    loop.seed,
                    loop.device,
                    loop.arithmetic(false))) {
                return loop.train(
                        NAME,
                        student.config(),
                        objective,
                        p -> AdversarialObjective.optimizer(p, discriminatorRate),
                        RATE,
                        WARMUP);
            }
        });
    }
}
