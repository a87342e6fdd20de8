package io.teleworld.training.data;

import io.teleworld.Key;
import io.teleworld.Keys;
import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.camera.CameraState;
import io.teleworld.core.camera.KeyboardCamera;
import io.teleworld.core.camera.SceneDepth;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.worlds.InstanceInfo;
import io.teleworld.worlds.RenderTarget;
import io.teleworld.worlds.World;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Renders walks through worlds: random keys drive the same keyboard camera that sessions use, so that training sees the
 * motion that users make. Thread-safe.
 *
 * <p>Clips that would start in front of a wall, in the open sky or run into an obstacle are drawn again.
 */
public final class WalkClips implements ClipSupply {

    private static final int ATTEMPTS = 200;

    /** Scene depth in eye heights that makes a start worth walking from. */
    private static final double NEAREST_SCENE = 1.2;

    private static final double FARTHEST_SCENE = 14;
    private static final double MOST_SKY = 0.45;

    private final List<? extends WorldFactory> worlds;
    private final Intrinsics intrinsics;
    private final List<List<Integer>> schedules;
    private final int samplesPerAxis;

    /** Makes or looks up a world; thread-safe. */
    public interface WorldFactory {

        /**
         * A world to walk in.
         *
         * @param random decides which, where there are several
         */
        World world(SplittableRandom random);
    }

    /**
     * Clips from worlds, all equally likely.
     *
     * @param worlds at least one
     * @param intrinsics the camera
     * @param frames frames of a clip, at least 1
     * @param samplesPerAxis edge samples per pixel along each axis; see {@link RenderTarget}
     */
    public WalkClips(List<? extends WorldFactory> worlds, Intrinsics intrinsics, int frames, int samplesPerAxis) {
        this(
                worlds,
                intrinsics,
                List.of(IntStream.range(0, Math.max(0, frames)).boxed().toList()),
                samplesPerAxis);
    }

    /**
     * Clips that show only some frames of their walks.
     *
     * @param worlds at least one
     * @param intrinsics the camera
     * @param schedules numbers of the frames that are shown, ascending from 0; one list is drawn for each clip
     * @param samplesPerAxis edge samples per pixel along each axis; see {@link RenderTarget}
     */
    public WalkClips(
            List<? extends WorldFactory> worlds,
            Intrinsics intrinsics,
            List<List<Integer>> schedules,
            int samplesPerAxis) {
        if (worlds.isEmpty() || schedules.isEmpty() || schedules.stream().anyMatch(List::isEmpty)) {
            throw new IllegalArgumentException(
                    worlds.size() + " worlds and clips of frames " + schedules + "; both must be at least 1");
        }
        for (List<Integer> s : schedules) {
            for (int i = 0; i < s.size(); i++) {
                if (i == 0 ? s.get(i) != 0 : s.get(i) <= s.get(i - 1)) {
                    throw new IllegalArgumentException("frames are " + s + "; they must ascend from 0");
                }
            }
        }
        this.worlds = List.copyOf(worlds);
        this.intrinsics = intrinsics;
        this.schedules = schedules.stream().map(List::copyOf).toList();
        this.samplesPerAxis = samplesPerAxis;
    }

