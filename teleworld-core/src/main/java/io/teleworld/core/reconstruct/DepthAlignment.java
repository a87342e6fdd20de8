package io.teleworld.core.reconstruct;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Brings the depth of a network that knows it only up to scale (and shift) into the scale of the memory.
 *
 * <p>The camera's pose is commanded, so the memory can be rendered at it; scale and shift are fitted to the rendered
 * depth by least squares with Huber weights. A fit that covers too little of the image is not trusted: the last accepted
 * one is used again. A fit that leaves a large residual or changes the scale too much is rejected.
 *
 * <p>Not thread-safe; keeps the last accepted fit, owned by one session.
 */
public final class DepthAlignment {

    /** Least share of the image that the memory must cover for a fit. */
    public static final double LEAST_COVERAGE = 0.02;

    /** Largest median residual, relative to depth, of an accepted fit. */
    public static final double LARGEST_RESIDUAL = 0.1;

    /** What the network predicts and how it relates to depth. */
    public enum Model {
        /** depth = a·prediction. */
        SCALE,
        /** depth = a·prediction + b. */
        SCALE_SHIFT,
        /** 1/depth = a·prediction + b, for networks that predict relative inverse depth. */
        INVERSE_SCALE_SHIFT
    }

    /** What became of a fit. */
    public enum Outcome {
        /** There is no memory yet, or no fit before: the prediction sets the scale. */
        FIRST,
        /** Fitted and used. */
        FITTED,
        /** Too little overlap: the last accepted fit is used again. */
        KEPT,
        /** Fitted, but implausible: the geometry should be dropped. */
        REJECTED
    }

    /**
     * A line.
     *
     * @param scale a
     * @param shift b
     */
    public record Line(double scale, double shift) {}

    /**
     * The result of an alignment.
     *
     * @param outcome what became of it
     * @param line the line that was fitted, or kept
     * @param medianResidual median of |aligned − memory| / memory where both exist; NaN without overlap
     * @param pixels how many pixels the fit used
     */
    public record Result(Outcome outcome, Line line, double medianResidual, int pixels) {}

    private final Model model;
    private Line last;
    private boolean anyAccepted;

    /** An alignment without history; until the first fit the prediction is taken as it is. */
    public DepthAlignment(Model model) {
        this.model = model;
        last = new Line(1, 0);
    }

    /** The line in use. */
    public Line line() {
        return last;
    }

    /**
     * Fits the prediction of one frame to the memory.
     *
     * @param prediction the network's output, row-major
     * @param memory depth of the memory rendered at the same pose, same size; values that are not positive and finite
     *     are holes or sky
     * @return what was fitted; unless it was rejected, {@link #apply} uses it from now on
     */
    public Result align(float[] prediction, float[] memory) {
        if (prediction.length != memory.length) {
            throw new IllegalArgumentException("prediction has " + prediction.length + " pixels, memory "
                    + memory.length + "; both must be of one size");
        }
        double[] x = new double[memory.length];
        double[] y = new double[memory.length];
        int n = 0;
        for (int i = 0; i < memory.length; i++) {
            if (DepthMaps.isSurface(memory[i]) && Float.isFinite(prediction[i]) && prediction[i] > 0) {
                x[n] = prediction[i];
                y[n++] = model == Model.INVERSE_SCALE_SHIFT ? 1.0 / memory[i] : memory[i];
            }
        }
        if (n < Math.max(2, LEAST_COVERAGE * memory.length)) {
            return new Result(anyAccepted ? Outcome.KEPT : Outcome.FIRST, last, Double.NaN, n);
        }
        x = Arrays.copyOf(x, n);
        y = Arrays.copyOf(y, n);
        Line fitted = fit(x, y, model != Model.SCALE);
        double residual = medianResidual(fitted, x, y);
        // Without an accepted fit there is no scale to compare with unless predictions claim to be depth.
        boolean comparable = anyAccepted || model != Model.INVERSE_SCALE_SHIFT;
        double change = fitted.scale() / last.scale();
        boolean plausible = residual <= LARGEST_RESIDUAL && (!comparable || change >= 0.5 && change <= 2);
        if (!plausible) {
            return new Result(Outcome.REJECTED, fitted, residual, n);
        }
        last = fitted;
        anyAccepted = true;
        return new Result(Outcome.FITTED, fitted, residual, n);
    }

    private double medianResidual(Line line, double[] x, double[] y) {
        double[] r = new double[x.length];
        for (int i = 0; i < r.length; i++) {
            double value = line.scale() * x[i] + line.shift();
            double depth = model == Model.INVERSE_SCALE_SHIFT ? 1 / value : value;
            double truth = model == Model.INVERSE_SCALE_SHIFT ? 1 / y[i] : y[i];
            r[i] = value > 0 ? Math.abs(depth - truth) / truth : Double.POSITIVE_INFINITY;
        }
        Arrays.sort(r);
        return r[(r.length - 1) / 2];
    }

    /**
     * Depth in the memory's scale.
     *
     * @param prediction the network's output
     * @return planar depth in world units; 0 where the line gives no positive depth, infinity (sky) stays
     */
    public float[] apply(float[] prediction) {
        float[] out = new float[prediction.length];
        for (int i = 0; i < out.length; i++) {
            if (prediction[i] == Float.POSITIVE_INFINITY) {
                out[i] = Float.POSITIVE_INFINITY;
                continue;
            }
            double v = last.scale() * prediction[i] + last.shift();
            out[i] = v > 0 ? (float) (model == Model.INVERSE_SCALE_SHIFT ? 1 / v : v) : 0;
        }
        return out;
    }

    /**
     * The line y ≈ a·x + b by least squares with Huber weights, δ = 0.1 times the median of |y|, at most ten rounds.
     *
     * @param x as many numbers as y, at least two
     * @param y the values to explain
     * @param withShift whether b is fitted or 0
     */
    public static Line fit(double[] x, double[] y, boolean withShift) {
        int n = x.length;
        if (n != y.length || n < 2) {
            throw new IllegalArgumentException(
                    "line through " + n + " and " + y.length + " values; there must be equally many, and at least 2");
        }
        double[] magnitude = new double[n];
        for (int i = 0; i < n; i++) {
            magnitude[i] = Math.abs(y[i]);
        }
        Arrays.sort(magnitude);
        double delta = 0.1 * magnitude[n / 2];
        @Nullable Line line = null;
        for (int round = 0; round < 10; round++) {
            double sw = 0;
            double sx = 0;
            double sy = 0;
            double sxx = 0;
            double sxy = 0;
            for (int i = 0; i < n; i++) {
                double w = 1;
                if (line != null) {
                    double e = Math.abs(line.scale() * x[i] + line.shift() - y[i]);
                    w = e <= delta ? 1 : delta / e;
                }
                sw += w;
                sx += w * x[i];
                sy += w * y[i];
                sxx += w * x[i] * x[i];
                sxy += w * x[i] * y[i];
            }
            double scale = sxy / sxx;
            double shift = 0;
            double spread = sxx * sw - sx * sx;
            // All x alike fix no shift.
            if (withShift && spread > 1e-12 * sxx * sw) {
                scale = (sw * sxy - sx * sy) / spread;
                shift = (sy - scale * sx) / sw;
            }
            boolean settled = line != null
                    && Math.abs(scale - line.scale()) <= 1e-9 * Math.abs(scale)
                    && Math.abs(shift - line.shift()) <= 1e-9 * (Math.abs(shift) + delta);
            line = new Line(scale, shift);
            if (settled) {
                break;
            }
        }
        return Objects.requireNonNull(line);
    }
}
