package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.Arrays;

/**
 * A z-buffer scan converter for flat convex polygons with deferred, filtered shading.
 *
 * <p>Confined to one thread. Visibility is decided per sample on a regular grid of n×n samples per pixel that always
 * contains the pixel centres; 1/z is an exact affine function of the image position, so depth and label are those of
 * the centre ray. Each surface that covers a pixel is then shaded once there, with trilinear mip-mapping and up to
 * eight probes along the longer axis of the pixel's footprint, and weighted with its share of the samples.
 */
final class Rasteriser {

    private static final double NEAR = 1.0;
    /** Polygons overlap by this many samples so that no crack opens where a long edge meets two short ones. */
    private static final double OVERLAP = 1e-3;

    private static final int MAX_PROBES = 8;
    private static final int COEFFICIENTS = 9;

    private final int width;
    private final int height;
    private final int n;
    private final int sampleWidth;
    private final int sampleHeight;
    private final double sampleOffset;
    private final int taps;
    private final float[] tapWeight;

    private final float[] nearness;
    private final int[] owner;
    private final double[] left;
    private final double[] right;

    private Surface[] drawn = new Surface[1024];
    private double[] coefficients = new double[1024 * COEFFICIENTS];
    private int count;

    private double[] cornerA = new double[64 * 3];
    private double[] cornerB = new double[64 * 3];

    private final float[] texel = new float[4];
    private final float[] shaded = new float[3];
    private final int[] pixelOwner;
    private final float[] pixelWeight;
    private final float[] pixelX;
    private final float[] pixelY;

    private double r00, r01, r02, r10, r11, r12, r20, r21, r22;
    private double camX, camY, camZ;
    private double fx, fy, cx, cy;

    Rasteriser(int width, int height, int samplesPerAxis) {
        this.width = width;
        this.height = height;
        this.n = samplesPerAxis;
        boolean even = n % 2 == 0;
        this.sampleWidth = width * n + (even ? 1 : 0);
        this.sampleHeight = height * n + (even ? 1 : 0);
        this.sampleOffset = even ? 0 : 0.5;
        this.taps = even ? n + 1 : n;
        this.tapWeight = new float[taps];
        for (int i = 0; i < taps; i++) {
            tapWeight[i] = (even && (i == 0 || i == n) ? 0.5f : 1f) / n;
        }
        this.nearness = new float[sampleWidth * sampleHeight];
        this.owner = new int[sampleWidth * sampleHeight];
        this.left = new double[sampleHeight];
        this.right = new double[sampleHeight];
        this.pixelOwner = new int[taps * taps];
        this.pixelWeight = new float[taps * taps];
        this.pixelX = new float[taps * taps];
        this.pixelY = new float[taps * taps];
    }

    /** Starts a view. */
    void begin(Pose p, Intrinsics k) {
        if (k.width() != width || k.height() != height) {
            throw new IllegalArgumentException("camera is " + k.width() + "×" + k.height() + " pixels, target is "
                    + width + "×" + height + "; they must be equal");
        }
        r00 = p.r00();
        r01 = p.r01();
        r02 = p.r02();
        r10 = p.r10();
        r11 = p.r11();
        r12 = p.r12();
        r20 = p.r20();
        r21 = p.r21();
        r22 = p.r22();
        camX = p.tx();
        camY = p.ty();
        camZ = p.tz();
        fx = k.fx();
        fy = k.fy();
        cx = k.cx();
        cy = k.cy();
        Arrays.fill(nearness, 0f);
        Arrays.fill(owner, -1);
        Arrays.fill(drawn, 0, count, null);
        count = 0;
    }

