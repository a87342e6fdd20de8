package io.teleworld.training;

import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.training.data.BackgroundPool;
import io.teleworld.training.data.EnlargementClip;
import io.teleworld.training.data.EnlargementClips;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Optimizers;
import io.teleworld.training.recipe.SuperResolutionObjective;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Trains streaming super-resolution on random crops of walks that are rendered at the large size. */
@Command(
        name = "super-resolution",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains super-resolution of what the autoencoder gives.")
final class TrainSuperResolution extends TrainingCommand {

    private static final int SAMPLES_PER_AXIS = 2;
    private static final int WARMUP = 100;

    @Mixin
    WorldArguments worlds = new WorldArguments();

    @Option(
            names = "--autoencoder",
            paramLabel = "FILE",
            description = "Its weights; target/training/autoencoder by default.")
    Path autoencoder = Path.of("target", "training", "autoencoder");

    @Option(
            names = "--decoded",
            paramLabel = "X",
            description = "Share of samples that went through the autoencoder; ${DEFAULT-VALUE} by default.")
    double decoded = 0.5;

    @Option(
            names = "--crop",
            paramLabel = "N",
            description = "Windows of the crops along each side of the small pictures; 2 rows and twice as many columns"
                    + " by default.")
    int crop = 2;

    @Option(names = "--groups", paramLabel = "N", description = "Groups of frames of a sample, 1 to 4; 2 by default.")
    int groups = 2;

    @Option(names = "--clips", paramLabel = "N", description = "The most rendered clips held in memory.")
    int clips = 300;

    @Option(names = "--held-clips", paramLabel = "N", description = "Clips of other maps to judge by.")
    int heldClips = 12;

    @Override
    LoopArguments.Figures train() {
        loop.prepare(command(), "super-resolution");
        LoopArguments.Start<SuperResolutionConfig> start =
                loop.start(size.superResolution(), SuperResolutionNet::initialise, NetworkFile::read);
        SuperResolutionConfig config = start.config();
        TeleWorldConfig world = size.world();
        int rows = config.projection().patch() * config.transformer().window().get(1);
        int columns =
                config.projection().patch() * config.transformer().window().get(2);
        if (groups < 1 || groups > 4 || crop < 1 || crop * rows > world.height() || !(decoded >= 0 && decoded <= 1)) {
            throw Cli.badArgument(
                    command(),
                    "--groups is " + groups + ", --crop " + crop + ", --decoded " + decoded
                            + "; allowed are 1 to 4, 1 to " + world.height() / rows + " and [0, 1]");
        }
        int cropHeight = crop * rows;
        int cropWidth = Math.min(world.width() / columns, Math.max(1, cropHeight / columns)) * columns;
        Intrinsics large = Intrinsics.ofHorizontalFieldOfView(
                world.width() * config.scale(),
                world.height() * config.scale(),
                Math.toRadians(world.horizontalFovDegrees()));
        int frames = 1 + 4 * Math.max(2, groups - 1);
        NetworkFile<VideoAutoencoderConfig> codec = NetworkFile.autoencoder(autoencoder, size.autoencoder());
        SplittableRandom random = new SplittableRandom(loop.seed);
        int batch = loop.batch(4);
        try (EnlargementClips judges = pairs(worlds.heldOut(), large, frames, config, world, codec);
                EnlargementClips walks = pairs(worlds.training(), large, frames, config, world, codec)) {
            List<EnlargementClip> held = new ArrayList<>();
            for (int i = 0; i < heldClips; i++) {
                held.add(judges.next(random));
            }
            try (BackgroundPool<EnlargementClip> pool =
                    new BackgroundPool<>(walks::next, clips, 1, random.nextLong())) {
                pool.await(Math.min(20, clips));
                try (SuperResolutionObjective objective = new SuperResolutionObjective(
                        config,
                        start.weights(),
                        pool::next,
                        held,
                        groups,
                        cropHeight,
                        cropWidth,
                        batch,
                        decoded,
                        loop.device,
                        loop.arithmetic(true))) {
                    return loop.train(
                            "super-resolution",
                            config,
                            objective,
                            Optimizers::superResolution,
                            Optimizers.SUPER_RESOLUTION_RATE,
                            WARMUP);
                }
            }
        }
    }

    private EnlargementClips pairs(
            List<WalkClips.WorldFactory> maps,
            Intrinsics large,
            int frames,
            SuperResolutionConfig config,
            TeleWorldConfig world,
            NetworkFile<VideoAutoencoderConfig> codec) {
        return new EnlargementClips(
                new WalkClips(maps, large, frames, SAMPLES_PER_AXIS),
                frames,
                config.scale(),
                world.height(),
                world.width(),
                codec.config(),
                codec.arrays(),
                loop.device);
    }
}
