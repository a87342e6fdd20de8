package io.teleworld.core.evaluate.worldscore;

import io.teleworld.geometry.Pose;
import java.util.Arrays;
import java.util.List;

/** The parts of WorldScore's metrics that need no network, as its released code computes them. Stateless and thread-safe. */
public final class MetricMath {

    /** Flow is not judged this near to the border, in pixels. */
    static final int MARGIN = 15;

    private static final double EPSILON = 1e-8;

    /** How camera translations are scaled before they are compared; estimated ones have no unit. */
    public enum ScaleRule {
        /** The factor of least error, of any sign: driving backwards may cost nothing. */
        BEST,
        /** The factor of least error that is not negative. */
        BEST_POSITIVE,
        /** The ratio of the mean distances from the origin; 1 where no motion is expected. */
        RATIO
    }

    /**
     * How far estimated camera centres are from expected ones.
     *
     * @param scale what the estimated ones were multiplied with
     * @param error mean distance after that, in the unit of the expected ones
     */
    public record TranslationError(double scale, double error) {}

    private MetricMath() {}

    /**
     * End-point error of going with one flow and back with the other: the mean distance in pixels from where the way
     * began. The 15 pixels next to each border are cut off first; the way back begins at the nearest pixel that is left.
     *
     * @param forward from a first picture to a second, larger than 30×30
     * @param backward from the second to the first, of the same size
     */
    public static double endPointError(FlowField forward, FlowField backward) {
        if (forward.width() != backward.width() || forward.height() != backward.height()) {
            throw new IllegalArgumentException("flows are " + forward.width() + "×" + forward.height() + " and "
                    + backward.width() + "×" + backward.height() + "; both must have the same size");
        }
        int w = forward.width() - 2 * MARGIN;
        int h = forward.height() - 2 * MARGIN;
        if (w < 1 || h < 1) {
            throw new IllegalArgumentException("flow is " + forward.width() + "×" + forward.height()
                    + "; it must be larger than " + 2 * MARGIN + " both ways");
        }
        double sum = 0;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                double u = x + forward.x(x + MARGIN, y + MARGIN);
                double v = y + forward.y(x + MARGIN, y + MARGIN);
                int column = nearest(u, w) + MARGIN;
                int row = nearest(v, h) + MARGIN;
                sum += Math.hypot(u + backward.x(column, row) - x, v + backward.y(column, row) - y);
            }
        }
        return sum / ((double) w * h);
    }

    private static int nearest(double v, int size) {
        return (int) Math.min(Math.max(Math.rint(v), 0), size - 1.0);
    }

    /** The median length of a flow in pixels; of two in the middle, the lower. */
    public static double medianMagnitude(FlowField flow) {
        double[] lengths = new double[flow.width() * flow.height()];
        for (int i = 0; i < lengths.length; i++) {
            lengths[i] = Math.hypot(flow.xy()[2 * i], flow.xy()[2 * i + 1]);
        }
        Arrays.sort(lengths);
        return lengths[(lengths.length - 1) / 2];
    }

    /** The mean angle in degrees between orientations, without any alignment. */
    public static double rotationError(List<Pose> expected, List<Pose> estimated) {
        requireSameLength(expected.size(), estimated.size());
        double sum = 0;
        for (int i = 0; i < expected.size(); i++) {
            sum += Math.toDegrees(expected.get(i).rotationAngleTo(estimated.get(i)));
        }
        return sum / expected.size();
    }

    /** The mean distance of camera centres after the estimated ones were scaled about the origin. */
    public static TranslationError translationError(List<Pose> expected, List<Pose> estimated, ScaleRule rule) {
        requireSameLength(expected.size(), estimated.size());
        double scale = switch (rule) {
            case BEST -> bestScale(expected, estimated);
            case BEST_POSITIVE -> Math.max(0, bestScale(expected, estimated));
            case RATIO -> {
                double to = expected.stream().mapToDouble(MetricMath::length).sum();
                double from = estimated.stream().mapToDouble(MetricMath::length).sum();
                yield to == 0 ? 1 : to / (from + expected.size() * EPSILON);
            }
        };
        double sum = 0;
        for (int i = 0; i < expected.size(); i++) {
            sum += distance(expected.get(i), estimated.get(i), scale);
        }
        return new TranslationError(scale, sum / expected.size());
    }

    /** Where the convex function Σ‖g − c·p‖ of c is least: its slope changes sign there. */
    private static double bestScale(List<Pose> expected, List<Pose> estimated) {
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < expected.size(); i++) {
            double square = dot(estimated.get(i), estimated.get(i));
            if (square > 0) {
                // Each term is least at its own ratio, so the sum is between the extremes.
                double own = dot(expected.get(i), estimated.get(i)) / square;
                low = Math.min(low, own);
                high = Math.max(high, own);
            }
        }
        if (low > high) {
            return 0;
        }
        for (int step = 0; step < 200 && low < high; step++) {
            double middle = low + 0.5 * (high - low);
            double slope = 0;
            for (int i = 0; i < expected.size(); i++) {
                Pose p = estimated.get(i);
                double d = distance(expected.get(i), p, middle);
                slope += d == 0 ? 0 : (middle * dot(p, p) - dot(expected.get(i), p)) / d;
            }
            if (middle == low || middle == high) {
                break;
            }
            if (slope > 0) {
                high = middle;
            } else {
                low = middle;
            }
        }
        return low + 0.5 * (high - low);
    }

    private static double distance(Pose expected, Pose estimated, double scale) {
        double x = expected.tx() - scale * estimated.tx();
        double y = expected.ty() - scale * estimated.ty();
        double z = expected.tz() - scale * estimated.tz();
        return Math.sqrt(x * x + y * y + z * z);
    }

    private static double dot(Pose a, Pose b) {
        return a.tx() * b.tx() + a.ty() * b.ty() + a.tz() * b.tz();
    }

    private static double length(Pose p) {
        return Math.sqrt(dot(p, p));
    }

    /**
     * The Gram matrix F·Fᵀ of feature maps, divided by the number of features.
     *
     * @param features row-major; one row of F per map, in all pictures together
     * @param maps rows of F
     * @return maps × maps, row-major
     */
    public static double[] gramMatrix(float[] features, int maps) {
        if (maps < 1 || features.length == 0 || features.length % maps != 0) {
            throw new IllegalArgumentException(
                    features.length + " features are no " + maps + " maps of equal size; there must be at least one");
        }
        int n = features.length / maps;
        double[] gram = new double[maps * maps];
        for (int i = 0; i < maps; i++) {
            for (int j = 0; j < maps; j++) {
                double sum = 0;
                for (int k = 0; k < n; k++) {
                    sum += (double) features[i * n + k] * features[j * n + k];
                }
                gram[i * maps + j] = sum / features.length;
            }
        }
        return gram;
    }

    /**
     * The squared error that the benchmark's motion smoothness uses: differences and squares of 8-bit values wrap modulo 256.
     * Its bounds were fitted to that; for the true error see {@link io.teleworld.core.evaluate.ImageMetrics}.
     *
     * @param a 8-bit values
     * @param b as many
     * @return the mean, in [0, 255]
     */
    public static double wrappedSquaredError(byte[] a, byte[] b) {
        requireSameLength(a.length, b.length);
        long sum = 0;
        for (int i = 0; i < a.length; i++) {
            int d = a[i] - b[i];
            sum += d * d & 0xff;
        }
        return (double) sum / a.length;
    }

    private static void requireSameLength(int a, int b) {
        if (a != b || a == 0) {
            throw new IllegalArgumentException(
                    "there are " + a + " and " + b + " values; both counts must be equal and above 0");
        }
    }
}
