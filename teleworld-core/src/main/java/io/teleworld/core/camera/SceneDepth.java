package io.teleworld.core.camera;

import java.util.Arrays;

/**
 * d*, the scene depth that scales the camera's speed: the median depth of the central half of the frame, kept within
 * [0.25, 4] times the session's median and smoothed with a time constant of one second, so that walking up to a wall
 * does not jerk.
 *
 * <p>Not thread-safe; owned by the session loop. The session median comes from a logarithmic histogram of bounded size
 * with bins of 1 %.
 */
public final class SceneDepth {

    private static final double TIME_CONSTANT = 1.0;
    private static final double BIN = Math.log(1.01);
    private static final double LOWEST = Math.log(1e-6);
    private static final int BINS = (int) Math.ceil((Math.log(1e6) - LOWEST) / BIN);

    private final int[] histogram = new int[BINS];
    private int count;
    private double value;

    /**
     * Starts at a known depth.
     *
     * @param initialDepth first value of d* in world units, positive
     */
    public SceneDepth(double initialDepth) {
        requirePositive(initialDepth);
        value = initialDepth;
        record(initialDepth);
    }

    /** The current d*, in world units. */
    public double value() {
        return value;
    }

    /** The median over the session's observations, in world units, to within 1 %. */
    public double sessionMedian() {
        int half = (count + 1) / 2;
        int seen = 0;
        for (int i = 0; i < BINS; i++) {
            seen += histogram[i];
            if (seen >= half) {
                return Math.exp(LOWEST + (i + 0.5) * BIN);
            }
        }
        return value;
    }

    /**
     * Takes the median depth of a new frame into account.
     *
     * @param medianDepth median depth of the frame's central half in world units, positive
     * @param seconds time since the last observation, at least 0
     * @return the new d*
     */
    public double observe(double medianDepth, double seconds) {
        requirePositive(medianDepth);
        if (!(seconds >= 0)) {
            throw new IllegalArgumentException("time step is " + seconds + " s; it must be at least 0");
        }
        record(medianDepth);
        double session = sessionMedian();
        double clamped = Math.max(0.25 * session, Math.min(4 * session, medianDepth));
        value += (clamped - value) * -Math.expm1(-seconds / TIME_CONSTANT);
        return value;
    }

    /**
     * The median depth over the central half of an image (the middle half of its rows and columns' area), skipping
     * pixels without depth.
     *
     * @param depth planar depth, row-major, world units; values that are not positive and finite count as missing
     * @param width image width in pixels
     * @param height image height in pixels
     * @param use when not empty, only pixels with a non-zero entry count (the static ones); length width·height
     * @return the median, or NaN if no pixel counts
     */
    public static double centralMedian(float[] depth, int width, int height, byte... use) {
        // An inner window of 1/√2 of each side covers half of the image.
        int w = Math.max(1, (int) Math.round(width * Math.sqrt(0.5)));
        int h = Math.max(1, (int) Math.round(height * Math.sqrt(0.5)));
        int x0 = (width - w) / 2;
        int y0 = (height - h) / 2;
        float[] found = new float[w * h];
        int n = 0;
        for (int y = y0; y < y0 + h; y++) {
            for (int x = x0; x < x0 + w; x++) {
                float d = depth[y * width + x];
                if (d > 0 && d < Float.POSITIVE_INFINITY && (use.length == 0 || use[y * width + x] != 0)) {
                    found[n++] = d;
                }
            }
        }
        if (n == 0) {
            return Double.NaN;
        }
        Arrays.sort(found, 0, n);
        return 0.5 * (found[(n - 1) / 2] + found[n / 2]);
    }

    private void record(double depth) {
        int bin = (int) ((Math.log(depth) - LOWEST) / BIN);
        histogram[Math.max(0, Math.min(BINS - 1, bin))]++;
        count++;
    }

    private static void requirePositive(double depth) {
        if (!(depth > 0) || Double.isInfinite(depth)) {
            throw new IllegalArgumentException("depth is " + depth + "; it must be positive and finite");
        }
    }
}