    /** Draws one polygon; both sides are visible. */
    void draw(Surface s) {
        double side = s.side(camX, camY, camZ);
        if (Math.abs(side) < 1e-9) {
            return;
        }
        int corners = transformAndClip(s.corners);
        if (corners < 3) {
            return;
        }
        double minX = Double.POSITIVE_INFINITY;
        double maxX = Double.NEGATIVE_INFINITY;
        double minY = Double.POSITIVE_INFINITY;
        double maxY = Double.NEGATIVE_INFINITY;
        double[] c = cornerB;
        for (int i = 0; i < corners; i++) {
            double inv = 1 / c[3 * i + 2];
            double sx = (fx * c[3 * i] * inv + cx) * n - sampleOffset;
            double sy = (fy * c[3 * i + 1] * inv + cy) * n - sampleOffset;
            c[3 * i] = sx;
            c[3 * i + 1] = sy;
            minX = Math.min(minX, sx);
            maxX = Math.max(maxX, sx);
            minY = Math.min(minY, sy);
            maxY = Math.max(maxY, sy);
        }
        if (maxX < -OVERLAP || minX > sampleWidth - 1 + OVERLAP) {
            return;
        }
        int row0 = (int) Math.max(0, Math.ceil(minY - OVERLAP));
        int row1 = (int) Math.min(sampleHeight - 1, Math.floor(maxY + OVERLAP));
        if (row0 > row1) {
            return;
        }
        int id = admit(s, side);
        for (int r = row0; r <= row1; r++) {
            left[r] = Double.POSITIVE_INFINITY;
            right[r] = Double.NEGATIVE_INFINITY;
        }
        for (int i = 0, j = corners - 1; i < corners; j = i++) {
            scanEdge(c[3 * j], c[3 * j + 1], c[3 * i], c[3 * i + 1], row0, row1);
        }
        int q = id * COEFFICIENTS;
        double wx = coefficients[q] / n;
        double wy = coefficients[q + 1] / n;
        double w0 = coefficients[q + 2] + (coefficients[q] + coefficients[q + 1]) * sampleOffset / n;
        for (int r = row0; r <= row1; r++) {
            int from = (int) Math.max(0, Math.ceil(left[r] - OVERLAP));
            int to = (int) Math.min(sampleWidth - 1, Math.floor(right[r] + OVERLAP));
            double w = w0 + wy * r;
            int base = r * sampleWidth;
            if (s.masked) {
                maskedSpan(s, id, base, r, from, to, w, wx);
            } else {
                for (int i = from; i <= to; i++) {
                    float near = (float) (w + wx * i);
                    if (near > nearness[base + i]) {
                        nearness[base + i] = near;
                        owner[base + i] = id;
                    }
                }
            }
        }
    }

    private void maskedSpan(Surface s, int id, int base, int row, int from, int to, double w, double wx) {
        int q = id * COEFFICIENTS;
        double py = (row + sampleOffset) / n;
        for (int i = from; i <= to; i++) {
            double near = w + wx * i;
            if (near > nearness[base + i]) {
                double px = (i + sampleOffset) / n;
                double z = 1 / near;
                double u = (coefficients[q + 3] * px + coefficients[q + 4] * py + coefficients[q + 5]) * z;
                double v = (coefficients[q + 6] * px + coefficients[q + 7] * py + coefficients[q + 8]) * z;
                double ax = (coefficients[q + 3] - u * coefficients[q]) * z;
                double ay = (coefficients[q + 7] - v * coefficients[q + 1]) * z;
                int level = s.texture.nearestLevel(Math.max(Math.abs(ax), Math.abs(ay)) / n);
                if (s.texture.alpha(u, v, level, texel) >= 0.5f) {
                    nearness[base + i] = (float) near;
                    owner[base + i] = id;
                }
            }
        }
    }

    private void scanEdge(double xa, double ya, double xb, double yb, int row0, int row1) {
        double lo = Math.min(ya, yb);
        double hi = Math.max(ya, yb);
        int from = (int) Math.max(row0, Math.ceil(lo - OVERLAP));
        int to = (int) Math.min(row1, Math.floor(hi + OVERLAP));
        double dy = yb - ya;
        boolean flat = Math.abs(dy) < 1e-9;
        double slope = flat ? 0 : (xb - xa) / dy;
        for (int r = from; r <= to; r++) {
            if (flat) {
                left[r] = Math.min(left[r], Math.min(xa, xb));
                right[r] = Math.max(right[r], Math.max(xa, xb));
            } else {
                double y = Math.min(hi, Math.max(lo, r));
                double x = xa + (y - ya) * slope;
                left[r] = Math.min(left[r], x);
                right[r] = Math.max(right[r], x);
            }
        }
    }

