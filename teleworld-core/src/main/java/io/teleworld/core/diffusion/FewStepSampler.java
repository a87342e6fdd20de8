package io.teleworld.core.diffusion;

import java.util.Arrays;
import java.util.List;

/**
 * The sampler of distilled models: predict the clean sample, add fresh noise of the next level, and so on; the last
 * prediction is the result (Self-Forcing, arXiv 2506.08009). Immutable and thread-safe.
 */
public final class FewStepSampler {

    private final FlowMatchScheduler scheduler;
    private final double[] timesteps;

    private FewStepSampler(FlowMatchScheduler scheduler, double[] timesteps) {
        this.scheduler = scheduler;
        this.timesteps = timesteps;
        if (timesteps.length == 0) {
            throw new IllegalArgumentException("the step list is empty; at least one step is needed");
        }
        for (int i = 1; i < timesteps.length; i++) {
            if (!(timesteps[i] < timesteps[i - 1])) {
                throw new IllegalArgumentException(
                        "timesteps are " + Arrays.toString(timesteps) + "; they must descend");
            }
        }
    }

    /**
     * @param steps such as 1000, 750, 500, 250
     * @param warp whether the steps are warped by the scheduler's shift, or taken as timesteps
     */
    public static FewStepSampler of(FlowMatchScheduler scheduler, List<Integer> steps, boolean warp) {
        double[] t = warp
                ? scheduler.warp(steps)
                : steps.stream().mapToDouble(Integer::doubleValue).toArray();
        return new FewStepSampler(scheduler, t);
    }

    /** The timesteps at which the model runs, noisiest first. */
    public double[] timesteps() {
        return timesteps.clone();
    }

    /**
     * Makes a clean sample.
     *
     * @param noise the start, standard normal; not changed
     * @param model called once per step
     * @param fresh asked once between two steps
     */
    public float[] sample(float[] noise, VelocityFunction model, NoiseSource fresh) {
        float[] x = noise.clone();
        float[] clean = new float[x.length];
        float[] again = new float[x.length];
        for (int k = 0; k < timesteps.length; k++) {
            float[] v = model.velocity(x, timesteps[k], k);
            scheduler.cleanFromVelocity(x, v, timesteps[k], clean);
            if (k + 1 < timesteps.length) {
                fresh.fill(again);
                scheduler.addNoise(clean, again, timesteps[k + 1], x);
            }
        }
        return clean;
    }
}
