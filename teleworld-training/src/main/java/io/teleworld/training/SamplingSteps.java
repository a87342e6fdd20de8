package io.teleworld.training;

import io.teleworld.core.diffusion.SchedulerConfig;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The timesteps that few-step generation visits. */
final class SamplingSteps {

    static final String DESCRIPTION = "Timesteps of the generator's steps, falling; by default those of the size.";

    private SamplingSteps() {}

    /**
     * Their noise levels t/1000, falling, without the clean one.
     *
     * @param chosen timesteps; null for those of the scheduler
     */
    static List<Double> levels(SchedulerConfig scheduler, @Nullable List<Integer> chosen) {
        return Arrays.stream((chosen == null ? scheduler : scheduler.withDenoisingSteps(chosen))
                        .sampler()
                        .timesteps())
                .map(t -> t / scheduler.numTrainTimesteps())
                .filter(t -> t > 0)
                .boxed()
                .toList();
    }
}
