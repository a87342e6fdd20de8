package io.teleworld.core.diffusion;

/** A model as a sampler sees it. */
@FunctionalInterface
public interface VelocityFunction {

    /**
     * The velocity at a sample. An exception that is thrown here ends the sampling, which is how it is cancelled.
     *
     * @param sample the current sample; not to be kept or changed
     * @param timestep in [0, 1000]
     * @param step which step of the sampler this is, from 0
     * @return as many elements as the sample has; may be reused by the next call
     */
    float[] velocity(float[] sample, double timestep, int step);
}
