package io.teleworld.examples;

import io.teleworld.CameraPath;
import io.teleworld.RgbImage;
import io.teleworld.core.evaluate.PoseRecovery;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
    private final Map<Integer, RenderTarget> views = new HashMap<>();
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
        return draw(maps(), count, frames, kind, camera, new SplittableRandom(seed));
    }

    /** The held-out maps. */
    static WorldPool maps() {
        return new WorldPool(Freedoom.locate(), 0, MapSplit.HELD_OUT);
    }

    /**
     * Draws a case that depends on its name and the seed alone, not on what other cases there are.
     *
     * @param name such as {@code walk-3}
     */
    static HeldOutCase named(
            WorldPool maps, String name, int frames, TrajectoryKind kind, Intrinsics camera, long seed) {
        SplittableRandom random = new SplittableRandom(seed ^ 0x9E3779B97F4A7C15L * name.hashCode());
        return draw(maps, 1, frames, kind, camera, random).get(0);
    }

    private static List<HeldOutCase> draw(
            WorldPool pool, int count, int frames, TrajectoryKind kind, Intrinsics camera, SplittableRandom random) {
        TrajectorySampler sampler = new TrajectorySampler();
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

    /**
     * What is there to see, in eye heights.
     *
     * @param depth planar, +∞ for sky
     * @param moving what moves by itself
     * @param pose in the world's frame
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large arrays; never compared
    record Geometry(RgbImage image, float[] depth, boolean[] moving, Pose pose) {}

    /** Picture, depth and moving things of a frame. */
    Geometry geometry(int frame) {
        RgbImage image = truth(frame);
        double eye = world.eyeHeight();
        float[] depth = target.depth().clone();
        boolean[] moving = new boolean[depth.length];
        Map<Integer, Boolean> moves = new HashMap<>();
        world.instances().forEach(i -> moves.put(i.id(), i.dynamic()));
        for (int i = 0; i < depth.length; i++) {
            depth[i] = (float) (depth[i] / eye);
            moving[i] = moves.getOrDefault(target.label()[i], false);
        }
        Pose p = trajectory.poses().get(frame);
        return new Geometry(image, depth, moving, p.withTranslation(p.tx() / eye, p.ty() / eye, p.tz() / eye));
    }

    /** The frames of the path, the start picture included. */
    int frames() {
        return trajectory.frames();
    }

    /**
     * True picture and depth from a pose of a session, as {@link #depth}; the unit of depth is the session's.
     */
    PoseRecovery.View view(int frame, Pose pose, Intrinsics camera) {
        RenderTarget out = views.computeIfAbsent(
                camera.width(), w -> new RenderTarget(w, camera.height(), SAMPLES_PER_AXIS, true));
        Pose there = trajectory
                .poses()
                .get(0)
                .compose(pose.withTranslation(pose.tx() * unit, pose.ty() * unit, pose.tz() * unit));
        world.render(there, camera, trajectory.timeOf(frame), out);
        float[] depth = out.depth().clone();
        for (int i = 0; i < depth.length; i++) {
            depth[i] = (float) (depth[i] / unit);
        }
        return new PoseRecovery.View(
                new RgbImage(out.width(), out.height(), out.rgb().clone()), depth);
    }

    /**
     * True depth from a pose of a session, in the session's unit.
     *
     * @param frame whose time it is: things move
     * @param pose in the session's frame and unit
     * @param camera any size
     */
    float[] depth(int frame, Pose pose, Intrinsics camera) {
        return view(frame, pose, camera).depth();
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
