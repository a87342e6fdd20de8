package io.teleworld.examples;

import io.teleworld.CameraPath;
import io.teleworld.RgbImage;
import io.teleworld.error.TeleWorldException;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.worlds.Freedoom;
import io.teleworld.worlds.MapSplit;
import io.teleworld.worlds.RenderTarget;
import io.teleworld.worlds.Trajectory;
import io.teleworld.worlds.TrajectoryKind;
import io.teleworld.worlds.TrajectorySampler;
import io.teleworld.worlds.World;
import io.teleworld.worlds.WorldPool;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A walk through a map that training never saw, with its ground truth. Confined to one thread.
 *
 * <p>The path is made by keys and keeps clear of walls, and it is chosen before any model runs. A session measures in
 * units of the start picture's median depth and begins at the identity, so a pose P of the world is commanded as S⁻¹·P
 * with its translation divided by the true median depth of the start view, S being the first pose. The truth is what the
 * renderer shows at P: a model that misjudges depth is not forgiven.
 */
final class HeldOutCase {

    private static final System.Logger LOG = System.getLogger(HeldOutCase.class.getName());
    private static final int SAMPLES_PER_AXIS = 2;

    private final World world;
    private final Trajectory trajectory;
    private final RenderTarget target;
    private final RgbImage start;
    private final double unit;

    private HeldOutCase(World world, Trajectory trajectory) {
        this.world = world;
        this.trajectory = trajectory;
        Intrinsics k = trajectory.intrinsics();
        this.target = new RenderTarget(k.width(), k.height(), SAMPLES_PER_AXIS, true);
        this.start = truth(0);
        float[] depth = target.depth().clone();
        Arrays.sort(depth);
        this.unit = depth[depth.length / 2];
    }

    /**
     * Draws cases from all held-out maps.
     *
     * @param count how many
     * @param frames of each path, the start picture included
     * @param seed what all cases grow from
     * @throws TeleWorldException of category USER if the maps are not installed
     */
    static List<HeldOutCase> draw(int count, int frames, TrajectoryKind kind, Intrinsics camera, long seed) {
        WorldPool pool = new WorldPool(Freedoom.locate(), 0, MapSplit.HELD_OUT);
        TrajectorySampler sampler = new TrajectorySampler();
        SplittableRandom random = new SplittableRandom(seed);
        List<HeldOutCase> cases = new ArrayList<>();
        for (int attempt = 0; cases.size() < count; attempt++) {
            if (attempt > 20 * count) {
                throw new TeleWorldException(
                        TeleWorldException.Category.USER,
                        "the held-out maps offer only " + cases.size() + " of " + count + " paths of " + frames
                                + " frames");
            }
            World world = pool.world(pool.pick(random));
            try {
                HeldOutCase one = new HeldOutCase(world, sampler.sample(world, camera, frames, kind, random.split()));
                if (Double.isFinite(one.unit)) {
                    cases.add(one);
                }
            } catch (IllegalStateException e) {
                LOG.log(System.Logger.Level.DEBUG, "another map is drawn", e);
            }
        }
        return cases;
    }

    /** The map's name. */
    String name() {
        return world.name();
    }

    /** The picture that a session starts from. */
    RgbImage start() {
        return start;
    }

    /** What a perfect model would show. */
    RgbImage truth(int frame) {
        Pose pose = trajectory.poses().get(frame);
        world.render(pose, trajectory.intrinsics(), trajectory.timeOf(frame), target);
        return new RgbImage(target.width(), target.height(), target.rgb().clone());
    }

    /** The path in a session's frame and units; behind its end the camera stands still. */
    CameraPath path() {
        Pose toStart = trajectory.poses().get(0).inverse();
        return frame -> {
            int last = trajectory.frames() - 1;
            Pose p = toStart.compose(trajectory.poses().get((int) Math.min(frame, last)));
            return p.withTranslation(p.tx() / unit, p.ty() / unit, p.tz() / unit);
        };
    }
}
