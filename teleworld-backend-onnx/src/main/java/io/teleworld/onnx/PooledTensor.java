package io.teleworld.onnx;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A result in host memory, whose buffer goes back to its runtime's pool when it is closed. */
final class PooledTensor implements Tensor {

    private static final boolean TRACK = Boolean.getBoolean("teleworld.trackResources");

    private final DType dtype;
    private final long[] shape;
    private final ByteBuffer buffer;
    private final Runnable onClose;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile @Nullable Throwable closeSite;

    /** Takes over a buffer; {@code onClose} runs once. */
    PooledTensor(DType dtype, long[] shape, ByteBuffer buffer, Runnable onClose) {
        this.dtype = dtype;
        this.shape = shape;
        this.buffer = buffer;
        this.onClose = onClose;
    }

    @Override
    public DType dtype() {
        requireOpen();
        return dtype;
    }

    @Override
    public long[] shape() {
        requireOpen();
        return shape.clone();
    }

    @Override
    public ByteBuffer hostBuffer() {
        requireOpen();
        return buffer.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The memory itself, for the kernel that computes it. */
    ByteBuffer memory() {
        return buffer;
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new ResourceClosedException(toString(), closeSite);
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            closeSite = TRACK ? new Throwable("closed here") : null;
            onClose.run();
        }
    }

    @Override
    public String toString() {
        return "tensor " + dtype + Arrays.toString(shape);
    }
}
