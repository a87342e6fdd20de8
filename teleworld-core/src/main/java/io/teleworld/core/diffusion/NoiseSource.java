package io.teleworld.core.diffusion;

import java.util.random.RandomGenerator;

/** Where fresh noise comes from. */
@FunctionalInterface
public interface NoiseSource {

    /** Fills an array with independent standard normal values. */
    void fill(float[] noise);

    /** Noise from a generator, whose thread-safety and repeatability it has. */
    static NoiseSource gaussian(RandomGenerator random) {
        return noise -> {
            for (int i = 0; i < noise.length; i++) {
                noise[i] = (float) random.nextGaussian();
            }
        };
    }
}
