package io.teleworld.tensor;

import io.teleworld.error.ResourceClosedException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * A tensor in a direct buffer of host memory. Every runtime accepts it as an input.
 *
 * <p>Its memory is released by the garbage collector after {@link #close()}.
 */
public final class HostTensor implements Tensor {

    private final DType dtype;
    private final long[] shape;
    private final ByteBuffer buffer;
    private volatile boolean closed;

    private HostTensor(DType dtype, long[] shape, ByteBuffer buffer) {
        this.dtype = dtype;
        this.shape = shape;
        this.buffer = buffer;
    }

    /**
     * Wraps a buffer without copying it; its bytes between position and limit must be exactly the tensor's.
     *
     * @throws IllegalArgumentException if the size does not fit the shape
     */
    public static HostTensor wrap(DType dtype, ByteBuffer buffer, long... shape) {
        long expected = Math.multiplyExact(elementCount(shape), (long) dtype.byteSize());
        if (buffer.remaining() != expected) {
            throw new IllegalArgumentException("buffer holds " + buffer.remaining() + " bytes; " + dtype + " "
                    + Arrays.toString(shape) + " needs " + expected);
        }
        return new HostTensor(
                Objects.requireNonNull(dtype, "dtype"),
                shape.clone(),
                buffer.slice().order(ByteOrder.LITTLE_ENDIAN));
    }

    /** A new tensor of zeros in direct memory. */
    public static HostTensor zeros(DType dtype, long... shape) {
        long bytes = Math.multiplyExact(elementCount(shape), (long) dtype.byteSize());
        ByteBuffer b = ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
        return new HostTensor(dtype, shape.clone(), b);
    }

    /** A new F32 tensor with a copy of {@code values}. */
    public static HostTensor ofFloats(float[] values, long... shape) {
        requireCount(values.length, shape);
        HostTensor t = zeros(DType.F32, shape);
        t.buffer.asFloatBuffer().put(values);
        return t;
    }

    /** A new I64 tensor with a copy of {@code values}. */
    public static HostTensor ofLongs(long[] values, long... shape) {
        requireCount(values.length, shape);
        HostTensor t = zeros(DType.I64, shape);
        t.buffer.asLongBuffer().put(values);
        return t;
    }

    /** A new BOOL tensor with a copy of {@code values}. */
    public static HostTensor ofBooleans(boolean[] values, long... shape) {
        requireCount(values.length, shape);
        HostTensor t = zeros(DType.BOOL, shape);
        for (int i = 0; i < values.length; i++) {
            t.buffer.put(i, (byte) (values[i] ? 1 : 0));
        }
        return t;
    }

    /** The product of the extents. */
    public static long elementCount(long... shape) {
        long n = 1;
        for (long d : shape) {
            if (d < 0) {
                throw new IllegalArgumentException("extent is " + d + "; it must not be negative");
            }
            n = Math.multiplyExact(n, d);
        }
        return n;
    }

    private static void requireCount(int length, long... shape) {
        if (elementCount(shape) != length) {
            throw new IllegalArgumentException(
                    length + " values do not fill shape " + Arrays.toString(shape) + " of " + elementCount(shape));
        }
    }

    @Override
    public DType dtype() {
        open();
        return dtype;
    }

    @Override
    public long[] shape() {
        open();
        return shape.clone();
    }

    @Override
    public ByteBuffer hostBuffer() {
        return open().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The tensor's own memory, writable, positioned at the first element. */
    public ByteBuffer mutableBuffer() {
        return open().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    private ByteBuffer open() {
        if (closed) {
            throw new ResourceClosedException(toString(), null);
        }
        return buffer;
    }

    @Override
    public void close() {
        closed = true;
    }

    @Override
    public String toString() {
        return "tensor " + dtype + Arrays.toString(shape);
    }
}
