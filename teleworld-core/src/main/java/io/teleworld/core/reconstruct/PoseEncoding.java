package io.teleworld.core.reconstruct;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;

/**
 * A camera as VGGT's camera head states it: nine numbers, of the transform from the world to the camera the translation
 * and the rotation as a quaternion, and both fields of view. Immutable.
 *
 * @param tx translation, likewise {@code ty} and {@code tz}, in the network's unit
 * @param qx quaternion with its real part last, of any length but 0; likewise {@code qy}, {@code qz} and {@code qw}
 * @param fovHeight vertical field of view in radians, in (0,π); likewise {@code fovWidth}, horizontal
 */
public record PoseEncoding(
        double tx,
        double ty,
        double tz,
        double qx,
        double qy,
        double qz,
        double qw,
        double fovHeight,
        double fovWidth) {

    /** Numbers of an encoding. */
    public static final int WIDTH = 9;

    public PoseEncoding {
        double q = qx * qx + qy * qy + qz * qz + qw * qw;
        if (!(q > 0) || Double.isInfinite(q)) {
            throw new IllegalArgumentException(
                    "quaternion is " + qx + ", " + qy + ", " + qz + ", " + qw + "; it must be finite and not 0");
        }
        if (!(fovHeight > 0 && fovHeight < Math.PI && fovWidth > 0 && fovWidth < Math.PI)) {
            throw new IllegalArgumentException(
                    "fields of view are " + fovHeight + " and " + fovWidth + " rad; they must lie in (0, π)");
        }
    }

    /** Reads the nine numbers in the order of the components. */
    public static PoseEncoding of(double... v) {
        if (v.length != WIDTH) {
            throw new IllegalArgumentException("pose encoding has " + v.length + " numbers; " + WIDTH + " are needed");
        }
        return new PoseEncoding(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]);
    }

    /**
     * The encoding of a camera; its quaternion has length 1 and a real part of at least 0.
     *
     * @param pose camera-to-world
     * @param camera its field of view is taken as that of a centred camera of the same focal lengths
     */
    public static PoseEncoding of(Pose pose, Intrinsics camera) {
        Pose w = pose.inverse();
        // The largest component first: the others are found by dividing by it.
        double[] square = {
            1 + w.r00() - w.r11() - w.r22(),
            1 - w.r00() + w.r11() - w.r22(),
            1 - w.r00() - w.r11() + w.r22(),
            1 + w.r00() + w.r11() + w.r22()
        };
        int top = 0;
        for (int i = 1; i < 4; i++) {
            top = square[i] > square[top] ? i : top;
        }
        double root = Math.sqrt(square[top]);
        double half = 0.5 / root;
        double xy = (w.r01() + w.r10()) * half;
        double xz = (w.r02() + w.r20()) * half;
        double yz = (w.r12() + w.r21()) * half;
        double wx = (w.r21() - w.r12()) * half;
        double wy = (w.r02() - w.r20()) * half;
        double wz = (w.r10() - w.r01()) * half;
        double[] q = switch (top) {
            case 0 -> new double[] {root / 2, xy, xz, wx};
            case 1 -> new double[] {xy, root / 2, yz, wy};
            case 2 -> new double[] {xz, yz, root / 2, wz};
            default -> new double[] {wx, wy, wz, root / 2};
        };
        double sign = q[3] < 0 ? -1 : 1;
        return new PoseEncoding(
                w.tx(),
                w.ty(),
                w.tz(),
                sign * q[0],
                sign * q[1],
                sign * q[2],
                sign * q[3],
                2 * Math.atan(camera.height() / 2.0 / camera.fy()),
                2 * Math.atan(camera.width() / 2.0 / camera.fx()));
    }

    /** The camera-to-world pose. */
    public Pose pose() {
        double s = 2 / (qx * qx + qy * qy + qz * qz + qw * qw);
        return new Pose(
                        1 - s * (qy * qy + qz * qz),
                        s * (qx * qy - qw * qz),
                        s * (qx * qz + qw * qy),
                        s * (qx * qy + qw * qz),
                        1 - s * (qx * qx + qz * qz),
                        s * (qy * qz - qw * qx),
                        s * (qx * qz - qw * qy),
                        s * (qy * qz + qw * qx),
                        1 - s * (qx * qx + qy * qy),
                        tx,
                        ty,
                        tz)
                .inverse();
    }

    /** The camera for a picture of that size, its principal point in the middle. */
    public Intrinsics intrinsics(int width, int height) {
        return new Intrinsics(
                width,
                height,
                width / 2.0 / Math.tan(fovWidth / 2),
                height / 2.0 / Math.tan(fovHeight / 2),
                width / 2.0,
                height / 2.0);
    }
}
