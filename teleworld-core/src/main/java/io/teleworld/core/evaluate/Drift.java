package io.teleworld.core.evaluate;

/** How much a measure of the frames of a video changes from beginning to end. Stateless and thread-safe. */
public final class Drift {

    /** How {@link #videoDriftError} weighs chunk i of N, counted from 1. */
    public enum Weighting {
        /** N − i + 1. */
        LINEAR,
        /** ln(N − i + 1). */
        LOGARITHMIC
    }

    private static final double SHARE = 0.15;

    private Drift() {}

    /**
     * FramePack's Δ: the difference, without sign, between the means of the first and of the last 15 % of the frames.
     *
     * @param measure one value per frame, at least 1
     */
    public static double delta(double[] measure) {
        return Math.abs(change(measure));
    }

    /** Like {@link #delta} with its sign: the last frames' mean minus the first frames'. */
    public static double change(double[] measure) {
        requireLength(measure.length, 1);
        int n = Math.max(1, (int) Math.round(SHARE * measure.length));
        return mean(measure, measure.length - n, measure.length) - mean(measure, 0, n);
    }

    /**
     * Video drift error of BlockVid's LV-Bench: Σ over i ≥ 2 of w_i·|M_i − M_1|/M_1.
     *
     * @param chunks M, one value per chunk, at least 2; the first must not be 0
     */
    public static double videoDriftError(double[] chunks, Weighting weighting) {
        requireLength(chunks.length, 2);
        double first = chunks[0];
        if (first == 0 || !Double.isFinite(first)) {
            throw new IllegalArgumentException(
                    "first chunk's measure is " + first + "; drift relative to it needs another value than 0");
        }
        double sum = 0;
        for (int i = 1; i < chunks.length; i++) {
            int left = chunks.length - i;
            double weight = weighting == Weighting.LINEAR ? left : Math.log(left);
            sum += weight * Math.abs(chunks[i] - first) / Math.abs(first);
        }
        return sum;
    }

    /**
     * Means over consecutive chunks whose lengths differ by one frame at most.
     *
     * @param count chunks, in [1, number of frames]
     */
    public static double[] chunkMeans(double[] measure, int count) {
        if (count < 1 || count > measure.length) {
            throw new IllegalArgumentException(
                    "number of chunks is " + count + "; it must lie in [1, " + measure.length + "]");
        }
        double[] out = new double[count];
        for (int i = 0; i < count; i++) {
            out[i] = mean(measure, (int) ((long) i * measure.length / count), (int)
                    ((long) (i + 1) * measure.length / count));
        }
        return out;
    }

    private static double mean(double[] values, int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += values[i];
        }
        return sum / (to - from);
    }

    private static void requireLength(int length, int least) {
        if (length < least) {
            throw new IllegalArgumentException("measure has " + length + " values; at least " + least + " are needed");
        }
    }
}
