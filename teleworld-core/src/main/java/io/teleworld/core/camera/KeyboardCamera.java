package io.teleworld.core.camera;

import io.teleworld.Keys;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns held keys into a smooth camera path (paper §3.4.1).
 *
 * <p>The keys set a target velocity and turn rate; a critically damped second-order filter follows it. Speeds,
 * accelerations and angles are integrated in closed form. The position, the integral of the rotated velocity, has no
 * elementary form; it is integrated by Gauss–Legendre quadrature whose error is below rounding, so the path does not
 * depend on how time is cut into steps. Yaw turns about the world's up axis (−y), so no roll builds up.
 *
 * <p>Immutable and thread-safe: all that changes lives in {@link CameraState}.
 */
public final class KeyboardCamera {

    /** Frames per second of the paths that sessions render. */
    public static final int FRAMES_PER_SECOND = 16;

    private static final double PIECE_SECONDS = 0.025;
    private static final double[] NODES = {
        -0.9061798459386640, -0.5384693101056831, 0, 0.5384693101056831, 0.9061798459386640
    };
    private static final double[] WEIGHTS = {
        0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665, 0.2369268850561891
    };

    private final CameraOptions options;

    /** A camera with the given options. */
    public KeyboardCamera(CameraOptions options) {
        this.options = options;
    }

    /** How keys move this camera. */
    public CameraOptions options() {
        return options;
    }

    /**
     * One pose per frame while {@code keys} stay held.
     *
     * @param poses camera-to-world pose at the end of each frame interval
     * @param end the state after the last frame
     */
    public record Path(List<Pose> poses, CameraState end) {

        public Path {
            poses = List.copyOf(poses);
        }
    }

    /**
     * The poses of the next {@code frames} frames.
     *
     * @param start the state before the first of them
     * @param keys keys held all the while
     * @param frames how many frames, at least 1
     * @param framesPerSecond frame rate, positive
     * @param depth d*, the smoothed scene depth in world units, positive
     * @param range asked once per frame how far the way ahead is free
     */
    public Path path(
            CameraState start, Keys keys, int frames, double framesPerSecond, double depth, ForwardRange range) {
        if (frames < 1 || !(framesPerSecond > 0)) {
            throw new IllegalArgumentException(
                    "path of " + frames + " frames at " + framesPerSecond + " per second; both must be positive");
        }
        List<Pose> poses = new ArrayList<>(frames);
        CameraState state = start;
        for (int i = 0; i < frames; i++) {
            boolean blocked = range.distance(state.pose()) < options.stopDistance() * depth;
            state = advance(state, keys, 1 / framesPerSecond, depth, blocked);
            poses.add(state.pose());
        }
        return new Path(poses, state);
    }

    /**
     * The state after {@code keys} were held for {@code seconds}.
     *
     * @param state the state before
     * @param keys keys held all the while; opposite keys cancel
     * @param seconds duration, at least 0
     * @param depth d*, the smoothed scene depth in world units, positive
     * @param blocked whether forward motion is to stop
     */
    public CameraState advance(CameraState state, Keys keys, double seconds, double depth, boolean blocked) {
        if (!(seconds >= 0) || Double.isInfinite(seconds)) {
            throw new IllegalArgumentException("duration is " + seconds + " s; it must be finite and at least 0");
        }
        if (!(depth > 0) || Double.isInfinite(depth)) {
            throw new IllegalArgumentException("scene depth is " + depth + "; it must be positive and finite");
        }
        double unit = options.speed() * depth;
        double forward = keys.forward() > 0 ? unit : keys.forward() * unit * options.slowFactor();
        double right = keys.right() * unit * options.slowFactor();
        if (forward != 0 && right != 0) {
            forward *= Math.sqrt(0.5);
            right *= Math.sqrt(0.5);
        }
        if (keys.jointState() == Keys.NONE.jointState()) {
            forward = options.idleSpeed() * depth;
        }
        if (blocked && forward > 0) {
            forward = 0;
        }
        double yaw = keys.yaw() * options.yawRate();
        double pitch = keys.pitch() * options.pitchRate();
        int pieces = (int) Math.ceil(seconds / PIECE_SECONDS);
        double piece = seconds / Math.max(1, pieces);
        CameraState s = state;
        for (int i = 0; i < pieces; i++) {
            s = piece(s, piece, right, forward, yaw, pitch);
        }
        return s;
    }

