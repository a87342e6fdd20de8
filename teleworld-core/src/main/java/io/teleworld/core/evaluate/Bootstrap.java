package io.teleworld.core.evaluate;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Confidence intervals of a mean by the percentile bootstrap. Immutable and thread-safe; the same seed and values give
 * the same interval.
 *
 * @param resamples how many samples are drawn with replacement, at least 100
 * @param confidence share of them inside the interval, in (0, 1)
 * @param seed of the draws
 */
public record Bootstrap(int resamples, double confidence, long seed) {

    /** 10,000 resamples, 95 %, seed 0. */
    public static final Bootstrap DEFAULT = new Bootstrap(10_000, 0.95, 0);

    /**
     * A mean and where it may lie.
     *
     * @param mean of the values
     * @param lower end of the interval
     * @param upper end of the interval
     * @param count number of values
     */
    public record Interval(double mean, double lower, double upper, int count) {

        /** Whether the whole interval lies above a value. */
        public boolean isAbove(double value) {
            return lower > value;
        }
    }

    public Bootstrap {
        if (resamples < 100) {
            throw new IllegalArgumentException("resamples is " + resamples + "; at least 100 are needed");
        }
        if (!(confidence > 0) || !(confidence < 1)) {
            throw new IllegalArgumentException("confidence is " + confidence + "; it must lie in (0, 1)");
        }
    }

    /**
     * The mean of independent values.
     *
     * @param values finite, at least 1
     */
    public Interval mean(double[] values) {
        if (values.length == 0) {
            throw new IllegalArgumentException("there are no values; a mean needs at least 1");
        }
        for (double v : values) {
            if (!Double.isFinite(v)) {
                throw new IllegalArgumentException("value is " + v + "; all must be finite");
            }
        }
        SplittableRandom random = new SplittableRandom(seed);
        double[] means = new double[resamples];
        for (int r = 0; r < resamples; r++) {
            double sum = 0;
            for (int i = 0; i < values.length; i++) {
                sum += values[random.nextInt(values.length)];
            }
            means[r] = sum / values.length;
        }
        Arrays.sort(means);
        double tail = 0.5 * (1 - confidence);
        return new Interval(
                Arrays.stream(values).sum() / values.length,
                percentile(means, tail),
                percentile(means, 1 - tail),
                values.length);
    }

    /**
     * The mean of a − b, pair by pair.
     *
     * @param a one value per case
     * @param b one value per case, in the same order
     */
    public Interval difference(double[] a, double[] b) {
        if (a.length != b.length) {
            throw new IllegalArgumentException(
                    "pairs have " + a.length + " and " + b.length + " values; both must be equal");
        }
        double[] d = new double[a.length];
        for (int i = 0; i < d.length; i++) {
            d[i] = a[i] - b[i];
        }
        return mean(d);
    }

    /**
     * A percentile with linear interpolation between neighbours.
     *
     * @param sorted ascending, at least 1 value
     * @param share in [0, 1]
     */
    public static double percentile(double[] sorted, double share) {
        if (sorted.length == 0 || !(share >= 0) || !(share <= 1)) {
            throw new IllegalArgumentException("percentile " + share + " of " + sorted.length
                    + " values; it must lie in [0, 1], and there must be values");
        }
        double at = share * (sorted.length - 1);
        int below = (int) Math.floor(at);
        int above = Math.min(sorted.length - 1, below + 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
