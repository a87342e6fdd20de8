package io.teleworld.worlds;

import io.teleworld.Key;
import io.teleworld.Keys;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Makes camera paths for training and evaluation: random key scripts walked through a world.
 *
 * <p>Confined to one thread (it renders small depth pictures to look where it goes). A path is a function of the world,
 * the camera, the number of frames, the kind and the random generator's state.
 *
 * <p>Speeds follow the depth of the first view: v = 0.25·d* per second times a factor of the clip in [0.5, 2], where d*
 * is the median depth of the central half; back and sideways ×0.75; yaw 18°/s times a factor in [0.5, 2.5]; pitch 12°/s
 * within ±30°. Velocities pass a filter of time constant 0.15 s, and the camera's height follows steps with 0.2 s.
 */
public final class TrajectorySampler {

    /** Frames per second of every path. */
    public static final double FPS = 16;

    private static final double SPEED = 0.25;
    private static final double YAW_RATE = Math.toRadians(18);
    private static final double PITCH_RATE = Math.toRadians(12);
    private static final double PITCH_LIMIT = Math.toRadians(30);
    private static final double SMOOTHING = 0.15;
    private static final double HEIGHT_SMOOTHING = 0.2;
    private static final int PROBE_WIDTH = 22;
    private static final int PROBE_HEIGHT = 12;
    private static final int ATTEMPTS = 60;

    private final RenderTarget probe = RenderTarget.depthOnly(PROBE_WIDTH, PROBE_HEIGHT);
    private final float[] sorted = new float[PROBE_WIDTH * PROBE_HEIGHT];

    /** What a view looks like: median depth of its centre and of all, nearness, depth contrast, share of sky, and which side is more open. */
    private record View(
            double centreMedian, double median, double nearest, double relief, double sky, double left, double right) {}

    /** A sampler. */
    public TrajectorySampler() {
        // Nothing to set up: every path depends on its arguments alone.
    }

