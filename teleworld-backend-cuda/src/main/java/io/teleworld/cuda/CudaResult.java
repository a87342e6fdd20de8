package io.teleworld.cuda;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A result of a program in host memory of its own. */
final class CudaResult implements Tensor {

    private static final boolean TRACK = Boolean.getBoolean("teleworld.trackResources");

    private final RuntimeLedger ledger;
    private final HostTensor tensor;
    private final String name;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile @Nullable Throwable closeSite;

    /** A copy of bytes that begin at {@code offset}. */
    CudaResult(RuntimeLedger ledger, DType dtype, long[] shape, ByteBuffer from, long offset) {
        this.ledger = ledger;
        this.tensor = HostTensor.zeros(dtype, shape);
        this.name = "tensor " + dtype + Arrays.toString(shape) + " from CUDA";
        ByteBuffer to = tensor.mutableBuffer();
        to.put(0, from, Math.toIntExact(offset), to.capacity());
        ledger.addLiveTensors(1);
    }

    private HostTensor open() {
        if (closed.get()) {
            throw new ResourceClosedException(name, closeSite);
        }
        return tensor;
    }

    @Override
    public DType dtype() {
        return open().dtype();
    }

    @Override
    public long[] shape() {
        return open().shape();
    }

    @Override
    public ByteBuffer hostBuffer() {
        return open().hostBuffer();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            closeSite = TRACK ? new Throwable("closed here") : null;
            tensor.close();
            ledger.addLiveTensors(-1);
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
