package io.teleworld.core.evaluate.worldscore;

import io.teleworld.geometry.Pose;
import java.util.Locale;

/** How WorldScore moves its camera in one scene. */
public enum CameraLayout {
    /** Forwards by the speed. */
    PUSH_IN,
    /** Backwards by the speed. */
    PULL_OUT,
    /** Sideways by half the speed. */
    MOVE_LEFT,
    /** Sideways by half the speed. */
    MOVE_RIGHT,
    /** 30° about a point that lies as far ahead as the speed. */
    ORBIT_LEFT,
    /** 30° about a point that lies as far ahead as the speed. */
    ORBIT_RIGHT,
    /** 30° on the spot. */
    PAN_LEFT,
    /** 30° on the spot. */
    PAN_RIGHT,
    /** No motion. */
    FIXED;

    private static final double ANGLE = Math.toRadians(30);

    /** The name in the benchmark's files, such as {@code push_in}. */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * The layout of a name in the benchmark's files.
     *
     * @throws IllegalArgumentException if there is none
     */
    public static CameraLayout ofKey(String key) {
        for (CameraLayout l : values()) {
            if (l.key().equals(key)) {
                return l;
            }
        }
        throw new IllegalArgumentException("camera layout is '" + key + "'; push_in, pull_out, move_left, move_right,"
                + " orbit_left, orbit_right, pan_left, pan_right and fixed are known");
    }

    /** Where a camera at the identity ends, as world-to-camera with axes x left, y up, z forward. */
    Pose worldToCamera(double speed) {
        return switch (this) {
            case PUSH_IN -> Pose.translation(0, 0, -speed);
            case PULL_OUT -> Pose.translation(0, 0, speed);
            case MOVE_LEFT -> Pose.translation(-0.5 * speed, 0, 0);
            case MOVE_RIGHT -> Pose.translation(0.5 * speed, 0, 0);
            case ORBIT_LEFT -> orbit(speed, ANGLE);
            case ORBIT_RIGHT -> orbit(speed, -ANGLE);
            case PAN_LEFT -> Pose.yaw(-ANGLE);
            case PAN_RIGHT -> Pose.yaw(ANGLE);
            case FIXED -> Pose.IDENTITY;
        };
    }

    private static Pose orbit(double radius, double angle) {
        return Pose.translation(0, 0, radius).compose(Pose.yaw(angle)).compose(Pose.translation(0, 0, -radius));
    }
}
