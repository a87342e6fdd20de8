package io.teleworld.training;

import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.training.data.ClipPool;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.recipe.GeometryObjective;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Optimizers;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains the net that finds depth, confidence and moving things in a picture. */
@Command(
        name = "geometry",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains the geometry net.")
final class TrainGeometry implements Callable<Integer> {

    private static final int CLIP_FRAMES = 4;
    private static final int WARMUP = 60;

    @Spec
    @Nullable
    CommandSpec spec;

    @Mixin
    LoopArguments loop = new LoopArguments();

    @Mixin
    WorldArguments worlds = new WorldArguments();

    @Option(names = "--size", description = "nano (the default, as shipped) or tiny.")
    ModelSize size = ModelSize.NANO;

    @Option(names = "--clips", paramLabel = "N", description = "The most rendered clips held in memory.")
    int clips = 2500;

    @Option(names = "--held-clips", paramLabel = "N", description = "Pictures of other maps to judge by.")
    int heldClips = 24;

    @Override
    public Integer call() {
        train();
        return Cli.OK;
    }

    /** Trains and tells what changed. */
    LoopArguments.Figures train() {
        loop.prepare(Objects.requireNonNull(spec, "command specification"), "geometry");
        LoopArguments.Start<GeometryNetConfig> start =
                loop.start(size.geometry(), GeometryNet::initialise, NetworkFile::read);
        TeleWorldConfig world = size.world();
        SplittableRandom random = new SplittableRandom(loop.seed);
        WalkClips judge = new WalkClips(worlds.heldOut(), world.intrinsics(), 1, 1);
        List<GroundTruthClip> held = judge.take(heldClips, random);
        WalkClips walks = new WalkClips(worlds.training(), world.intrinsics(), CLIP_FRAMES, 1);
        int batch = loop.batch(16);
        try (ClipPool pool = new ClipPool(walks, clips, 1, random.nextLong())) {
            pool.await(60);
            try (GeometryObjective objective = new GeometryObjective(
                    start.config(), start.weights(), pool, held, batch, loop.device, loop.arithmetic(true))) {
                return loop.train(
                        "geometry", start.config(), objective, Optimizers::geometry, Optimizers.GEOMETRY_RATE, WARMUP);
            }
        }
    }
}
