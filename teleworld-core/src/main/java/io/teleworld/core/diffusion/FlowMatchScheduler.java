package io.teleworld.core.diffusion;

import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * The noise levels of flow matching: x_t = (1−σ)·x0 + σ·n, velocity v = n − x0, timestep t = 1000·σ (for 1000 training
 * timesteps). Immutable and thread-safe.
 *
 * <p>The table is u = 1, 0.999, …, 0.001 under σ = s·u/(1+(s−1)·u) with shift s. A timestep that is not in the table
 * stands for its nearest entry: 0 for the last one, whose σ is not 0, and anything above the table for σ = 1.
 */
public final class FlowMatchScheduler {

    private final int size;
    private final double shift;
    private final float[] sigmas;
    private final float[] timesteps;
    private final double[] weights;

    /**
     * @param trainTimesteps entries of the table, 1000 for every known model
     * @param shift s, positive; 1 leaves the levels evenly spaced
     */
    public FlowMatchScheduler(int trainTimesteps, double shift) {
        if (trainTimesteps < 2 || !(shift > 0)) {
            throw new IllegalArgumentException("training timesteps are " + trainTimesteps + ", shift is " + shift
                    + "; at least 2 and positive are allowed");
        }
        this.size = trainTimesteps;
        this.shift = shift;
        this.sigmas = new float[size];
        this.timesteps = new float[size];
        this.weights = new double[size];
        for (int i = 0; i < size; i++) {
            sigmas[i] = (float) shifted(1 - (double) i / size);
            timesteps[i] = sigmas[i] * size;
        }
        double lowest = Double.POSITIVE_INFINITY;
        for (int i = 0; i < size; i++) {
            double z = (timesteps[i] - size / 2.0) / size;
            weights[i] = Math.exp(-2 * z * z);
            lowest = Math.min(lowest, weights[i]);
        }
        double sum = 0;
        for (int i = 0; i < size; i++) {
            weights[i] -= lowest;
            sum += weights[i];
        }
        for (int i = 0; i < size; i++) {
            weights[i] *= size / sum;
        }
    }

    /** σ(u) = s·u/(1+(s−1)·u). */
    public double shifted(double u) {
        return shift * u / (1 + (shift - 1) * u);
    }

    /** The number of training timesteps. */
    public int size() {
        return size;
    }

    /** Timestep of a table entry, the noisiest first. */
    public double timestep(int index) {
        return timesteps[index];
    }

    /** The table entry nearest to a timestep; of two equally near, the noisier. */
    public int index(double timestep) {
        int best = 0;
        for (int i = 1; i < size; i++) {
            if (Math.abs(timesteps[i] - timestep) < Math.abs(timesteps[best] - timestep)) {
                best = i;
            }
        }
        return best;
    }

    /** σ of the table entry nearest to a timestep. */
    public double sigma(double timestep) {
        return sigmas[index(timestep)];
    }

    /** Weight of a timestep in plain flow-matching training: a bump around the middle, of mean 1 over the table. */
    public double trainingWeight(double timestep) {
        return weights[index(timestep)];
    }

    /** A timestep for training, every table entry being equally likely. */
    public double randomTimestep(RandomGenerator random) {
        return timesteps[random.nextInt(size)];
    }

    /**
     * The timesteps of a step list under this table's shift: entry τ becomes table entry {@code size − τ}, 0 stays 0.
     *
     * @param steps each in [0, size]
     */
    public double[] warp(List<Integer> steps) {
        double[] out = new double[steps.size()];
        for (int i = 0; i < out.length; i++) {
            int tau = steps.get(i);
            if (tau < 0 || tau > size) {
                throw new IllegalArgumentException(
                        "step list is " + steps + "; every step must lie in [0, " + size + "]");
            }
            out[i] = tau == 0 ? 0 : timesteps[size - tau];
        }
        return out;
    }

    /** x_t = (1−σ)·x0 + σ·n at the table's σ of a timestep, in place of {@code out}. */
    public void addNoise(float[] x0, float[] noise, double timestep, float[] out) {
        requireLength(x0, noise, out);
        double s = sigma(timestep);
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) ((1 - s) * x0[i] + s * noise[i]);
        }
    }

    /** x0 = x_t − σ·v, in double arithmetic. */
    public void cleanFromVelocity(float[] xt, float[] velocity, double timestep, float[] out) {
        requireLength(xt, velocity, out);
        double s = sigma(timestep);
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) (xt[i] - s * velocity[i]);
        }
    }

    private static void requireLength(float[] a, float[] b, float[] out) {
        if (a.length != out.length || b.length != out.length) {
            throw new IllegalArgumentException(
                    "lengths are " + a.length + ", " + b.length + " and " + out.length + "; they must be equal");
        }
    }

    @Override
    public String toString() {
        return "flow matching, " + size + " timesteps, shift " + shift + ", first σ "
                + Arrays.toString(Arrays.copyOf(sigmas, 3));
    }
}
