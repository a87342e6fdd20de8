package io.teleworld.tensor;

import java.nio.ByteBuffer;

/**
 * A dense row-major tensor, owned by exactly one scope.
 *
 * <p>Confined to one thread at a time. {@link #close()} is idempotent; every other method throws
 * {@link io.teleworld.error.ResourceClosedException} afterwards.
 */
public interface Tensor extends AutoCloseable {

    /** The element type. */
    DType dtype();

    /** A copy of the extents, outermost axis first; empty for a scalar. */
    long[] shape();

    /** The number of elements: the product of the extents. */
    default long elementCount() {
        return HostTensor.elementCount(shape());
    }

    /**
     * The elements in host memory as a little-endian, read-only view positioned at the first element. A tensor that
     * lives on the host gives a view of its own memory without a copy, valid until the tensor is closed; one that
     * lives on a device copies.
     */
    ByteBuffer hostBuffer();

    /** Copies an F32 tensor into a new array. */
    default float[] toFloatArray() {
        if (dtype() != DType.F32) {
            throw new IllegalStateException("tensor holds " + dtype() + "; only F32 can be read as float[]");
        }
        float[] out = new float[Math.toIntExact(elementCount())];
        hostBuffer().asFloatBuffer().get(out);
        return out;
    }

    @Override
    void close();
}
