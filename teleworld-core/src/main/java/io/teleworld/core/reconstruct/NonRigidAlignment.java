package io.teleworld.core.reconstruct;

/**
 * Takes the memory's depth where it is known and carries the correction on to where it is not, as a smooth factor
 * (non-rigid alignment to a rendered cache, after Gen3C).
 *
 * <p>A keyframe was generated from the memory, so a small disagreement about depth is an error of the estimate. Without
 * the correction it would put a second surface beside the remembered one. Stateless.
 */
public final class NonRigidAlignment {

    /** Largest ratio of the two depths that still counts as the same surface. */
    public static final float SAME_SURFACE_RATIO = 1.5f;

    private NonRigidAlignment() {}

    /**
     * Corrects a depth map.
     *
     * @param depth planar depth, row-major, in the memory's scale; values that are not positive and finite stay as they
     *     are
     * @param memory depth of the memory rendered at the same pose; values that are not positive and finite are holes
     * @param width columns
     * @param height rows
     * @return a new map: the memory's depth where both agree within {@link #SAME_SURFACE_RATIO}, elsewhere the estimate
     *     times a factor interpolated from there
     */
    public static float[] align(float[] depth, float[] memory, int width, int height) {
        int n = width * height;
        if (width < 1 || height < 1 || depth.length != n || memory.length != n) {
            throw new IllegalArgumentException("depth has " + depth.length + " and memory " + memory.length
                    + " pixels; a map of " + width + "×" + height + " has " + n);
        }
        float[] logFactor = new float[n];
        float[] weight = new float[n];
        float limit = (float) Math.log(SAME_SURFACE_RATIO);
        for (int i = 0; i < n; i++) {
            if (DepthMaps.isSurface(depth[i]) && DepthMaps.isSurface(memory[i])) {
                float log = (float) Math.log(memory[i] / depth[i]);
                if (Math.abs(log) <= limit) {
                    logFactor[i] = log;
                    weight[i] = 1;
                }
            }
        }
        fill(logFactor, weight, width, height);
        float[] out = depth.clone();
        for (int i = 0; i < n; i++) {
            if (DepthMaps.isSurface(depth[i])) {
                out[i] = weight[i] > 0 ? memory[i] : depth[i] * (float) Math.exp(logFactor[i]);
            }
        }
        return out;
    }

    /**
     * Fills values of weight 0 from their surroundings: means of ever larger squares, interpolated on the way back
     * (pull-push).
     */
    private static void fill(float[] values, float[] weight, int width, int height) {
        if (width == 1 && height == 1) {
            return;
        }
        int w = (width + 1) / 2;
        int h = (height + 1) / 2;
        float[] coarse = new float[w * h];
        float[] coarseWeight = new float[w * h];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int p = y * width + x;
                int c = y / 2 * w + x / 2;
                coarse[c] += weight[p] * values[p];
                coarseWeight[c] += weight[p];
            }
        }
        for (int c = 0; c < coarse.length; c++) {
            if (coarseWeight[c] > 0) {
                coarse[c] /= coarseWeight[c];
                coarseWeight[c] = Math.min(1, coarseWeight[c]);
            }
        }
        fill(coarse, coarseWeight, w, h);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int p = y * width + x;
                if (weight[p] == 0) {
                    values[p] = interpolate(coarse, w, h, 0.5f * x - 0.25f, 0.5f * y - 0.25f);
                }
            }
        }
    }

    private static float interpolate(float[] values, int width, int height, float x, float y) {
        float cx = Math.max(0, Math.min(width - 1, x));
        float cy = Math.max(0, Math.min(height - 1, y));
        int x0 = (int) cx;
        int y0 = (int) cy;
        int x1 = Math.min(width - 1, x0 + 1);
        int y1 = Math.min(height - 1, y0 + 1);
        float ax = cx - x0;
        float ay = cy - y0;
        float top = values[y0 * width + x0] * (1 - ax) + values[y0 * width + x1] * ax;
        float bottom = values[y1 * width + x0] * (1 - ax) + values[y1 * width + x1] * ax;
        return top * (1 - ay) + bottom * ay;
    }
}
