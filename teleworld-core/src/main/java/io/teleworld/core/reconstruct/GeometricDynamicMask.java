package io.teleworld.core.reconstruct;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Finds what moves from depth and colour alone, for geometry networks without attention maps.
 *
 * <p>Each pixel is carried into the other key frames. Where its point would lie clearly in front of what such a frame
 * sees and the colours disagree, the point was not there: a vote for motion. Points that would lie behind may simply be
 * hidden and do not vote. The share of votes is averaged over clusters of similar patches and thresholded by the rule of
 * {@link Thresholds#saliency}.
 *
 * <p>Stateless and deterministic.
 */
public final class GeometricDynamicMask {

    private static final double DEPTH_TOLERANCE = 0.05;
    private static final int COLOUR_TOLERANCE = 30;
    private static final int PATCH = 4;
    private static final int CLUSTERS = 64;
    private static final int ROUNDS = 8;
    private static final long SEED = 42;
    /** Below a majority of a cluster nothing counts as moving, whatever the threshold says. */
    private static final float LEAST_SCORE = 0.25f;

    private GeometricDynamicMask() {}

    /**
     * A frame to compare.
     *
     * @param pose camera-to-world
     * @param camera intrinsics
     * @param rgb sRGB bytes, interleaved
     * @param depth planar depth in world units
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large images; never compared
    public record View(Pose pose, Intrinsics camera, byte[] rgb, float[] depth) {

        public View {
            int n = camera.width() * camera.height();
            if (rgb.length != 3 * n || depth.length != n) {
                throw new IllegalArgumentException("view has " + rgb.length + " colour and " + depth.length
                        + " depth values; the camera's size needs " + 3 * n + " and " + n);
            }
        }
    }

    /**
     * The result for one view.
     *
     * @param mask 1 where the scene moves, else 0
     * @param score evidence in [0, 1]
     * @param reliable false if fewer than two other views were given; the mask is then empty
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large images; never compared
    public record Result(byte[] mask, float[] score, boolean reliable) {}

    /**
     * The mask of {@code view}.
     *
     * @param view the frame to label
     * @param others the nearest key frames before and after it
     */
    public static Result of(View view, List<View> others) {
        int n = view.depth().length;
        if (others.size() < 2) {
            return new Result(new byte[n], new float[n], false);
        }
        float[] votes = new float[n];
        float[] seen = new float[n];
        for (View other : others) {
            vote(view, other, votes, seen);
        }
        float[] score = new float[n];
        for (int i = 0; i < n; i++) {
            score[i] = seen[i] > 0 ? votes[i] / seen[i] : 0;
        }
        float[] smooth = overClusters(view, score);
        double threshold = Math.max(LEAST_SCORE, Thresholds.saliency(smooth).highest());
        byte[] mask = new byte[n];
        for (int i = 0; i < n; i++) {
            mask[i] = (byte) (smooth[i] > threshold ? 1 : 0);
        }
        return new Result(mask, smooth, true);
    }

    private static void vote(View a, View b, float[] votes, float[] seen) {
        Intrinsics ka = a.camera();
        Intrinsics kb = b.camera();
        Pose m = b.pose().inverse().compose(a.pose());
        int w = ka.width();
        for (int y = 0; y < ka.height(); y++) {
            for (int x = 0; x < w; x++) {
                int i = y * w + x;
                double d = a.depth()[i];
                if (!DepthMaps.isSurface((float) d)) {
                    continue;
                }
                double px = (x + 0.5 - ka.cx()) / ka.fx() * d;
                double py = (y + 0.5 - ka.cy()) / ka.fy() * d;
                double z = m.r20() * px + m.r21() * py + m.r22() * d + m.tz();
                if (z <= 0) {
                    continue;
                }
                double u = kb.fx() * (m.r00() * px + m.r01() * py + m.r02() * d + m.tx()) / z + kb.cx();
                double v = kb.fy() * (m.r10() * px + m.r11() * py + m.r12() * d + m.ty()) / z + kb.cy();
                if (!(u >= 0 && v >= 0 && u < kb.width() && v < kb.height())) {
                    continue;
                }
                int j = ((int) v) * kb.width() + (int) u;
                double db = b.depth()[j];
                // Sky is infinitely far, so whatever would stand before it counts.
                if (!(db > 0) || z > db * (1 + DEPTH_TOLERANCE)) {
                    continue;
                }
                seen[i]++;
                if (z < db * (1 - DEPTH_TOLERANCE) && colourDistance(a.rgb(), i, b.rgb(), j) > COLOUR_TOLERANCE) {
                    votes[i]++;
                }
            }
        }
    }

    private static int colourDistance(byte[] a, int i, byte[] b, int j) {
        int worst = 0;
        for (int c = 0; c < 3; c++) {
            worst = Math.max(worst, Math.abs((a[3 * i + c] & 0xFF) - (b[3 * j + c] & 0xFF)));
        }
        return worst;
    }

    /** k-means on small patches by colour, place and nearness; every pixel gets half its own and half its cluster's. */
    private static float[] overClusters(View view, float[] score) {
        int w = view.camera().width();
        int h = view.camera().height();
        int pw = (w + PATCH - 1) / PATCH;
        int ph = (h + PATCH - 1) / PATCH;
        int n = pw * ph;
        float median = DepthMaps.median(view.depth());
        int dims = 6;
        float[] feature = new float[dims * n];
        float[] size = new float[n];
        float[] patchScore = new float[n];
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int i = y * w + x;
                int p = y / PATCH * pw + x / PATCH;
                for (int c = 0; c < 3; c++) {
                    feature[dims * p + c] += (view.rgb()[3 * i + c] & 0xFF) / 128f;
                }
                feature[dims * p + 3] += 4f * x / w;
                feature[dims * p + 4] += 4f * y / w;
                float d = view.depth()[i];
                feature[dims * p + 5] += d > 0 ? Math.min(4, median / d) : 0;
                patchScore[p] += score[i];
                size[p]++;
            }
        }
        for (int p = 0; p < n; p++) {
            patchScore[p] /= size[p];
            for (int c = 0; c < dims; c++) {
                feature[dims * p + c] /= size[p];
            }
        }
        int[] cluster = kMeans(feature, dims, Math.min(CLUSTERS, n));
        float[] sum = new float[CLUSTERS];
        float[] count = new float[CLUSTERS];
        for (int p = 0; p < n; p++) {
            sum[cluster[p]] += patchScore[p];
            count[cluster[p]]++;
        }
        float[] out = new float[score.length];
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int c = cluster[y / PATCH * pw + x / PATCH];
                out[y * w + x] = 0.5f * (score[y * w + x] + sum[c] / count[c]);
            }
        }
        return out;
    }

    private static int[] kMeans(float[] feature, int dims, int k) {
        int n = feature.length / dims;
        SplittableRandom random = new SplittableRandom(SEED);
        float[] centre = new float[dims * k];
        for (int c = 0; c < k; c++) {
            System.arraycopy(feature, dims * random.nextInt(n), centre, dims * c, dims);
        }
        int[] cluster = new int[n];
        for (int round = 0; round < ROUNDS; round++) {
            float[] sum = new float[dims * k];
            int[] count = new int[k];
            for (int p = 0; p < n; p++) {
                float best = Float.POSITIVE_INFINITY;
                for (int c = 0; c < k; c++) {
                    float d = 0;
                    for (int a = 0; a < dims; a++) {
                        float e = feature[dims * p + a] - centre[dims * c + a];
                        d += e * e;
                    }
                    if (d < best) {
                        best = d;
                        cluster[p] = c;
                    }
                }
                count[cluster[p]]++;
                for (int a = 0; a < dims; a++) {
                    sum[dims * cluster[p] + a] += feature[dims * p + a];
                }
            }
            for (int c = 0; c < k; c++) {
                for (int a = 0; a < dims && count[c] > 0; a++) {
                    centre[dims * c + a] = sum[dims * c + a] / count[c];
                }
            }
        }
        return cluster;
    }
}
