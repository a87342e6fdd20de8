package io.teleworld.training.recipe;

import io.teleworld.tensor.HostTensor;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;

/** What a training run minimises. Confined to the loop's thread. */
public interface Objective {

    /** The trainable tensors by name: fp32 leaves, owned by the objective. */
    Map<String, Tensor> parameters();

    /**
     * The weights of the network that is wanted.
     *
     * @param weights averages of all {@link #parameters}, by name
     */
    default Map<String, HostTensor> network(Map<String, HostTensor> weights) {
        return weights;
    }

    /** Samples in one step, for the report. */
    int batchSize();

    /**
     * Draws a batch and computes its loss.
     *
     * @param random the run's random numbers
     * @param metrics receives figures to report beside the loss
     * @return a scalar that can go {@code backward()}, owned by the innermost pointer scope
     */
    Tensor loss(SplittableRandom random, Map<String, Double> metrics);

    /**
     * Judges the weights as they are now on data that training does not see, and draws a sample sheet. Runs without
     * gradients, on averaged weights.
     *
     * @param folder where pictures go
     * @param step the step, for file names
     * @return figures to report
     */
    Map<String, Double> evaluate(Path folder, long step);
}
