package io.teleworld.worlds;

import org.jspecify.annotations.Nullable;

/**
 * A flat convex polygon with an affine texture mapping u = (ux, uy, uz)·p + u0, likewise v, in texels.
 *
 * <p>Immutable after construction by convention: worlds build their surfaces once, or anew per frame for what moves.
 */
final class Surface {

    private static final Light[] NO_LIGHTS = {};

    /** Corners x, y, z in world units, in order around the polygon. */
    final double[] corners;

    /** Plane n·p + d = 0, n of unit length. */
    final double nx;

    final double ny;
    final double nz;
    final double d;
    double ux;
    double uy;
    double uz;
    double u0;
    double vx;
    double vy;
    double vz;
    double v0;
    final Texture texture;

    /** Constant linear-light factor per channel. */
    float red = 1;

    float green = 1;
    float blue = 1;
    Light[] lights = NO_LIGHTS;
    int label = World.LABEL_STATIC;
    boolean sky;
    boolean masked;

    /** The centre of the sphere that this facet belongs to, whose normals light it; null for what is flat. */
    double @Nullable [] roundCentre;

    Surface(double[] corners, double nx, double ny, double nz, Texture texture) {
        this.corners = corners;
        this.nx = nx;
        this.ny = ny;
        this.nz = nz;
        this.d = -(nx * corners[0] + ny * corners[1] + nz * corners[2]);
        this.texture = texture;
    }

    Surface u(double x, double y, double z, double constant) {
        ux = x;
        uy = y;
        uz = z;
        u0 = constant;
        return this;
    }

    Surface v(double x, double y, double z, double constant) {
        vx = x;
        vy = y;
        vz = z;
        v0 = constant;
        return this;
    }

    Surface light(float linear) {
        red = linear;
        green = linear;
        blue = linear;
        return this;
    }

    Surface tint(float r, float g, float b) {
        red = r;
        green = g;
        blue = b;
        return this;
    }

    /** Signed distance of a point from the plane, positive on the side that the normal points to. */
    double side(double x, double y, double z) {
        return nx * x + ny * y + nz * z + d;
    }

    /**
     * This surface turned about the y axis and then moved; lights and label are the caller's.
     *
     * @param cos cosine of the turn that takes x to (cos, 0, −sin), as {@link io.teleworld.geometry.Pose#yaw} does
     */
    Surface placed(double cos, double sin, double tx, double ty, double tz) {
        double[] c = new double[corners.length];
        for (int i = 0; i < c.length; i += 3) {
            c[i] = cos * corners[i] + sin * corners[i + 2] + tx;
            c[i + 1] = corners[i + 1] + ty;
            c[i + 2] = -sin * corners[i] + cos * corners[i + 2] + tz;
        }
        Surface s = new Surface(c, cos * nx + sin * nz, ny, -sin * nx + cos * nz, texture);
        double ax = cos * ux + sin * uz;
        double az = -sin * ux + cos * uz;
        s.u(ax, uy, az, u0 - ax * tx - uy * ty - az * tz);
        double bx = cos * vx + sin * vz;
        double bz = -sin * vx + cos * vz;
        s.v(bx, vy, bz, v0 - bx * tx - vy * ty - bz * tz);
        s.tint(red, green, blue);
        double[] r = roundCentre;
        if (r != null) {
            s.roundCentre = new double[] {cos * r[0] + sin * r[2] + tx, r[1] + ty, -sin * r[0] + cos * r[2] + tz};
        }
        return s;
    }
}