    /**
     * Makes a path that can be seen: it does not stare at a wall or into the sky, and nothing stands in its face.
     *
     * @param frames length, at least 1
     * @throws IllegalStateException if the world offers no such path in sixty attempts
     */
    public Trajectory sample(World world, Intrinsics k, int frames, TrajectoryKind kind, SplittableRandom random) {
        if (frames < 1) {
            throw new IllegalArgumentException("path has " + frames + " frames; it must have at least 1");
        }
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            Trajectory t = attempt(world, k, frames, kind, random, attempt > ATTEMPTS / 2);
            if (t != null) {
                return t;
            }
        }
        throw new IllegalStateException(world.name() + " offers no path of " + frames + " frames of kind " + kind
                + " in " + ATTEMPTS + " attempts");
    }

    private @Nullable Trajectory attempt(
            World world, Intrinsics k, int frames, TrajectoryKind kind, SplittableRandom random, boolean lenient) {
        double metre = world.unitsPerMetre();
        double startTime = 60 * random.nextDouble();
        Pose start = world.spawn(random);
        double yaw = Math.atan2(start.r02(), start.r22());
        double pitch = Math.toRadians(8) * (random.nextDouble() - 0.5) * (random.nextInt(3) == 0 ? 3 : 1);
        Pose first = oriented(start, yaw, pitch);
        View view = look(world, first, k, startTime);
        boolean flat = view.relief < 1.5 && !lenient;
        if (view.sky > 0.5 || flat || view.centreMedian < (lenient ? 1.5 : 3) * metre || view.nearest < 0.4 * metre) {
            return null;
        }
        double d = Math.max(1.5 * metre, Math.min(16 * metre, view.centreMedian));
        Walk walk = new Walk(world, k, startTime, first, yaw, pitch, d, random);
        switch (kind) {
            case RANDOM -> walk.wander(frames);
            case OUT_AND_BACK -> {
                walk.wander((frames + 1) / 2);
                walk.reverse(frames);
            }
            case FULL_TURN -> walk.turn(frames);
            case ORBIT -> walk.orbit(frames);
        }
        if (!walk.acceptable(lenient)) {
            return null;
        }
        return new Trajectory(kind, walk.poses, walk.keys, k, startTime, FPS, d);
    }

    private static Pose oriented(Pose at, double yaw, double pitch) {
        return Pose.yaw(yaw).compose(Pose.pitch(pitch)).withTranslation(at.tx(), at.ty(), at.tz());
    }

    private View look(World world, Pose pose, Intrinsics k, double time) {
        world.render(pose, k.resized(PROBE_WIDTH, PROBE_HEIGHT), time, probe);
        float[] z = probe.depth();
        int n = 0;
        int sky = 0;
        double left = 0;
        double right = 0;
        int c = 0;
        float[] centre = new float[PROBE_WIDTH * PROBE_HEIGHT];
        for (int y = 0; y < PROBE_HEIGHT; y++) {
            for (int x = 0; x < PROBE_WIDTH; x++) {
                float v = z[y * PROBE_WIDTH + x];
                if (Float.isInfinite(v)) {
                    sky++;
                    v = 2000;
                }
                sorted[n++] = v;
                if (x >= PROBE_WIDTH / 4
                        && x < PROBE_WIDTH * 3 / 4
                        && y >= PROBE_HEIGHT / 4
                        && y < PROBE_HEIGHT * 3 / 4) {
                    centre[c++] = v;
                }
                if (x < PROBE_WIDTH / 2) {
                    left += Math.min(v, 500);
                } else {
                    right += Math.min(v, 500);
                }
            }
        }
        Arrays.sort(sorted);
        Arrays.sort(centre, 0, c);
        double relief = sorted[n * 9 / 10] / Math.max(1e-3, sorted[n / 10]);
        return new View(centre[c / 2], sorted[n / 2], sorted[n / 50], relief, (double) sky / n, left, right);
    }

    /** One attempt under way. */
    private final class Walk {
        final World world;
        final Intrinsics k;
        final double startTime;
        final double scale;
        final SplittableRandom random;
        final List<Pose> poses = new ArrayList<>();
        final List<Keys> keys = new ArrayList<>();
        final double speed;
        final double yawRate;
        double yaw;
        double pitch;
        double height;
        Pose at;
        double forwardVelocity;
        double sideVelocity;
        double yawVelocity;
        double pitchVelocity;
        int probes;
        int poor;
        int skies;
        boolean blocked;

        Walk(
                World world,
                Intrinsics k,
                double startTime,
                Pose first,
                double yaw,
                double pitch,
                double scale,
                SplittableRandom random) {
            this.world = world;
            this.k = k;
            this.startTime = startTime;
            this.at = first;
            this.yaw = yaw;
            this.pitch = pitch;
            this.height = first.ty();
            this.scale = scale;
            this.random = random;
            this.speed = SPEED * scale * Math.pow(2, 2 * random.nextDouble() - 1);
            this.yawRate = YAW_RATE * (0.5 + 2 * random.nextDouble());
            poses.add(first);
            keys.add(Keys.NONE);
        }

        View probe() {
            View v = look(world, poses.get(poses.size() - 1), k, startTime + (poses.size() - 1) / FPS);
            double metre = world.unitsPerMetre();
            probes++;
            poor += v.median < 1.4 * metre ? 1 : 0;
            skies += v.sky > 0.65 ? 1 : 0;
            blocked |= v.nearest < 0.25 * metre;
            return v;
        }

        void wander(int frames) {
            Keys held = script(null);
            int left = duration(held);
            while (poses.size() < frames) {
                if (poses.size() % 3 == 1) {
                    View v = probe();
                    if (held.forward() > 0 && v.centreMedian < 0.3 * scale + 0.6 * world.unitsPerMetre()) {
                        held = Keys.of(v.left > v.right ? Key.LEFT : Key.RIGHT);
                        left = (int) (FPS * (1 + 2 * random.nextDouble()));
                    }
                }
                if (left-- <= 0) {
                    held = script(held);
                    left = duration(held);
                }
                step(held);
            }
        }

        private int duration(Keys held) {
            double seconds = held.isEmpty() ? 0.3 + 0.7 * random.nextDouble() : 0.5 + 2 * random.nextDouble();
            return (int) (seconds * FPS);
        }

        private Keys script(@Nullable Keys before) {
            Key turn = random.nextBoolean() ? Key.LEFT : Key.RIGHT;
            int r = random.nextInt(100);
            Keys next;
            if (r < 34) {
                next = Keys.of(Key.W);
            } else if (r < 62) {
                next = Keys.of(Key.W, turn);
            } else if (r < 76) {
                next = Keys.of(turn);
            } else if (r < 82) {
                next = Keys.of(turn == Key.LEFT ? Key.A : Key.D);
            } else if (r < 86) {
                next = Keys.of(Key.W, turn == Key.LEFT ? Key.A : Key.D);
            } else if (r < 90) {
                next = Keys.of(turn == Key.LEFT ? Key.D : Key.A, turn);
            } else if (r < 94) {
                next = Keys.of(Key.S);
            } else if (r < 96) {
                next = Keys.of(Key.S, turn);
            } else {
                next = Keys.NONE;
            }
            if (random.nextInt(9) == 0) {
                next = next.with(
                        pitch > 0.1 ? Key.DOWN : pitch < -0.1 ? Key.UP : random.nextBoolean() ? Key.UP : Key.DOWN);
            }
            return next.equals(before) ? script(before) : next;
        }

        private void step(Keys held) {
            double dt = 1 / FPS;
            double mix = 1 - Math.exp(-dt / SMOOTHING);
            double norm = held.forward() != 0 && held.right() != 0 ? Math.sqrt(0.5) : 1;
            double wantForward = held.forward() * norm * speed * (held.forward() < 0 ? 0.75 : 1);
            double wantSide = held.right() * norm * speed * 0.75;
            forwardVelocity += mix * (wantForward - forwardVelocity);
            sideVelocity += mix * (wantSide - sideVelocity);
            yawVelocity += mix * (held.yaw() * yawRate - yawVelocity);
            pitchVelocity += mix * (held.pitch() * PITCH_RATE - pitchVelocity);
            yaw += yawVelocity * dt;
            pitch = Math.max(-PITCH_LIMIT, Math.min(PITCH_LIMIT, pitch + pitchVelocity * dt));
            double c = Math.cos(yaw);
            double s = Math.sin(yaw);
            advance((s * forwardVelocity + c * sideVelocity) * dt, (c * forwardVelocity - s * sideVelocity) * dt);
            poses.add(Pose.yaw(yaw).compose(Pose.pitch(pitch)).withTranslation(at.tx(), height, at.tz()));
            keys.add(held);
        }

        private void advance(double dx, double dz) {
            at = world.move(at, dx, 0, dz);
            height += (1 - Math.exp(-1 / FPS / HEIGHT_SMOOTHING)) * (at.ty() - height);
        }

        /** The poses so far once more, backwards, with the opposite keys. */
        void reverse(int frames) {
            int half = poses.size();
            for (int i = half; i < frames; i++) {
                int twin = frames - 1 - i;
                poses.add(poses.get(twin));
                keys.add(opposite(keys.get(twin + 1 < half ? twin + 1 : half - 1)));
            }
        }

        private Keys opposite(Keys k) {
            Keys o = Keys.NONE;
            Key[][] pairs = {{Key.W, Key.S}, {Key.A, Key.D}, {Key.UP, Key.DOWN}, {Key.LEFT, Key.RIGHT}};
            for (Key[] pair : pairs) {
                o = k.contains(pair[0]) ? o.with(pair[1]) : o;
                o = k.contains(pair[1]) ? o.with(pair[0]) : o;
            }
            return o;
        }

        void turn(int frames) {
            boolean right = random.nextBoolean();
            double start = yaw;
            Pose first = poses.get(0);
            for (int i = 1; i < frames; i++) {
                yaw = start + (right ? 2 : -2) * Math.PI * i / (frames - 1);
                poses.add(i == frames - 1 ? first : oriented(first, yaw, pitch));
                keys.add(Keys.of(right ? Key.RIGHT : Key.LEFT));
                if (i % 4 == 0) {
                    probe();
                }
            }
        }

        void orbit(int frames) {
            double radius = Math.max(0.6 * scale, Math.min(1.2 * scale, 0.9 * scale));
            double cx = at.tx() + radius * Math.sin(yaw);
            double cz = at.tz() + radius * Math.cos(yaw);
            boolean right = random.nextBoolean();
            for (int i = 1; i < frames; i++) {
                double toX = cx - at.tx();
                double toZ = cz - at.tz();
                double distance = Math.hypot(toX, toZ);
                double stride = (right ? 1 : -1) * 0.75 * speed / FPS;
                // Sideways along the tangent, and back to the circle.
                double inward = 0.2 * (distance - radius);
                double dx = toZ / distance * stride + toX / distance * inward;
                double dz = -toX / distance * stride + toZ / distance * inward;
                Pose before = at;
                advance(dx, dz);
                if (Math.hypot(at.tx() - before.tx(), at.tz() - before.tz()) < 0.5 * Math.abs(stride)) {
                    right = !right;
                }
                yaw = Math.atan2(cx - at.tx(), cz - at.tz());
                poses.add(Pose.yaw(yaw).compose(Pose.pitch(pitch)).withTranslation(at.tx(), height, at.tz()));
                keys.add(right ? Keys.of(Key.D, Key.LEFT) : Keys.of(Key.A, Key.RIGHT));
                if (i % 4 == 0) {
                    probe();
                }
            }
        }

        boolean acceptable(boolean lenient) {
            if (probes == 0) {
                return true;
            }
            return !blocked && skies <= 0.25 * probes && poor <= (lenient ? 0.4 : 0.15) * probes;
        }
    }
}