    /** One piece, cut in two where the pitch meets its limit. */
    private CameraState piece(CameraState s, double dt, double right, double forward, double yaw, double pitch) {
        double limit = options.pitchLimit();
        boolean pinned = Math.abs(s.pitch()) >= limit && s.pitchSpeed() == 0 && s.pitch() * pitch >= 0;
        if (pinned) {
            return move(s, dt, right, forward, yaw, 0, true);
        }
        CameraState end = move(s, dt, right, forward, yaw, pitch, false);
        boolean outwards = Math.abs(end.pitch()) > limit && Math.abs(end.pitch()) > Math.abs(s.pitch());
        if (!outwards) {
            return end;
        }
        double lo = 0;
        double hi = dt;
        Filter filter = new Filter(s.pitchSpeed(), s.pitchAcceleration(), pitch, options.timeConstant());
        for (int i = 0; i < 60; i++) {
            double mid = 0.5 * (lo + hi);
            if (Math.abs(s.pitch() + filter.integral(mid)) > limit) {
                hi = mid;
            } else {
                lo = mid;
            }
        }
        CameraState m = move(s, lo, right, forward, yaw, pitch, false);
        CameraState stopped = new CameraState(
                m.x(),
                m.y(),
                m.z(),
                m.yaw(),
                Math.copySign(Math.max(limit, Math.abs(s.pitch())), m.pitch()),
                m.roll(),
                m.right(),
                m.rightAcceleration(),
                m.forward(),
                m.forwardAcceleration(),
                m.yawSpeed(),
                m.yawAcceleration(),
                0,
                0);
        // An input that points back inwards restarts from rest at the limit; one that points outwards stays there.
        boolean stays = stopped.pitch() * pitch >= 0;
        return move(stopped, dt - lo, right, forward, yaw, stays ? 0 : pitch, stays);
    }

    private CameraState move(
            CameraState s, double dt, double right, double forward, double yaw, double pitch, boolean fixedPitch) {
        double tau = options.timeConstant();
        Filter r = new Filter(s.right(), s.rightAcceleration(), right, tau);
        Filter f = new Filter(s.forward(), s.forwardAcceleration(), forward, tau);
        Filter w = new Filter(s.yawSpeed(), s.yawAcceleration(), yaw, tau);
        Filter p =
                fixedPitch ? new Filter(0, 0, 0, tau) : new Filter(s.pitchSpeed(), s.pitchAcceleration(), pitch, tau);
        double x = s.x();
        double y = s.y();
        double z = s.z();
        for (int i = 0; i < NODES.length; i++) {
            double t = 0.5 * dt * (1 + NODES[i]);
            double weight = 0.5 * dt * WEIGHTS[i];
            double heading = s.yaw() + w.integral(t);
            double tilt = options.level() ? 0 : s.pitch() + p.integral(t);
            double vr = weight * r.value(t);
            double vf = weight * f.value(t);
            double c = Math.cos(heading);
            double sn = Math.sin(heading);
            double ct = Math.cos(tilt);
            x += vr * c + vf * sn * ct;
            y -= vf * Math.sin(tilt);
            z += -vr * sn + vf * c * ct;
        }
        return new CameraState(
                x,
                y,
                z,
                s.yaw() + w.integral(dt),
                s.pitch() + p.integral(dt),
                s.roll(),
                r.value(dt),
                r.slope(dt),
                f.value(dt),
                f.slope(dt),
                w.value(dt),
                w.slope(dt),
                p.value(dt),
                p.slope(dt));
    }

    /** x″ = (u − x)/τ² − 2x′/τ, solved: x(t) = u + (a + b·t)·exp(−t/τ). */
    private static final class Filter {

        private final double a;
        private final double b;
        private final double target;
        private final double tau;

        Filter(double value, double slope, double target, double tau) {
            this.a = value - target;
            this.b = slope + a / tau;
            this.target = target;
            this.tau = tau;
        }

        double value(double t) {
            return target + (a + b * t) * Math.exp(-t / tau);
        }

        double slope(double t) {
            return (b - (a + b * t) / tau) * Math.exp(-t / tau);
        }

        /** ∫ value over [0, t]. */
        double integral(double t) {
            return target * t - tau * (a + b * tau) * Math.expm1(-t / tau) - b * tau * t * Math.exp(-t / tau);
        }
    }
}