    /** Camera-space corners in front of the near plane go to cornerB; returns how many. */
    private int transformAndClip(double[] world) {
        int m = world.length / 3;
        if ((m + 1) * 3 > cornerA.length) {
            cornerA = new double[(m + 1) * 6];
            cornerB = new double[(m + 1) * 6];
        }
        double[] a = cornerA;
        double[] b = cornerB;
        boolean anyFront = false;
        boolean anyBehind = false;
        for (int i = 0; i < m; i++) {
            double x = world[3 * i] - camX;
            double y = world[3 * i + 1] - camY;
            double z = world[3 * i + 2] - camZ;
            a[3 * i] = r00 * x + r10 * y + r20 * z;
            a[3 * i + 1] = r01 * x + r11 * y + r21 * z;
            double depth = r02 * x + r12 * y + r22 * z;
            a[3 * i + 2] = depth;
            if (depth >= NEAR) {
                anyFront = true;
            } else {
                anyBehind = true;
            }
        }
        if (!anyFront) {
            return 0;
        }
        if (!anyBehind) {
            System.arraycopy(a, 0, b, 0, 3 * m);
            return m;
        }
        int out = 0;
        for (int i = 0, j = m - 1; i < m; j = i++) {
            double zi = a[3 * i + 2];
            double zj = a[3 * j + 2];
            if ((zi >= NEAR) != (zj >= NEAR)) {
                double t = (NEAR - zj) / (zi - zj);
                b[3 * out] = a[3 * j] + t * (a[3 * i] - a[3 * j]);
                b[3 * out + 1] = a[3 * j + 1] + t * (a[3 * i + 1] - a[3 * j + 1]);
                b[3 * out + 2] = NEAR;
                out++;
            }
            if (zi >= NEAR) {
                b[3 * out] = a[3 * i];
                b[3 * out + 1] = a[3 * i + 1];
                b[3 * out + 2] = zi;
                out++;
            }
        }
        return out;
    }

    /**
     * Registers a surface and its affine image functions 1/z, u/z and v/z. With camera centre C and ray direction
     * q = R·((px − cx)/fx, (py − cy)/fy, 1): n·(C + z·q) + d = 0 gives 1/z = −n·q / (n·C + d), and
     * u/z = (u·C + u0)/z + u·q.
     */
    private int admit(Surface s, double side) {
        if (count == drawn.length) {
            drawn = Arrays.copyOf(drawn, count * 2);
            coefficients = Arrays.copyOf(coefficients, count * 2 * COEFFICIENTS);
        }
        int q = count * COEFFICIENTS;
        double[] k = coefficients;
        double wx = -(r00 * s.nx + r10 * s.ny + r20 * s.nz) / (side * fx);
        double wy = -(r01 * s.nx + r11 * s.ny + r21 * s.nz) / (side * fy);
        double wc = -(r02 * s.nx + r12 * s.ny + r22 * s.nz) / side - wx * cx - wy * cy;
        k[q] = wx;
        k[q + 1] = wy;
        k[q + 2] = wc;
        double uc = s.ux * camX + s.uy * camY + s.uz * camZ + s.u0;
        double ux = (r00 * s.ux + r10 * s.uy + r20 * s.uz) / fx;
        double uy = (r01 * s.ux + r11 * s.uy + r21 * s.uz) / fy;
        double uz = r02 * s.ux + r12 * s.uy + r22 * s.uz - ux * cx - uy * cy;
        k[q + 3] = uc * wx + ux;
        k[q + 4] = uc * wy + uy;
        k[q + 5] = uc * wc + uz;
        double vc = s.vx * camX + s.vy * camY + s.vz * camZ + s.v0;
        double vx = (r00 * s.vx + r10 * s.vy + r20 * s.vz) / fx;
        double vy = (r01 * s.vx + r11 * s.vy + r21 * s.vz) / fy;
        double vz = r02 * s.vx + r12 * s.vy + r22 * s.vz - vx * cx - vy * cy;
        k[q + 6] = vc * wx + vx;
        k[q + 7] = vc * wy + vy;
        k[q + 8] = vc * wc + vz;
        drawn[count] = s;
        return count++;
    }

