package io.teleworld.worlds;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Builds textured solids in a local frame: y down, standing on y = 0. Stateless. */
final class Shapes {

    private Shapes() {}

    /**
     * A parallelogram o, o+a, o+a+b, o+b whose picture runs along a and b.
     *
     * @param texels texels per unit
     */
    static Surface quad(
            double[] o, double[] a, double[] b, double[] normal, Texture t, double texels, double u0, double v0) {
        double la = length(a);
        double lb = length(b);
        double[] c = new double[12];
        for (int k = 0; k < 3; k++) {
            c[k] = o[k];
            c[3 + k] = o[k] + a[k];
            c[6 + k] = o[k] + a[k] + b[k];
            c[9 + k] = o[k] + b[k];
        }
        Surface s = new Surface(c, normal[0], normal[1], normal[2], t);
        double ux = a[0] / la * texels;
        double uy = a[1] / la * texels;
        double uz = a[2] / la * texels;
        double vx = b[0] / lb * texels;
        double vy = b[1] / lb * texels;
        double vz = b[2] / lb * texels;
        s.u(ux, uy, uz, u0 - ux * o[0] - uy * o[1] - uz * o[2]);
        s.v(vx, vy, vz, v0 - vx * o[0] - vy * o[1] - vz * o[2]);
        return s;
    }

    private static double length(double[] v) {
        return Math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    }

    /** A prism over a convex plan outline (x, z pairs, either direction) from height h0 to h1 with lids. */
    static List<Surface> prism(double[] outline, double h0, double h1, Texture t, double texels) {
        List<Surface> out = new ArrayList<>();
        int n = outline.length / 2;
        double centreX = 0;
        double centreZ = 0;
        for (int i = 0; i < n; i++) {
            centreX += outline[2 * i] / n;
            centreZ += outline[2 * i + 1] / n;
        }
        double run = 0;
        for (int i = 0; i < n; i++) {
            int j = (i + 1) % n;
            double ax = outline[2 * i];
            double az = outline[2 * i + 1];
            double dx = outline[2 * j] - ax;
            double dz = outline[2 * j + 1] - az;
            double l = Math.hypot(dx, dz);
            double nx = dz / l;
            double nz = -dx / l;
            if (nx * (ax - centreX) + nz * (az - centreZ) < 0) {
                nx = -nx;
                nz = -nz;
            }
            out.add(quad(
                    new double[] {ax, -h1, az},
                    new double[] {dx, 0, dz},
                    new double[] {0, h1 - h0, 0},
                    new double[] {nx, 0, nz},
                    t,
                    texels,
                    run,
                    0));
            run += l * texels;
        }
        out.add(lid(outline, h1, true, t, texels));
        out.add(lid(outline, h0, false, t, texels));
        return out;
    }

    /** A horizontal polygon that faces up or down. */
    static Surface lid(double[] outline, double h, boolean up, Texture t, double texels) {
        double[] c = new double[outline.length / 2 * 3];
        for (int i = 0; i < outline.length / 2; i++) {
            c[3 * i] = outline[2 * i];
            c[3 * i + 1] = -h;
            c[3 * i + 2] = outline[2 * i + 1];
        }
        // Centred, so that one picture of a crate fills one face.
        return new Surface(c, 0, up ? -1 : 1, 0, t)
                .u(texels, 0, 0, t.width / 2.0)
                .v(0, 0, texels, t.height / 2.0);
    }

    /** A pyramid over a regular outline. */
    static List<Surface> pyramid(int sides, double radius, double height, Texture t, double texels) {
        List<Surface> out = new ArrayList<>();
        double[] o = regular(sides, radius);
        for (int i = 0; i < sides; i++) {
            int j = (i + 1) % sides;
            double[] c = {o[2 * i], 0, o[2 * i + 1], o[2 * j], 0, o[2 * j + 1], 0, -height, 0};
            double mx = (c[0] + c[3]) / 2;
            double mz = (c[2] + c[5]) / 2;
            double m = Math.hypot(mx, mz);
            double slope = Math.hypot(m, height);
            double nx = mx / m * height / slope;
            double nz = mz / m * height / slope;
            double ny = -m / slope;
            double l = Math.hypot(c[3] - c[0], c[5] - c[2]);
            double ux = (c[3] - c[0]) / l * texels;
            double uz = (c[5] - c[2]) / l * texels;
            out.add(new Surface(c, nx, ny, nz, t)
                    .u(ux, 0, uz, -ux * c[0] - uz * c[2])
                    .v(0, texels * slope / height, 0, 0));
        }
        return out;
    }

