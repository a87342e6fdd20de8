package io.teleworld.core.evaluate.worldscore;

import java.util.List;

/**
 * WorldScore's metrics and how their values become scores in [0, 1] (paper §4.3 and the released bounds). A metric has one value or
 * several; bounded ones are clamped and made linear between their bounds, the others are measured in standard deviations of
 * what the benchmark's models reached, and their extremes lie at 0.25 and 0.75.
 */
public enum Metric {
    /** Rotation in degrees and translation in units of the speed; geometric mean of both. */
    CAMERA_ERROR(Aspect.CAMERA_CONTROL, "camera_error", lower(15), lower(0.5)),
    /** Share of the objects that were found. */
    OBJECT_DETECTION(Aspect.OBJECT_CONTROL, "object_detection", new Linear(0, 1, true)),
    /** 100 times the cosine between text and picture. */
    CLIP_SCORE(Aspect.CONTENT_ALIGNMENT, "clip_score", new Standard(26.67, 0.8875, -1.595, 1.2741)),
    /** Residual of bundle adjustment, in pixels of an eighth of the resolution. */
    REPROJECTION_ERROR(Aspect.GEOMETRIC_CONSISTENCY, "reprojection_error", lower(1.0719)),
    /** End-point error of flow there and back, in pixels. */
    OPTICAL_FLOW_AEPE(Aspect.PHOTOMETRIC_CONSISTENCY, "optical_flow_aepe", lower(1.192)),
    /** Squared distance of Gram matrices. */
    GRAM_MATRIX(Aspect.STYLE_CONSISTENCY, "gram_matrix", lower(0.007)),
    /** Learned picture quality. */
    CLIP_IQA(Aspect.SUBJECTIVE_QUALITY, "clip_iqa+", new Standard(0.5842, 0.0441, -1.8342, 1.8703)),
    /** Learned aesthetics. */
    CLIP_AESTHETIC(Aspect.SUBJECTIVE_QUALITY, "clip_aesthetic", new Standard(5.5952, 0.2561, -2.9342, 1.9741)),
    /** Largest flow on what should move minus largest flow elsewhere, in pixels. */
    MOTION_ACCURACY(Aspect.MOTION_ACCURACY, "motion_accuracy", new Standard(-0.1965, 2.3687, -1.6147, 1.518)),
    /** Median flow, in pixels. */
    OPTICAL_FLOW(Aspect.MOTION_MAGNITUDE, "optical_flow", new Standard(3.2425, 3.4505, -0.8638, 2.7498)),
    /** Squared error (that wraps, see {@link MetricMath#wrappedSquaredError}), SSIM and LPIPS of interpolated frames; mean of the three. */
    MOTION_SMOOTHNESS(
            Aspect.MOTION_SMOOTHNESS, "motion_smoothness", lower(82.4014), new Linear(0.9224, 1, true), lower(0.0228));

    /** How one value becomes a score in [0, 1]. */
    public sealed interface Scale permits Linear, Standard {

        /** The score of a finite value. */
        double normalise(double value);
    }

    /**
     * Linear between two bounds, constant outside.
     *
     * @param min score 0, or 1 if lower is better
     * @param max the other end
     * @param higherIsBetter which end is good
     */
    public record Linear(double min, double max, boolean higherIsBetter) implements Scale {
        @Override
        public double normalise(double value) {
            double share = (Math.min(Math.max(value, min), max) - min) / (max - min);
            return higherIsBetter ? share : 1 - share;
        }
    }

    /**
     * Standard deviations from a mean; higher is better.
     *
     * @param mean of the benchmark's models
     * @param deviation theirs
     * @param low standard score whose score is 0.25
     * @param high standard score whose score is 0.75
     */
    public record Standard(double mean, double deviation, double low, double high) implements Scale {
        @Override
        public double normalise(double value) {
            double share = ((value - mean) / deviation - low) / (high - low);
            return Math.min(Math.max(0.25 + 0.5 * share, 0), 1);
        }
    }

    private final Aspect aspect;
    private final String key;

    @SuppressWarnings("ImmutableEnumChecker") // records in an unmodifiable list
    private final List<Scale> scales;

    Metric(Aspect aspect, String key, Scale... scales) {
        this.aspect = aspect;
        this.key = key;
        this.scales = List.of(scales);
    }

    private static Scale lower(double max) {
        return new Linear(0, max, false);
    }

    /** The column that it is part of. */
    public Aspect aspect() {
        return aspect;
    }

    /** The name in the benchmark's files. */
    public String key() {
        return key;
    }

    /** One per value. */
    public List<Scale> scales() {
        return scales;
    }

    /**
     * The metric of that name within an aspect of that name.
     *
     * @throws IllegalArgumentException if there is none
     */
    public static Metric ofKeys(String aspect, String key) {
        for (Metric m : values()) {
            if (m.aspect.key().equals(aspect) && m.key.equals(key)) {
                return m;
            }
        }
        throw new IllegalArgumentException("metric is " + aspect + "/" + key + "; WorldScore has none of that name");
    }

    /**
     * The score of an instance.
     *
     * @param values finite, one per {@link #scales() scale}
     * @return in [0, 1], higher is better
     */
    public double normalise(double... values) {
        if (values.length != scales.size()) {
            throw new IllegalArgumentException(
                    key + " has " + values.length + " values; it needs " + scales.size() + " of them");
        }
        double sum = 0;
        double product = 1;
        for (int i = 0; i < values.length; i++) {
            if (!Double.isFinite(values[i])) {
                throw new IllegalArgumentException(key + " is " + values[i] + "; it must be finite");
            }
            double n = scales.get(i).normalise(values[i]);
            sum += n;
            product *= n;
        }
        return this == CAMERA_ERROR ? Math.sqrt(product) : sum / values.length;
    }
}
