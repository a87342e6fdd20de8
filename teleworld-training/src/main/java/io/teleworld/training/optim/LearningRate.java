package io.teleworld.training.optim;

/** The learning rate of each step. Implementations are immutable. */
@FunctionalInterface
public interface LearningRate {

    /**
     * The rate of a step.
     *
     * @param step from 0
     */
    double at(long step);

    /** Always the same. */
    static LearningRate constant(double rate) {
        return step -> rate;
    }

    /** Half a cosine from {@code start} at step 0 to {@code end} at step {@code steps} and beyond. */
    static LearningRate cosine(double start, double end, long steps) {
        requireSteps(steps);
        return step -> {
            double t = Math.min(1, (double) step / steps);
            return end + (start - end) * 0.5 * (1 + Math.cos(Math.PI * t));
        };
    }

    /** A line from {@code start} at step 0 to {@code end} at step {@code steps} and beyond. */
    static LearningRate linear(double start, double end, long steps) {
        requireSteps(steps);
        return step -> start + (end - start) * Math.min(1, (double) step / steps);
    }

    /** Constant, then a line to {@code end} over the last {@code decay} of {@code steps} steps. */
    static LearningRate constantThenLinear(double rate, double end, long steps, long decay) {
        requireSteps(steps);
        requireSteps(decay);
        LearningRate tail = linear(rate, end, decay);
        return step -> step < steps - decay ? rate : tail.at(step - (steps - decay));
    }

    /** This rate times a factor that rises in {@code steps} equal steps to 1. */
    default LearningRate withWarmUp(long steps) {
        return step -> at(step) * (step >= steps ? 1 : (step + 1.0) / (steps + 1.0));
    }

    private static void requireSteps(long steps) {
        if (steps < 1) {
            throw new IllegalArgumentException("steps is " + steps + "; at least 1");
        }
    }
}