    /** The corners of a regular polygon, x and z. */
    static double[] regular(int sides, double radius) {
        double[] o = new double[2 * sides];
        for (int i = 0; i < sides; i++) {
            o[2 * i] = radius * Math.cos(2 * Math.PI * (i + 0.5) / sides);
            o[2 * i + 1] = radius * Math.sin(2 * Math.PI * (i + 0.5) / sides);
        }
        return o;
    }

    /** A box outline. */
    static double[] rectangle(double halfX, double halfZ) {
        return new double[] {-halfX, -halfZ, halfX, -halfZ, halfX, halfZ, -halfX, halfZ};
    }

    /** A ball of 320 facets, lit as if it were round, whose lowest point touches y = 0. */
    static List<Surface> ball(double radius, Texture t, double texels) {
        double g = (1 + Math.sqrt(5)) / 2;
        List<double[]> points = new ArrayList<>();
        for (double[] p : new double[][] {
            {-1, g, 0}, {1, g, 0}, {-1, -g, 0}, {1, -g, 0}, {0, -1, g}, {0, 1, g},
            {0, -1, -g}, {0, 1, -g}, {g, 0, -1}, {g, 0, 1}, {-g, 0, -1}, {-g, 0, 1}
        }) {
            points.add(unit(p));
        }
        List<int[]> faces = new ArrayList<>(List.of(new int[][] {
            {0, 11, 5}, {0, 5, 1}, {0, 1, 7}, {0, 7, 10}, {0, 10, 11}, {1, 5, 9}, {5, 11, 4}, {11, 10, 2}, {10, 7, 6},
            {7, 1, 8}, {3, 9, 4}, {3, 4, 2}, {3, 2, 6}, {3, 6, 8}, {3, 8, 9}, {4, 9, 5}, {2, 4, 11}, {6, 2, 10},
            {8, 6, 7}, {9, 8, 1}
        }));
        for (int level = 0; level < 2; level++) {
            Map<Long, Integer> middle = new HashMap<>();
            List<int[]> finer = new ArrayList<>();
            for (int[] f : faces) {
                int[] m = new int[3];
                for (int k = 0; k < 3; k++) {
                    int a = Math.min(f[k], f[(k + 1) % 3]);
                    int b = Math.max(f[k], f[(k + 1) % 3]);
                    Integer known = middle.get((long) a << 32 | b);
                    if (known == null) {
                        double[] p = points.get(a);
                        double[] q = points.get(b);
                        known = points.size();
                        points.add(unit(new double[] {p[0] + q[0], p[1] + q[1], p[2] + q[2]}));
                        middle.put((long) a << 32 | b, known);
                    }
                    m[k] = known;
                }
                finer.add(new int[] {f[0], m[0], m[2]});
                finer.add(new int[] {f[1], m[1], m[0]});
                finer.add(new int[] {f[2], m[2], m[1]});
                finer.add(m);
            }
            faces = finer;
        }
        List<Surface> out = new ArrayList<>();
        for (int[] f : faces) {
            double[] c = new double[9];
            double[] mean = new double[3];
            for (int k = 0; k < 3; k++) {
                for (int i = 0; i < 3; i++) {
                    c[3 * k + i] = points.get(f[k])[i] * radius - (i == 1 ? radius : 0);
                    mean[i] += points.get(f[k])[i];
                }
            }
            // The plane's normal is the facet's own, which for a triangle on a sphere is the mean of its corners
            // only nearly: take the cross product.
            double ax = c[3] - c[0];
            double ay = c[4] - c[1];
            double az = c[5] - c[2];
            double bx = c[6] - c[0];
            double by = c[7] - c[1];
            double bz = c[8] - c[2];
            double[] n = unit(new double[] {ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx});
            if (n[0] * mean[0] + n[1] * mean[1] + n[2] * mean[2] < 0) {
                n[0] = -n[0];
                n[1] = -n[1];
                n[2] = -n[2];
            }
            Surface s = new Surface(c, n[0], n[1], n[2], t);
            double x = Math.abs(mean[0]);
            double y = Math.abs(mean[1]);
            double z = Math.abs(mean[2]);
            if (x >= y && x >= z) {
                s.u(0, 0, texels, 0).v(0, texels, 0, 0);
            } else if (z >= y) {
                s.u(texels, 0, 0, 0).v(0, texels, 0, 0);
            } else {
                s.u(texels, 0, 0, 0).v(0, 0, texels, 0);
            }
            s.roundCentre = new double[] {0, -radius, 0};
            out.add(s);
        }
        return out;
    }

    private static double[] unit(double[] p) {
        double l = length(p);
        return new double[] {p[0] / l, p[1] / l, p[2] / l};
    }
}
