package io.teleworld.core.diffusion;

import java.util.Arrays;

/**
 * UniPC of order 2 in its flow form (variant bh2, predicting x0, lower order at the end), for models that are not
 * distilled. With α = 1−σ, λ = ln α − ln σ and m = x − σ·v the prediction of x0, each step corrects the sample with the
 * newest prediction and then predicts the next sample (arXiv 2302.04867).
 *
 * <p>Immutable and thread-safe.
 */
public final class UniPcSolver {

    /** How the noise levels are spaced. */
    public enum Table {
        /** As current Diffusers: u from 1 to 1/1000, the first σ a little below 1. */
        DIFFUSERS,
        /** As the original Wan code: u from 1 − 1/1000 to 0. */
        ORIGINAL
    }

    /** Keeps λ finite at the noisiest level. */
    private static final double LARGEST_SIGMA = 1 - 1e-6;

    private static final int TRAIN_TIMESTEPS = 1000;

    private final double[] sigmas;

    /**
     * @param steps number of model calls, at least 1
     * @param shift positive
     */
    public UniPcSolver(Table table, int steps, double shift) {
        if (steps < 1 || !(shift > 0)) {
            throw new IllegalArgumentException(
                    "steps is " + steps + ", shift " + shift + "; at least 1 and positive are allowed");
        }
        double lowest = 1.0 / TRAIN_TIMESTEPS;
        double from = table == Table.DIFFUSERS ? 1 : 1 - lowest;
        double to = table == Table.DIFFUSERS ? lowest : 0;
        sigmas = new double[steps + 1];
        for (int i = 0; i < steps; i++) {
            double u = from + (to - from) * i / steps;
            double sigma = shift * u / (1 + (shift - 1) * u);
            sigmas[i] = (float) Math.min(sigma, LARGEST_SIGMA);
        }
    }

    /** The noise levels, the noisiest first and 0 last; one more than steps. */
    public double[] sigmas() {
        return sigmas.clone();
    }

    /** The timesteps that the model is called with: ⌊1000·σ⌋. */
    public int[] timesteps() {
        return Arrays.stream(sigmas)
                .limit(sigmas.length - 1L)
                .mapToInt(s -> (int) (s * TRAIN_TIMESTEPS))
                .toArray();
    }

    /**
     * Makes a clean sample.
     *
     * @param noise the start, standard normal; not changed
     * @param model called once per step, with {@link #timesteps()}
     */
    public float[] sample(float[] noise, VelocityFunction model) {
        double[] x = new double[noise.length];
        float[] narrow = noise.clone();
        for (int i = 0; i < x.length; i++) {
            x[i] = noise[i];
        }
        Run run = start();
        int[] t = timesteps();
        for (int k = 0; k < t.length; k++) {
            float[] v = model.velocity(narrow, t[k], k);
            double[] wide = new double[v.length];
            for (int i = 0; i < wide.length; i++) {
                wide[i] = v[i];
            }
            x = run.step(x, wide);
            for (int i = 0; i < x.length; i++) {
                narrow[i] = (float) x[i];
            }
        }
        return narrow;
    }

    /** Begins a trajectory whose steps the caller makes. */
    public Run start() {
        return new Run();
    }

    /** One trajectory. Confined to one thread. */
    public final class Run {

        private int index;
        private int previousOrder;
        private double[] lastSample = {};
        /** Predictions of x0 at the last two levels, the newer one first. */
        private double[] m0 = {};

        private double[] m1 = {};

        private Run() {}

        /**
         * Goes to the next level.
         *
         * @param sample the current sample, as the step before returned it
         * @param velocity the model's answer to it
         * @throws IllegalStateException after the last step
         */
        public double[] step(double[] sample, double[] velocity) {
            int steps = sigmas.length - 1;
            if (index >= steps) {
                throw new IllegalStateException("all " + steps + " steps are done");
            }
            double[] m = new double[sample.length];
            for (int i = 0; i < m.length; i++) {
                m[i] = sample[i] - sigmas[index] * velocity[i];
            }
            double[] x = index == 0 ? sample.clone() : correct(m);
            m1 = m0;
            m0 = m;
            lastSample = x;
            int order = Math.min(2, Math.min(steps - index, index + 1));
            double[] next = predict(x, order);
            previousOrder = order;
            index++;
            return next;
        }

        private double[] predict(double[] x, int order) {
            double s = sigmas[index];
            double t = sigmas[index + 1];
            if (t == 0) {
                return m0.clone();
            }
            double h = lambda(t) - lambda(s);
            double phi = Math.expm1(-h);
            double r = order == 2 ? (lambda(sigmas[index - 1]) - lambda(s)) / h : 1;
            double[] next = new double[x.length];
            for (int i = 0; i < x.length; i++) {
                double d1 = order == 2 ? 0.5 * (m1[i] - m0[i]) / r : 0;
                next[i] = t / s * x[i] - (1 - t) * phi * (m0[i] + d1);
            }
            return next;
        }

        /** The current sample again, now that the prediction at its level is known. */
        private double[] correct(double[] m) {
            double s = sigmas[index - 1];
            double t = sigmas[index];
            double h = lambda(t) - lambda(s);
            double phi = Math.expm1(-h);
            double rho1 = 0;
            double rho2 = 0.5;
            double r = 1;
            if (previousOrder == 2) {
                r = (lambda(sigmas[index - 2]) - lambda(s)) / h;
                double g1 = phi / -h - 1;
                double g2 = g1 / -h - 0.5;
                double b1 = g1 / phi;
                double b2 = 2 * g2 / phi;
                rho1 = (b1 - b2) / (1 - r);
                rho2 = b1 - rho1;
            }
            double[] x = new double[m.length];
            for (int i = 0; i < m.length; i++) {
                double d1 = previousOrder == 2 ? (m1[i] - m0[i]) / r : 0;
                double change = rho1 * d1 + rho2 * (m[i] - m0[i]);
                x[i] = t / s * lastSample[i] - (1 - t) * phi * (m0[i] + change);
            }
            return x;
        }
    }

    private static double lambda(double sigma) {
        return Math.log(1 - sigma) - Math.log(sigma);
    }
}
