package io.teleworld.training;

import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.training.data.ClipPool;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.recipe.AutoencoderObjective;
import io.teleworld.training.recipe.DecoderGrowth;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Optimizers;
import java.util.List;
import java.util.SplittableRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Trains the streaming autoencoder on random crops of walks. */
@Command(
        name = "autoencoder",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains the autoencoder.")
final class TrainAutoencoder extends TrainingCommand {

    private static final int CLIP_FRAMES = 13;
    private static final int SAMPLES_PER_AXIS = 2;
    private static final int WARMUP = 100;

    @Mixin
    WorldArguments worlds = new WorldArguments();

    @Option(names = "--crop", paramLabel = "PX", description = "Side of the square crops; 64 by default, tiny 48.")
    int crop;

    @Option(names = "--latents", paramLabel = "N", description = "Latent frames of a sample, 1 to 4; 2 by default.")
    int latents = 2;

    @Option(names = "--clips", paramLabel = "N", description = "The most rendered clips held in memory.")
    int clips = 1000;

    @Option(names = "--held-clips", paramLabel = "N", description = "Clips of other maps to judge by.")
    int heldClips = 12;

    @Option(
            names = "--decoder-only",
            description = "Train the decoder alone, widened to --size, with the encoder of --weights: the latents stay"
                    + " as they are.")
    boolean decoderOnly;

    @Override
    LoopArguments.Figures train() {
        loop.prepare(command(), "autoencoder");
        LoopArguments.Start<VideoAutoencoderConfig> start =
                loop.start(size.autoencoder(), VideoAutoencoder::initialise, NetworkFile::autoencoder);
        if (decoderOnly) {
            start = widened(start);
        }
        VideoAutoencoderConfig config = start.config();
        TeleWorldConfig world = size.world();
        int side = crop > 0 ? crop : size == ModelSize.TINY ? 48 : 64;
        if (side % config.spatialFactor() != 0 || side > world.height() || latents < 1 || latents > 4) {
            throw Cli.badArgument(
                    command(),
                    "--crop is " + side + ", --latents " + latents + "; allowed are multiples of "
                            + config.spatialFactor() + " up to " + world.height() + ", and 1 to 4");
        }
        SplittableRandom random = new SplittableRandom(loop.seed);
        WalkClips judge = new WalkClips(worlds.heldOut(), world.intrinsics(), CLIP_FRAMES, SAMPLES_PER_AXIS);
        List<GroundTruthClip> held = judge.take(heldClips, random);
        WalkClips walks = new WalkClips(worlds.training(), world.intrinsics(), CLIP_FRAMES, SAMPLES_PER_AXIS);
        int batch = loop.batch(16);
        try (ClipPool pool = new ClipPool(walks, clips, 1, random.nextLong())) {
            pool.await(30);
            try (AutoencoderObjective objective = new AutoencoderObjective(
                    config,
                    start.weights(),
                    pool,
                    held,
                    latents,
                    side,
                    batch,
                    decoderOnly,
                    loop.device,
                    loop.arithmetic(true))) {
                return loop.train(
                        "autoencoder", config, objective, Optimizers::autoencoder, Optimizers.AUTOENCODER_RATE, WARMUP);
            }
        }
    }

    private LoopArguments.Start<VideoAutoencoderConfig> widened(LoopArguments.Start<VideoAutoencoderConfig> start) {
        if (loop.weights == null) {
            throw Cli.badArgument(command(), "--decoder-only needs --weights: the encoder that stays as it is");
        }
        VideoAutoencoderConfig wide = DecoderGrowth.sizes(start.config(), size.autoencoder());
        return new LoopArguments.Start<>(wide, DecoderGrowth.widened(start.config(), start.weights(), wide, loop.seed));
    }
}
