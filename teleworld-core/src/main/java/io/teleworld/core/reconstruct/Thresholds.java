package io.teleworld.core.reconstruct;

import java.util.Arrays;
import java.util.List;

/** Automatic thresholds by the method of Otsu. Stateless. */
public final class Thresholds {

    private static final int BINS = 256;

    private Thresholds() {}

    /**
     * A split of values into classes.
     *
     * @param classes number of classes
     * @param score variance of the class means divided by √classes
     * @param thresholds ascending, one less than classes; a value above one belongs to a higher class. Empty if the
     *     values cannot be split so
     */
    public record Split(int classes, double score, List<Double> thresholds) {

        public Split {
            thresholds = List.copyOf(thresholds);
        }

        /** The highest threshold: values above it belong to the top class. NaN if there is none. */
        public double highest() {
            return thresholds.isEmpty() ? Double.NaN : thresholds.get(thresholds.size() - 1);
        }
    }

    /**
     * Splits into {@code classes} classes of least inner variance, over a histogram of 256 bins between the smallest and
     * the largest value.
     *
     * @param values finite values
     * @param classes at least 2
     * @return the split, or NaN for its score and no thresholds if there are fewer distinct bins than classes
     */
    public static Split multiOtsu(float[] values, int classes) {
        if (classes < 2 || classes > 8) {
            throw new IllegalArgumentException("number of classes is " + classes + "; it must lie in [2, 8]");
        }
        double min = Double.POSITIVE_INFINITY;
        double max = Double.NEGATIVE_INFINITY;
        for (float v : values) {
            min = Math.min(min, v);
            max = Math.max(max, v);
        }
        Split none = new Split(classes, Double.NaN, List.of());
        if (!(max > min)) {
            return none;
        }
        double width = (max - min) / BINS;
        double[] count = new double[BINS + 1];
        double[] sum = new double[BINS + 1];
        for (float v : values) {
            int bin = Math.min(BINS - 1, (int) ((v - min) / width));
            count[bin + 1]++;
            sum[bin + 1] += v;
        }
        int distinct = 0;
        for (int i = 1; i <= BINS; i++) {
            distinct += count[i] > 0 ? 1 : 0;
            count[i] += count[i - 1];
            sum[i] += sum[i - 1];
        }
        if (distinct < classes) {
            return none;
        }
        // best[k][i]: largest sum of S²/N over k classes that cover the first i bins; maximal between-class variance.
        double[][] best = new double[classes + 1][BINS + 1];
        int[][] cut = new int[classes + 1][BINS + 1];
        for (double[] row : best) {
            Arrays.fill(row, Double.NEGATIVE_INFINITY);
        }
        best[0][0] = 0;
        for (int k = 1; k <= classes; k++) {
            for (int i = 1; i <= BINS; i++) {
                for (int j = 0; j < i; j++) {
                    double n = count[i] - count[j];
                    if (n > 0 && best[k - 1][j] > Double.NEGATIVE_INFINITY) {
                        double s = sum[i] - sum[j];
                        double value = best[k - 1][j] + s * s / n;
                        if (value > best[k][i]) {
                            best[k][i] = value;
                            cut[k][i] = j;
                        }
                    }
                }
            }
        }
        double[] means = new double[classes];
        double mean = 0;
        int i = BINS;
        Double[] thresholds = new Double[classes - 1];
        for (int k = classes; k >= 1; k--) {
            int j = cut[k][i];
            means[k - 1] = (sum[i] - sum[j]) / (count[i] - count[j]);
            mean += means[k - 1] / classes;
            if (k > 1) {
                thresholds[k - 2] = min + j * width;
            }
            i = j;
        }
        double variance = 0;
        for (double m : means) {
            variance += (m - mean) * (m - mean) / classes;
        }
        return new Split(classes, variance / Math.sqrt(classes), List.of(thresholds));
    }

    /**
     * The best of two to four classes by score (VGGT4D's rule).
     *
     * @return the split, with a threshold of positive infinity if all values are alike
     */
    public static Split saliency(float[] values) {
        Split best = new Split(1, Double.NEGATIVE_INFINITY, List.of(Double.POSITIVE_INFINITY));
        for (int n = 2; n <= 4; n++) {
            Split split = multiOtsu(values, n);
            if (split.score() > best.score()) {
                best = split;
            }
        }
        return best;
    }
}
