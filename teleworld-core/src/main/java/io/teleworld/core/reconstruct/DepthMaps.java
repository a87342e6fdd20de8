package io.teleworld.core.reconstruct;

import io.teleworld.geometry.Intrinsics;
import java.util.Arrays;

/**
 * Operations on planar depth images.
 *
 * <p>Depth images are row-major, in world units along the camera's z axis. A value that is not positive is missing;
 * positive infinity is sky. All methods are pure and thread-safe.
 */
public final class DepthMaps {

    private DepthMaps() {}

    /** Whether {@code depth} is a measured surface: positive and finite. */
    public static boolean isSurface(float depth) {
        return depth > 0 && depth < Float.POSITIVE_INFINITY;
    }

    /** The median of the surface depths, or NaN if there are none. */
    public static float median(float[] depth) {
        return percentile(depth, 0.5);
    }

    /**
     * A percentile of the positive, finite values, by nearest rank.
     *
     * @param values any values; those not positive and finite are ignored
     * @param fraction in [0, 1]
     * @return the value, or NaN if none counts
     */
    public static float percentile(float[] values, double fraction) {
        if (!(fraction >= 0 && fraction <= 1)) {
            throw new IllegalArgumentException("percentile fraction is " + fraction + "; it must lie in [0, 1]");
        }
        float[] kept = new float[values.length];
        int n = 0;
        for (float v : values) {
            if (isSurface(v)) {
                kept[n++] = v;
            }
        }
        if (n == 0) {
            return Float.NaN;
        }
        int rank = Math.min(n - 1, (int) (fraction * n));
        return select(kept, n, rank);
    }

    /** Quickselect with a middle pivot; reorders the first {@code n} entries. */
    private static float select(float[] a, int n, int rank) {
        int lo = 0;
        int hi = n - 1;
        while (lo < hi) {
            float pivot = a[(lo + hi) >>> 1];
            int i = lo;
            int j = hi;
            while (i <= j) {
                while (a[i] < pivot) {
                    i++;
                }
                while (a[j] > pivot) {
                    j--;
                }
                if (i <= j) {
                    float t = a[i];
                    a[i++] = a[j];
                    a[j--] = t;
                }
            }
            if (rank <= j) {
                hi = j;
            } else if (rank >= i) {
                lo = i;
            } else {
                return a[rank];
            }
        }
        return a[rank];
    }

