package io.teleworld.core.diffusion;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Noise schedule and sampling steps of a model package ({@code scheduler/scheduler_config.json}). Immutable.
 *
 * @param numTrainTimesteps entries of the training table, 1000
 * @param flowShift shift of the noise levels, positive
 * @param denoisingSteps the step list of a distilled model, descending, each in [0, {@code numTrainTimesteps}]; empty for
 *     a model that is sampled with UniPC
 * @param warpDenoisingSteps whether the step list is warped by the shift
 * @param contextNoise timestep at which finished frames are put into the cache
 * @param solverSteps UniPC steps where the step list is empty, at least 1
 * @param guidanceScale factor of classifier-free guidance where the step list is empty, at least 1
 */
public record SchedulerConfig(
        int numTrainTimesteps,
        double flowShift,
        List<Integer> denoisingSteps,
        boolean warpDenoisingSteps,
        double contextNoise,
        int solverSteps,
        double guidanceScale) {

    public SchedulerConfig {
        denoisingSteps = List.copyOf(denoisingSteps);
        if (numTrainTimesteps < 2 || !(flowShift > 0)) {
            throw new IllegalArgumentException("num_train_timesteps is " + numTrainTimesteps + ", flow_shift "
                    + flowShift + "; at least 2 and positive are allowed");
        }
        for (int i = 0; i < denoisingSteps.size(); i++) {
            int t = denoisingSteps.get(i);
            if (t < 0 || t > numTrainTimesteps || (i > 0 && t >= denoisingSteps.get(i - 1))) {
                throw new IllegalArgumentException("denoising_steps is " + denoisingSteps
                        + "; steps must descend and lie in [0, " + numTrainTimesteps + "]");
            }
        }
        if (!(contextNoise >= 0 && contextNoise <= numTrainTimesteps)) {
            throw new IllegalArgumentException(
                    "context_noise is " + contextNoise + "; allowed is [0, " + numTrainTimesteps + "]");
        }
        if (solverSteps < 1 || !(guidanceScale >= 1)) {
            throw new IllegalArgumentException(
                    "solver_steps is " + solverSteps + ", guidance_scale " + guidanceScale + "; at least 1 each");
        }
    }

    /** Four warped steps with shift 5, as distilled models use. */
    public static final SchedulerConfig FEW_STEP =
            new SchedulerConfig(1000, 5, List.of(1000, 750, 500, 250), true, 0, 50, 5);

    /**
     * This schedule with fewer entries of its step list: the first, and the others evenly spread.
     *
     * @param count in [1, size of the list]
     */
    public SchedulerConfig withSteps(int count) {
        int all = denoisingSteps.size();
        if (count < 1 || count > all) {
            throw new IllegalArgumentException("denoising steps is " + count + "; the model's list " + denoisingSteps
                    + " allows [1, " + all + "]");
        }
        List<Integer> fewer = IntStream.range(0, count)
                .mapToObj(i -> denoisingSteps.get(i * all / count))
                .toList();
        return withDenoisingSteps(fewer);
    }

    /** This schedule with another step list. */
    public SchedulerConfig withDenoisingSteps(List<Integer> steps) {
        return new SchedulerConfig(
                numTrainTimesteps, flowShift, steps, warpDenoisingSteps, contextNoise, solverSteps, guidanceScale);
    }

    /** The training table. */
    public FlowMatchScheduler scheduler() {
        return new FlowMatchScheduler(numTrainTimesteps, flowShift);
    }

    /**
     * The sampler of a distilled model.
     *
     * @throws IllegalStateException if there is no step list
     */
    public FewStepSampler sampler() {
        if (denoisingSteps.isEmpty()) {
            throw new IllegalStateException("the scheduler has no denoising_steps; sample with UniPC");
        }
        return FewStepSampler.of(scheduler(), denoisingSteps, warpDenoisingSteps);
    }
}
