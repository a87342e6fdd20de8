package io.teleworld.core.weights;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
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

    /**
     * Some consecutive entries of a tensor's first axis, which need not fit into one buffer as a whole.
     *
     * @param first from 0
     * @param count at least 1
     * @throws IllegalArgumentException if there is no tensor of that name, or it has no such rows
     * @throws io.teleworld.error.ModelFormatException if it cannot be read
     */
    default HostTensor rows(String name, long first, long count) {
        long[] shape = shape(name);
        long bytes = rowBytes(this, name, first, count);
        shape[0] = count;
        ByteBuffer all = tensor(name).hostBuffer();
        ByteBuffer rows = all.slice(Math.toIntExact(first * bytes), Math.toIntExact(count * bytes));
        return HostTensor.wrap(dtype(name), rows.order(ByteOrder.LITTLE_ENDIAN), shape);
    }

    /** Bytes of one row, if there are such rows. */
    static long rowBytes(TensorFile file, String name, long first, long count) {
        long[] shape = file.shape(name);
        if (shape.length == 0 || first < 0 || count < 1 || first > shape[0] - count) {
            throw new IllegalArgumentException("tensor " + name + " is " + Arrays.toString(shape) + "; it has no rows "
                    + first + " to " + (first + count - 1));
        }
        return HostTensor.elementCount(shape) / shape[0] * file.dtype(name).byteSize();
    }
}