    /**
     * Marks pixels next to a depth discontinuity, where depth is a mixture of two surfaces. A pixel is an edge when the
     * largest depth in its 3×3 neighbourhood exceeds {@code ratio} times the smallest and the surface is not a slanted
     * plane there: on a plane inverse depth is linear in the image, so its second differences vanish.
     *
     * @param depth planar depth
     * @param width image width
     * @param height image height
     * @param ratio largest allowed depth ratio, above 1; 1.1 is usual
     * @return one byte per pixel, 1 at an edge; sky beside a surface counts as a discontinuity, missing depth does not
     */
    public static byte[] edges(float[] depth, int width, int height, double ratio) {
        requireSize(depth.length, width, height);
        byte[] edges = new byte[width * height];
        float[] inverse = new float[width * height];
        for (int i = 0; i < inverse.length; i++) {
            float d = depth[i];
            inverse[i] = d > 0 ? 1 / d : -1;
        }
        // A jump by the limiting ratio shows up as a relative second difference of at least half its excess.
        float bend = (float) (0.5 * (1 - 1 / ratio));
        float invRatio = (float) (1 / ratio);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int i = y * width + x;
                float c = inverse[i];
                if (c <= 0) {
                    continue;
                }
                float min = c;
                float max = c;
                for (int yy = Math.max(0, y - 1); yy <= Math.min(height - 1, y + 1); yy++) {
                    for (int xx = Math.max(0, x - 1); xx <= Math.min(width - 1, x + 1); xx++) {
                        float v = inverse[yy * width + xx];
                        if (v >= 0) {
                            min = Math.min(min, v);
                            max = Math.max(max, v);
                        }
                    }
                }
                if (min >= max * invRatio) {
                    continue;
                }
                boolean border = x == 0 || y == 0 || x == width - 1 || y == height - 1;
                float curvature = 0;
                if (x > 0 && x < width - 1) {
                    curvature = Math.max(curvature, bendAt(inverse, i, 1));
                }
                if (y > 0 && y < height - 1) {
                    curvature = Math.max(curvature, bendAt(inverse, i, width));
                }
                if (!border) {
                    curvature = Math.max(curvature, bendAt(inverse, i, width + 1));
                    curvature = Math.max(curvature, bendAt(inverse, i, width - 1));
                }
                if (curvature > bend) {
                    edges[i] = 1;
                }
            }
        }
        return edges;
    }

    private static float bendAt(float[] inverse, int i, int step) {
        float a = inverse[i - step];
        float b = inverse[i + step];
        float c = inverse[i];
        if (a < 0 || b < 0) {
            return 0;
        }
        return Math.abs(a + b - 2 * c) / Math.max(c, Math.max(a, b));
    }

    /**
     * Camera-space unit normals from depth by differences of neighbouring points, turned towards the camera.
     *
     * @return three floats per pixel (x right, y down, z forward); pixels without depth and isolated pixels get the
     *     direction back to the camera
     */
    public static float[] normals(float[] depth, Intrinsics k) {
        int w = k.width();
        int h = k.height();
        requireSize(depth.length, w, h);
        float[] normals = new float[3 * w * h];
        float ifx = (float) (1 / k.fx());
        float ify = (float) (1 / k.fy());
        for (int y = 0; y < h; y++) {
            float ry = (float) ((y + 0.5 - k.cy()) * ify);
            for (int x = 0; x < w; x++) {
                int i = y * w + x;
                float rx = (float) ((x + 0.5 - k.cx()) * ifx);
                float nx = -rx;
                float ny = -ry;
                float nz = -1;
                float d = depth[i];
                if (isSurface(d)) {
                    int l = nearer(depth, d, x > 0 ? i - 1 : -1, x < w - 1 ? i + 1 : -1);
                    int u = nearer(depth, d, y > 0 ? i - w : -1, y < h - 1 ? i + w : -1);
                    if (l >= 0 && u >= 0) {
                        // Tangents to the better neighbour on each axis; signs do not matter for the direction.
                        float sx = l - i;
                        float dl = depth[l];
                        float ax = (rx + sx * ifx) * dl - rx * d;
                        float ay = ry * (dl - d);
                        float az = dl - d;
                        float sy = u < i ? -1 : 1;
                        float du = depth[u];
                        float bx = rx * (du - d);
                        float by = (ry + sy * ify) * du - ry * d;
                        float bz = du - d;
                        nx = ay * bz - az * by;
                        ny = az * bx - ax * bz;
                        nz = ax * by - ay * bx;
                        if (nx * rx + ny * ry + nz > 0) {
                            nx = -nx;
                            ny = -ny;
                            nz = -nz;
                        }
                    }
                }
                float norm = (float) Math.sqrt(nx * nx + ny * ny + nz * nz);
                if (!(norm > 0)) {
                    nx = 0;
                    ny = 0;
                    nz = -1;
                    norm = 1;
                }
                normals[3 * i] = nx / norm;
                normals[3 * i + 1] = ny / norm;
                normals[3 * i + 2] = nz / norm;
            }
        }
        return normals;
    }

    /** Of two neighbour indices the one whose depth is closer to {@code d}; −1 if neither has depth. */
    private static int nearer(float[] depth, float d, int a, int b) {
        boolean hasA = a >= 0 && isSurface(depth[a]);
        boolean hasB = b >= 0 && isSurface(depth[b]);
        if (hasA && hasB) {
            return Math.abs(depth[a] - d) < Math.abs(depth[b] - d) ? a : b;
        }
        return hasA ? a : hasB ? b : -1;
    }

    /**
     * Grows the non-zero area of a mask by a square of half-size {@code radius}.
     *
     * @param mask one byte per pixel
     * @param width image width
     * @param height image height
     * @param radius pixels, at least 0
     * @return a new mask of zeros and ones
     */
    public static byte[] dilate(byte[] mask, int width, int height, int radius) {
        requireSize(mask.length, width, height);
        if (radius < 0) {
            throw new IllegalArgumentException("dilation radius is " + radius + " pixels; it must be at least 0");
        }
        byte[] rows = new byte[mask.length];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                if (mask[y * width + x] != 0) {
                    int from = y * width + Math.max(0, x - radius);
                    int to = y * width + Math.min(width - 1, x + radius) + 1;
                    Arrays.fill(rows, from, to, (byte) 1);
                }
            }
        }
        byte[] out = new byte[mask.length];
        for (int y = 0; y < height; y++) {
            for (int yy = Math.max(0, y - radius); yy <= Math.min(height - 1, y + radius); yy++) {
                for (int x = 0; x < width; x++) {
                    out[y * width + x] |= rows[yy * width + x];
                }
            }
        }
        return out;
    }

    static void requireSize(int length, int width, int height) {
        if (width < 1 || height < 1 || length != width * height) {
            throw new IllegalArgumentException(
                    "image of " + length + " values is not " + width + "×" + height + " pixels");
        }
    }
}
