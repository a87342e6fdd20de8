package io.teleworld.core.camera;

/**
 * How the keyboard moves the camera. Immutable.
 *
 * @param speed κ: forward speed in multiples of the scene depth d* per second, at least 0
 * @param slowFactor factor on backward and sideways speed, at least 0
 * @param yawRate turn rate in radians per second, at least 0
 * @param pitchRate tilt rate in radians per second, at least 0
 * @param pitchLimit largest absolute pitch in radians, in (0, π/2)
 * @param timeConstant time constant of the critically damped smoothing in seconds, positive
 * @param idleSpeed forward drift while no key is held, in d* per second; 0 switches it off
 * @param stopDistance forward motion stops when the way ahead is shorter than this many d*, at least 0
 * @param level whether W and S move along the ground rather than along the view
 */
public record CameraOptions(
        double speed,
        double slowFactor,
        double yawRate,
        double pitchRate,
        double pitchLimit,
        double timeConstant,
        double idleSpeed,
        double stopDistance,
        boolean level) {

    /** κ 0.25, back and strafe 0.75, 18°/s and 12°/s, ±60°, 0.15 s, idle drift 0.02, stop at 0.3, along the view. */
    public static final CameraOptions DEFAULT = new CameraOptions(
            0.25, 0.75, Math.toRadians(18), Math.toRadians(12), Math.toRadians(60), 0.15, 0.02, 0.3, false);

    public CameraOptions {
        atLeastZero("speed", speed);
        atLeastZero("slow factor", slowFactor);
        atLeastZero("yaw rate", yawRate);
        atLeastZero("pitch rate", pitchRate);
        atLeastZero("idle speed", idleSpeed);
        atLeastZero("stop distance", stopDistance);
        if (!(pitchLimit > 0) || !(pitchLimit < Math.PI / 2)) {
            throw new IllegalArgumentException("pitch limit is " + pitchLimit + " rad; it must lie in (0, π/2)");
        }
        if (!(timeConstant > 0) || Double.isInfinite(timeConstant)) {
            throw new IllegalArgumentException("time constant is " + timeConstant + " s; it must be positive");
        }
    }

    /** These options with another idle drift, in d* per second; 0 switches it off. */
    public CameraOptions withIdleSpeed(double dStarPerSecond) {
        return new CameraOptions(
                speed, slowFactor, yawRate, pitchRate, pitchLimit, timeConstant, dStarPerSecond, stopDistance, level);
    }

    /** These options with W and S moving along the ground or along the view. */
    public CameraOptions withLevel(boolean alongGround) {
        return new CameraOptions(
                speed, slowFactor, yawRate, pitchRate, pitchLimit, timeConstant, idleSpeed, stopDistance, alongGround);
    }

    private static void atLeastZero(String name, double value) {
        if (!(value >= 0) || Double.isInfinite(value)) {
            throw new IllegalArgumentException(name + " is " + value + "; it must be finite and at least 0");
        }
    }
}
