package io.teleworld.geometry;

/**
 * A rigid camera pose: the camera-to-world transform (extrinsics) x_world = R·x_camera + t.
 *
 * <p>Immutable. Axes follow OpenCV: camera x right, y down, z forward. The rotation is stored row by row; its columns
 * are the camera's right, down and forward axes in world coordinates. Translations are in world units.
 *
 * @param r00 row 0, column 0 of R
 * @param r01 row 0, column 1 of R
 * @param r02 row 0, column 2 of R
 * @param r10 row 1, column 0 of R
 * @param r11 row 1, column 1 of R
 * @param r12 row 1, column 2 of R
 * @param r20 row 2, column 0 of R
 * @param r21 row 2, column 1 of R
 * @param r22 row 2, column 2 of R
 * @param tx camera centre, world x
 * @param ty camera centre, world y
 * @param tz camera centre, world z
 */
public record Pose(
        double r00,
        double r01,
        double r02,
        double r10,
        double r11,
        double r12,
        double r20,
        double r21,
        double r22,
        double tx,
        double ty,
        double tz) {

    private static final double ORTHONORMAL_TOLERANCE = 1e-5;

    /** The camera at the world origin, looking along +z. */
    public static final Pose IDENTITY = new Pose(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0);

    public Pose {
        double[] all = {r00, r01, r02, r10, r11, r12, r20, r21, r22, tx, ty, tz};
        for (double v : all) {
            if (!Double.isFinite(v)) {
                throw new IllegalArgumentException("pose entry is " + v + "; all twelve must be finite");
            }
        }
        double e00 = r00 * r00 + r10 * r10 + r20 * r20 - 1;
        double e11 = r01 * r01 + r11 * r11 + r21 * r21 - 1;
        double e22 = r02 * r02 + r12 * r12 + r22 * r22 - 1;
        double e01 = r00 * r01 + r10 * r11 + r20 * r21;
        double e02 = r00 * r02 + r10 * r12 + r20 * r22;
        double e12 = r01 * r02 + r11 * r12 + r21 * r22;
        double worst = 0;
        for (double e : new double[] {e00, e11, e22, e01, e02, e12}) {
            worst = Math.max(worst, Math.abs(e));
        }
        if (worst > ORTHONORMAL_TOLERANCE) {
            throw new IllegalArgumentException(
                    "rotation is off orthonormal by " + worst + "; at most " + ORTHONORMAL_TOLERANCE + " is allowed");
        }
        double det = r00 * (r11 * r22 - r12 * r21) - r01 * (r10 * r22 - r12 * r20) + r02 * (r10 * r21 - r11 * r20);
        if (det < 0) {
            throw new IllegalArgumentException("rotation is a reflection (determinant " + det + "); it must be +1");
        }
    }

    /** A pure translation. */
    public static Pose translation(double x, double y, double z) {
        return new Pose(1, 0, 0, 0, 1, 0, 0, 0, 1, x, y, z);
    }

    /** A rotation about the camera's y (down) axis; positive radians turn the view to the right. */
    public static Pose yaw(double radians) {
        double c = Math.cos(radians);
        double s = Math.sin(radians);
        return new Pose(c, 0, s, 0, 1, 0, -s, 0, c, 0, 0, 0);
    }

    /** A rotation about the camera's x (right) axis; positive radians tilt the view upwards. */
    public static Pose pitch(double radians) {
        double c = Math.cos(radians);
        double s = Math.sin(radians);
        return new Pose(1, 0, 0, 0, c, -s, 0, s, c, 0, 0, 0);
    }

    /** This pose followed, in this camera's frame, by {@code local}: the matrix product this·local. */
    public Pose compose(Pose local) {
        Pose b = local;
        return new Pose(
                r00 * b.r00 + r01 * b.r10 + r02 * b.r20,
                r00 * b.r01 + r01 * b.r11 + r02 * b.r21,
                r00 * b.r02 + r01 * b.r12 + r02 * b.r22,
                r10 * b.r00 + r11 * b.r10 + r12 * b.r20,
                r10 * b.r01 + r11 * b.r11 + r12 * b.r21,
                r10 * b.r02 + r11 * b.r12 + r12 * b.r22,
                r20 * b.r00 + r21 * b.r10 + r22 * b.r20,
                r20 * b.r01 + r21 * b.r11 + r22 * b.r21,
                r20 * b.r02 + r21 * b.r12 + r22 * b.r22,
                r00 * b.tx + r01 * b.ty + r02 * b.tz + tx,
                r10 * b.tx + r11 * b.ty + r12 * b.tz + ty,
                r20 * b.tx + r21 * b.ty + r22 * b.tz + tz);
    }

    /** The world-to-camera transform as a pose of its own: x_camera = Rᵀ·x_world − Rᵀ·t. */
    public Pose inverse() {
        return new Pose(
                r00,
                r10,
                r20,
                r01,
                r11,
                r21,
                r02,
                r12,
                r22,
                -(r00 * tx + r10 * ty + r20 * tz),
                -(r01 * tx + r11 * ty + r21 * tz),
                -(r02 * tx + r12 * ty + r22 * tz));
    }

    /** This pose with its camera centre moved to (x, y, z). */
    public Pose withTranslation(double x, double y, double z) {
        return new Pose(r00, r01, r02, r10, r11, r12, r20, r21, r22, x, y, z);
    }

    /** The rotation angle, in radians in [0, π], between this orientation and {@code other}. */
    public double rotationAngleTo(Pose other) {
        Pose d = inverse().compose(other);
        double sin = 0.5 * Math.sqrt(sq(d.r21 - d.r12) + sq(d.r02 - d.r20) + sq(d.r10 - d.r01));
        double cos = 0.5 * (d.r00 + d.r11 + d.r22 - 1);
        return Math.atan2(sin, cos);
    }

    /** The distance between the two camera centres, in world units. */
    public double distanceTo(Pose other) {
        return Math.sqrt(sq(tx - other.tx) + sq(ty - other.ty) + sq(tz - other.tz));
    }

    /** The 4×4 camera-to-world matrix, row-major. */
    public double[] toRowMajor() {
        return new double[] {r00, r01, r02, tx, r10, r11, r12, ty, r20, r21, r22, tz, 0, 0, 0, 1};
    }

    /**
     * Reads a 4×4 (or 3×4) row-major camera-to-world matrix.
     *
     * @throws IllegalArgumentException if the length is neither 12 nor 16, or the matrix is not a rigid transform
     */
    public static Pose ofRowMajor(double... m) {
        if (m.length != 12 && m.length != 16) {
            throw new IllegalArgumentException("matrix has " + m.length + " entries; 12 or 16 are allowed");
        }
        return new Pose(m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10], m[3], m[7], m[11]);
    }

    private static double sq(double v) {
        return v * v;
    }
}
