package io.teleworld.core.diffusion;

/**
 * The losses of distribution matching distillation (DMD2, arXiv 2405.14867, as Self-Forcing applies it): a generator
 * follows the difference between what a teacher and a critic make of its own noised samples; the critic learns the
 * generator's distribution by plain flow matching. Immutable and thread-safe.
 *
 * <p>Samples are flat arrays of one batch, sample after sample, of equal length each.
 */
public final class DistributionMatching {

    /** A loss and its gradient with respect to what the caller named. */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large arrays; never compared
    public record Loss(double value, double[] gradient) {}

    private final FlowMatchScheduler scheduler;
    private final double guidance;
    private final double minTimestep;
    private final double maxTimestep;

    /**
     * @param scheduler the noise levels
     * @param guidance factor g of real = cond + g·(cond − uncond): 3 in Self-Forcing, which others call 4
     * @param minTimestep lower limit of the timesteps that are drawn, 20
     * @param maxTimestep upper limit, 980
     */
    public DistributionMatching(FlowMatchScheduler scheduler, double guidance, double minTimestep, double maxTimestep) {
        if (!(minTimestep >= 0 && minTimestep <= maxTimestep && maxTimestep <= scheduler.size())) {
            throw new IllegalArgumentException("timesteps are limited to " + minTimestep + " … " + maxTimestep
                    + "; the limits must ascend within [0, " + scheduler.size() + "]");
        }
        this.scheduler = scheduler;
        this.guidance = guidance;
        this.minTimestep = minTimestep;
        this.maxTimestep = maxTimestep;
    }

    /** The timestep of a draw τ in [0, table size): shifted, then limited. */
    public double timestep(double tau) {
        double t = scheduler.size() * scheduler.shifted(tau / scheduler.size());
        return (float) Math.max(minTimestep, Math.min(maxTimestep, t));
    }

    /** Noised samples: one timestep per sample. */
    public float[] noised(float[] x, float[] noise, double... timesteps) {
        int each = each(x.length, timesteps.length);
        float[] out = new float[x.length];
        for (int s = 0; s < timesteps.length; s++) {
            double sigma = scheduler.sigma(timesteps[s]);
            for (int i = s * each; i < (s + 1) * each; i++) {
                out[i] = (float) ((1 - sigma) * x[i] + sigma * noise[i]);
            }
        }
        return out;
    }

    /** The teacher's prediction under guidance. */
    public float[] real(float[] cond, float[] uncond) {
        float[] out = new float[cond.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) (cond[i] + guidance * (cond[i] - uncond[i]));
        }
        return out;
    }

    /**
     * The direction (fake − real)/mean|x − real|, normalised per sample; 0 where that is not a number.
     *
     * @param x what the generator made
     * @param real the teacher's clean prediction, see {@link #real}
     * @param fake the critic's clean prediction
     * @param samples of the batch
     */
    public static double[] direction(float[] x, float[] real, float[] fake, int samples) {
        int each = each(x.length, samples);
        double[] g = new double[x.length];
        for (int s = 0; s < samples; s++) {
            double sum = 0;
            for (int i = s * each; i < (s + 1) * each; i++) {
                sum += Math.abs((double) x[i] - real[i]);
            }
            double scale = sum / each;
            for (int i = s * each; i < (s + 1) * each; i++) {
                double v = ((double) fake[i] - real[i]) / scale;
                g[i] = Double.isFinite(v) ? v : 0;
            }
        }
        return g;
    }

    /**
     * The generator's loss ½·mean(g²) and its gradient by the sample, g/n: the direction is taken as a constant.
     *
     * @param direction see {@link #direction}
     * @param counted which elements count; empty for all
     */
    public static Loss generator(double[] direction, boolean... counted) {
        int n = 0;
        double sum = 0;
        for (int i = 0; i < direction.length; i++) {
            if (counted.length == 0 || counted[i]) {
                n++;
                sum += direction[i] * direction[i];
            }
        }
        double[] gradient = new double[direction.length];
        for (int i = 0; i < gradient.length; i++) {
            gradient[i] = n > 0 && (counted.length == 0 || counted[i]) ? direction[i] / n : 0;
        }
        return new Loss(n == 0 ? 0 : 0.5 * sum / n, gradient);
    }

    /**
     * The critic's loss mean((v − (n − x))²) and its gradient by the critic's clean prediction x0, v = (x_t − x0)/σ.
     *
     * @param x what the generator made
     * @param noised the same with noise
     * @param clean the critic's clean prediction
     */
    public Loss critic(float[] x, float[] noise, float[] noised, float[] clean, double... timesteps) {
        int each = each(x.length, timesteps.length);
        double sum = 0;
        double[] gradient = new double[x.length];
        for (int s = 0; s < timesteps.length; s++) {
            double sigma = scheduler.sigma(timesteps[s]);
            for (int i = s * each; i < (s + 1) * each; i++) {
                double v = ((double) noised[i] - clean[i]) / sigma;
                double e = v - ((double) noise[i] - x[i]);
                sum += e * e;
                gradient[i] = -2 * e / sigma / x.length;
            }
        }
        return new Loss(sum / x.length, gradient);
    }

    private static int each(int length, int samples) {
        if (samples < 1 || length % samples != 0) {
            throw new IllegalArgumentException(
                    length + " elements do not divide into " + samples + " equally long samples");
        }
        return length / samples;
    }
}
