package io.teleworld.core.camera;

import io.teleworld.geometry.Pose;

/**
 * Everything the keyboard camera remembers between steps. Immutable; a planner may advance it speculatively and go back.
 *
 * @param x camera centre, world x
 * @param y camera centre, world y (down)
 * @param z camera centre, world z
 * @param yaw heading about the world's up axis in radians, positive to the right, not wrapped
 * @param pitch tilt in radians, positive upwards
 * @param roll rotation about the view axis that the start pose brought along, in radians; never changes
 * @param right sideways speed, world units per second
 * @param rightAcceleration its derivative
 * @param forward forward speed, world units per second
 * @param forwardAcceleration its derivative
 * @param yawSpeed radians per second
 * @param yawAcceleration its derivative
 * @param pitchSpeed radians per second
 * @param pitchAcceleration its derivative
 */
public record CameraState(
        double x,
        double y,
        double z,
        double yaw,
        double pitch,
        double roll,
        double right,
        double rightAcceleration,
        double forward,
        double forwardAcceleration,
        double yawSpeed,
        double yawAcceleration,
        double pitchSpeed,
        double pitchAcceleration) {

    /** A camera at rest at {@code pose}; world up is −y. */
    public static CameraState at(Pose pose) {
        double yaw = Math.atan2(pose.r02(), pose.r22());
        double pitch = Math.asin(Math.max(-1, Math.min(1, -pose.r12())));
        Pose rest = Pose.yaw(yaw).compose(Pose.pitch(pitch)).inverse().compose(pose);
        double roll = Math.atan2(rest.r10(), rest.r00());
        return new CameraState(pose.tx(), pose.ty(), pose.tz(), yaw, pitch, roll, 0, 0, 0, 0, 0, 0, 0, 0);
    }

    /** Camera-to-world pose. */
    public Pose pose() {
        Pose view = Pose.yaw(yaw).compose(Pose.pitch(pitch));
        if (roll != 0) {
            double c = Math.cos(roll);
            double s = Math.sin(roll);
            view = view.compose(new Pose(c, -s, 0, s, c, 0, 0, 0, 1, 0, 0, 0));
        }
        return view.withTranslation(x, y, z);
    }
}