    /** Writes depth, labels and, if wanted, colour. */
    void resolve(RenderTarget out) {
        float[] depth = out.depth();
        int[] label = out.label();
        int centre = n / 2;
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int id = owner[(y * n + centre) * sampleWidth + x * n + centre];
                int p = y * width + x;
                if (id < 0 || drawn[id].sky) {
                    depth[p] = Float.POSITIVE_INFINITY;
                    label[p] = World.LABEL_NONE;
                } else {
                    depth[p] = (float) (1 / nearnessOf(id, x + 0.5, y + 0.5));
                    label[p] = drawn[id].label;
                }
            }
        }
        if (out.colour()) {
            resolveColour(out.rgb());
        }
    }

    private double nearnessOf(int id, double px, double py) {
        int q = id * COEFFICIENTS;
        return coefficients[q] * px + coefficients[q + 1] * py + coefficients[q + 2];
    }

    private void resolveColour(byte[] rgb) {
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int base = y * n * sampleWidth + x * n;
                int first = owner[base];
                boolean uniform = true;
                for (int j = 0; j < taps && uniform; j++) {
                    int row = base + j * sampleWidth;
                    for (int i = 0; i < taps; i++) {
                        if (owner[row + i] != first) {
                            uniform = false;
                            break;
                        }
                    }
                }
                float r = 0;
                float g = 0;
                float b = 0;
                if (uniform) {
                    if (first >= 0) {
                        shade(first, x + 0.5, y + 0.5);
                        r = shaded[0];
                        g = shaded[1];
                        b = shaded[2];
                    }
                } else {
                    int found = gather(base);
                    for (int f = 0; f < found; f++) {
                        float weight = pixelWeight[f];
                        if (pixelOwner[f] >= 0) {
                            shade(pixelOwner[f], x + pixelX[f] / weight, y + pixelY[f] / weight);
                            r += weight * shaded[0];
                            g += weight * shaded[1];
                            b += weight * shaded[2];
                        }
                    }
                }
                int p = (y * width + x) * 3;
                rgb[p] = Texture.toSrgb(r);
                rgb[p + 1] = Texture.toSrgb(g);
                rgb[p + 2] = Texture.toSrgb(b);
            }
        }
    }

    /** Lists the surfaces under one pixel with the weight and centroid of their samples. */
    private int gather(int base) {
        int found = 0;
        for (int j = 0; j < taps; j++) {
            for (int i = 0; i < taps; i++) {
                int id = owner[base + j * sampleWidth + i];
                float weight = tapWeight[i] * tapWeight[j];
                int f = 0;
                while (f < found && pixelOwner[f] != id) {
                    f++;
                }
                if (f == found) {
                    pixelOwner[f] = id;
                    pixelWeight[f] = 0;
                    pixelX[f] = 0;
                    pixelY[f] = 0;
                    found++;
                }
                pixelWeight[f] += weight;
                pixelX[f] += weight * (float) ((i + sampleOffset) / n);
                pixelY[f] += weight * (float) ((j + sampleOffset) / n);
            }
        }
        return found;
    }

    private void shade(int id, double px, double py) {
        Surface s = drawn[id];
        if (s.sky) {
            shadeSky(s.texture, px, py);
            return;
        }
        int q = id * COEFFICIENTS;
        double[] k = coefficients;
        double z = 1 / (k[q] * px + k[q + 1] * py + k[q + 2]);
        double u = (k[q + 3] * px + k[q + 4] * py + k[q + 5]) * z;
        double v = (k[q + 6] * px + k[q + 7] * py + k[q + 8]) * z;
        double uxd = (k[q + 3] - u * k[q]) * z;
        double uyd = (k[q + 4] - u * k[q + 1]) * z;
        double vxd = (k[q + 6] - v * k[q]) * z;
        double vyd = (k[q + 7] - v * k[q + 1]) * z;
        texel[0] = 0;
        texel[1] = 0;
        texel[2] = 0;
        texel[3] = 0;
        filter(s.texture, u, v, uxd, vxd, uyd, vyd);
        float r = texel[0];
        float g = texel[1];
        float b = texel[2];
        if (s.masked) {
            float inv = 1 / Math.max(texel[3], 1f / 16);
            r *= inv;
            g *= inv;
            b *= inv;
        }
        float lr = s.red;
        float lg = s.green;
        float lb = s.blue;
        Light[] lights = s.lights;
        if (lights.length > 0) {
            double ax = (px - cx) / fx;
            double ay = (py - cy) / fy;
            double wx = camX + z * (r00 * ax + r01 * ay + r02);
            double wy = camY + z * (r10 * ax + r11 * ay + r12);
            double wz = camZ + z * (r20 * ax + r21 * ay + r22);
            double nx = s.nx;
            double ny = s.ny;
            double nz = s.nz;
            double[] round = s.roundCentre;
            if (round != null) {
                nx = wx - round[0];
                ny = wy - round[1];
                nz = wz - round[2];
                double norm = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12);
                nx *= norm;
                ny *= norm;
                nz *= norm;
            }
            for (Light l : lights) {
                double dx = l.x() - wx;
                double dy = l.y() - wy;
                double dz = l.z() - wz;
                double dot = nx * dx + ny * dy + nz * dz;
                if (dot > 0) {
                    double d2 = dx * dx + dy * dy + dz * dz + 1;
                    float e = (float) (dot / Math.sqrt(d2) / (1 + d2 / (l.radius() * l.radius())));
                    lr += e * l.red();
                    lg += e * l.green();
                    lb += e * l.blue();
                }
            }
        }
        shaded[0] = r * lr;
        shaded[1] = g * lg;
        shaded[2] = b * lb;
    }

    /** Filters over the parallelogram that one pixel covers in the texture, into {@code texel}. */
    private void filter(Texture t, double u, double v, double ux, double vx, double uy, double vy) {
        double lenX = ux * ux + vx * vx;
        double lenY = uy * uy + vy * vy;
        double major = Math.sqrt(Math.max(lenX, lenY));
        if (!(major > 1)) {
            t.add(u, v, 0, 1, texel);
            return;
        }
        // The footprint's area over its longer side is its width across that side.
        double area = Math.abs(ux * vy - uy * vx);
        double minor = Math.max(area / major, 1e-3);
        int probes = (int) Math.min(MAX_PROBES, Math.ceil(Math.min(major, major / minor) - 0.25));
        probes = Math.max(1, probes);
        double rho = Math.max(major / probes, Math.min(minor, major));
        int level = 0;
        float blend = 0;
        if (rho > 1) {
            level = Math.getExponent(rho);
            blend = (float) (rho / (1 << level) - 1);
            if (level >= t.levels - 1) {
                level = t.levels - 1;
                blend = 0;
            }
        }
        double du = lenX >= lenY ? ux : uy;
        double dv = lenX >= lenY ? vx : vy;
        float weight = 1f / probes;
        for (int i = 0; i < probes; i++) {
            double o = (i + 0.5) / probes - 0.5;
            double pu = u + o * du;
            double pv = v + o * dv;
            if (blend > 0.02f) {
                t.add(pu, pv, level, weight * (1 - blend), texel);
                t.add(pu, pv, level + 1, weight * blend, texel);
            } else {
                t.add(pu, pv, level, weight, texel);
            }
        }
    }

    private void shadeSky(Texture t, double px, double py) {
        double ax = (px - cx) / fx;
        double ay = (py - cy) / fy;
        double dx = r00 * ax + r01 * ay + r02;
        double dy = r10 * ax + r11 * ay + r12;
        double dz = r20 * ax + r21 * ay + r22;
        double azimuth = Math.atan2(dx, dz);
        double elevation = Math.atan2(-dy, Math.sqrt(dx * dx + dz * dz));
        // Four copies go round; the horizon lies at row 100 of 128, and a steep look still finds picture.
        double perRadian = 4 * t.width / (2 * Math.PI);
        double rows = t.height / 128.0;
        double u = azimuth * perRadian;
        double v = (100 - 108 * elevation) * rows;
        double step = perRadian / fx;
        texel[0] = 0;
        texel[1] = 0;
        texel[2] = 0;
        texel[3] = 0;
        filter(t, u, v, step, 0, 0, 108 * rows / fy);
        shaded[0] = texel[0];
        shaded[1] = texel[1];
        shaded[2] = texel[2];
    }

    /** Whether sky, or nothing, is seen near an image position. */
    boolean showsSky(double px, double py) {
        int x0 = (int) Math.floor(px * n - sampleOffset);
        int y0 = (int) Math.floor(py * n - sampleOffset);
        for (int j = 0; j < 2; j++) {
            for (int i = 0; i < 2; i++) {
                int x = Math.min(sampleWidth - 1, Math.max(0, x0 + i));
                int y = Math.min(sampleHeight - 1, Math.max(0, y0 + j));
                int id = owner[y * sampleWidth + x];
                if (id < 0 || drawn[id].sky) {
                    return true;
                }
            }
        }
        return false;
    }

    /** Whether a point at image position (px, py) and planar depth z is not hidden by what was drawn. */
    boolean visible(double px, double py, double z, double relativeTolerance) {
        double sx = px * n - sampleOffset;
        double sy = py * n - sampleOffset;
        int x0 = (int) Math.floor(sx);
        int y0 = (int) Math.floor(sy);
        for (int j = 0; j < 2; j++) {
            for (int i = 0; i < 2; i++) {
                int x = Math.min(sampleWidth - 1, Math.max(0, x0 + i));
                int y = Math.min(sampleHeight - 1, Math.max(0, y0 + j));
                int id = owner[y * sampleWidth + x];
                if (id < 0) {
                    return true;
                }
                double near = nearnessOf(id, px, py);
                if (near * z <= 1 + relativeTolerance) {
                    return true;
                }
            }
        }
        return false;
    }
}
