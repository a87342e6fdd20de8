package io.teleworld.core.weights;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.Set;

/**
 * A file of named tensors: {@link Safetensors} or {@link TorchFile}. Immutable and thread-safe; the tensors that it gives
 * are views that must not be written, and nothing has to be closed.
 */
public interface TensorFile {

    /** What the file is called in messages. */
    String description();

    /** The names of the tensors, sorted. */
    Set<String> names();

    /**
     * The element type of a tensor.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    DType dtype(String name);

    /**
     * The extents of a tensor.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    long[] shape(String name);

    /**
     * A tensor as it is stored.
     *
     * @throws IllegalArgumentException if there is none of that name
     * @throws io.teleworld.error.ModelFormatException if it cannot be read
     */
    HostTensor tensor(String name);
}