    @Override
    public GroundTruthClip next(SplittableRandom random) {
        List<Integer> shown = schedules.get(schedules.size() == 1 ? 0 : random.nextInt(schedules.size()));
        int frames = shown.get(shown.size() - 1) + 1;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            World world = worlds.get(random.nextInt(worlds.size())).world(random);
            double unit = world.eyeHeight();
            Pose start = world.spawn(random);
            RenderTarget probe = RenderTarget.depthOnly(intrinsics.width(), intrinsics.height());
            double startTime = random.nextDouble(60);
            world.render(start, intrinsics, startTime, probe);
            double sky = skyShare(probe.depth());
            double median = SceneDepth.centralMedian(probe.depth(), probe.width(), probe.height()) / unit;
            if (!(median >= NEAREST_SCENE) || median > FARTHEST_SCENE || sky > MOST_SKY) {
                continue;
            }
            List<Pose> path = walk(world, start, median, frames, random);
            if (path.size() == frames) {
                return render(world, path, shown, startTime);
            }
        }
        throw new IllegalStateException("no walkable clip of " + frames + " frames found in " + ATTEMPTS + " attempts");
    }

    /** Poses in eye heights; shorter than a clip where the walk hits something. */
    private List<Pose> walk(World world, Pose start, double depth, int frames, SplittableRandom random) {
        double unit = world.eyeHeight();
        double pace = Math.exp(random.nextDouble(Math.log(0.6), Math.log(2.2)));
        CameraOptions base = CameraOptions.DEFAULT;
        KeyboardCamera camera = new KeyboardCamera(new CameraOptions(
                base.speed() * pace,
                base.slowFactor(),
                base.yawRate() * Math.exp(random.nextDouble(Math.log(0.7), Math.log(2.5))),
                base.pitchRate(),
                Math.toRadians(25),
                base.timeConstant(),
                base.idleSpeed(),
                base.stopDistance(),
                base.level()));
        CameraState state = CameraState.at(scaled(start, 1 / unit));
        List<Pose> path = new ArrayList<>();
        path.add(state.pose());
        Keys keys = randomKeys(random);
        int hold = random.nextInt(8, 28);
        while (path.size() < frames) {
            if (hold-- == 0) {
                keys = randomKeys(random);
                hold = random.nextInt(8, 28);
            }
            boolean blocked = !isFree(world, state.pose(), base.stopDistance() * depth, unit);
            if (blocked) {
                keys = keys.without(Key.W);
            }
            Pose before = state.pose();
            state = camera.advance(state, keys, 1.0 / KeyboardCamera.FRAMES_PER_SECOND, depth, blocked);
            if (hits(world, before, state.pose(), unit)) {
                return path;
            }
            path.add(state.pose());
        }
        return path;
    }

    private static Keys randomKeys(SplittableRandom random) {
        Keys k = Keys.NONE;
        double move = random.nextDouble();
        if (move < 0.55) {
            k = k.with(Key.W);
        } else if (move < 0.63) {
            k = k.with(Key.S);
        } else if (move < 0.80) {
            k = k.with(random.nextBoolean() ? Key.A : Key.D);
            if (random.nextInt(3) == 0) {
                k = k.with(Key.W);
            }
        }
        double turn = random.nextDouble();
        if (turn < 0.55) {
            k = k.with(random.nextBoolean() ? Key.LEFT : Key.RIGHT);
        }
        if (random.nextDouble() < 0.10) {
            k = k.with(random.nextBoolean() ? Key.UP : Key.DOWN);
        }
        return k;
    }

    private static boolean isFree(World world, Pose pose, double ahead, double unit) {
        double length = Math.hypot(pose.r02(), pose.r22());
        if (length < 1e-6) {
            return true;
        }
        double dx = pose.r02() / length * ahead;
        double dz = pose.r22() / length * ahead;
        return !hits(world, pose, pose.withTranslation(pose.tx() + dx, pose.ty(), pose.tz() + dz), unit);
    }

    private static boolean hits(World world, Pose from, Pose to, double unit) {
        double dx = (to.tx() - from.tx()) * unit;
        double dz = (to.tz() - from.tz()) * unit;
        Pose start = scaled(from, unit);
        Pose end = world.move(start, dx, 0, dz);
        double missX = start.tx() + dx - end.tx();
        double missZ = start.tz() + dz - end.tz();
        return Math.hypot(missX, missZ) > 0.02 * unit || Math.abs(end.ty() - start.ty()) > 0.55 * unit;
    }

    private GroundTruthClip render(World world, List<Pose> path, List<Integer> shown, double startTime) {
        int frames = shown.size();
        double unit = world.eyeHeight();
        int w = intrinsics.width();
        int h = intrinsics.height();
        RenderTarget target = new RenderTarget(w, h, samplesPerAxis, true);
        byte[] rgb = new byte[frames * h * w * 3];
        float[] depth = new float[frames * h * w];
        byte[] dynamic = new byte[frames * h * w];
        boolean[] moves = movers(world.instances());
        for (int t = 0; t < frames; t++) {
            double time = startTime + (double) shown.get(t) / KeyboardCamera.FRAMES_PER_SECOND;
            world.render(scaled(path.get(shown.get(t)), unit), intrinsics, time, target);
            System.arraycopy(target.rgb(), 0, rgb, t * h * w * 3, h * w * 3);
            for (int i = 0; i < h * w; i++) {
                depth[t * h * w + i] = (float) (target.depth()[i] / unit);
                dynamic[t * h * w + i] = (byte) (moves[target.label()[i]] ? 1 : 0);
            }
        }
        return new GroundTruthClip(
                intrinsics, rgb, depth, dynamic, shown.stream().map(path::get).toList(), world.name());
    }

    private static boolean[] movers(List<InstanceInfo> instances) {
        int most = World.LABEL_STATIC;
        for (InstanceInfo i : instances) {
            most = Math.max(most, i.id());
        }
        boolean[] moves = new boolean[most + 1];
        for (InstanceInfo i : instances) {
            moves[i.id()] = i.dynamic();
        }
        return moves;
    }

    private static Pose scaled(Pose p, double s) {
        return p.withTranslation(p.tx() * s, p.ty() * s, p.tz() * s);
    }

    private static double skyShare(float[] depth) {
        int sky = 0;
        for (float d : depth) {
            if (Float.isInfinite(d)) {
                sky++;
            }
        }
        return (double) sky / depth.length;
    }
}
