package io.teleworld.training.optim;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Changes parameters along their gradients. Confined to one thread; the owner closes it, which releases its state and
 * leaves the parameters alone.
 */
public interface Optimizer extends AutoCloseable {

    /**
     * One step with the gradients that the parameters hold; a parameter without one is left as it is.
     *
     * @param learningRate not negative
     */
    void step(double learningRate);

    /** The parameters by name; borrowed. */
    Map<String, Tensor> parameters();

    /**
     * What has to be saved and, copied back into the same tensors, continues as if never interrupted; names are unique
     * within the optimiser. Owned by it.
     */
    Map<String, Tensor> state();

    /** How many steps were made. */
    long steps();

    /** Sets the number of steps made, after {@link #state()} has been filled from a checkpoint. */
    void restoreSteps(long steps);

    @Override
    void close();
}
