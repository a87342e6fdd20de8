package io.teleworld.djl;

import ai.djl.Device;
import ai.djl.pytorch.engine.PtNDArray;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A result of a program: contiguous, in memory of its own, and in no manager, because a scope owns it. */
final class DjlResult implements Tensor {

    private static final boolean TRACK = Boolean.getBoolean("teleworld.trackResources");

    private final RuntimeLedger ledger;
    private final DType dtype;
    private final long[] shape;
    private @Nullable PtNDArray array;
    private @Nullable Throwable closeSite;

    /** Takes an array over. */
    DjlResult(RuntimeLedger ledger, DType dtype, long[] shape, PtNDArray array) {
        array.detach();
        this.ledger = ledger;
        this.dtype = dtype;
        this.shape = shape;
        this.array = array;
        ledger.addLiveTensors(1);
    }

    /** The array, owned by this object. */
    synchronized PtNDArray array() {
        PtNDArray a = array;
        if (a == null) {
            throw new ResourceClosedException(toString(), closeSite);
        }
        return a;
    }

    @Override
    public DType dtype() {
        array();
        return dtype;
    }

    @Override
    public long[] shape() {
        array();
        return shape.clone();
    }

    @Override
    public ByteBuffer hostBuffer() {
        PtNDArray a = array();
        return bytes(a).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    private static ByteBuffer bytes(PtNDArray a) {
        if (a.size() == 0) {
            return ByteBuffer.allocateDirect(0);
        }
        if (a.getDevice().equals(Device.cpu())) {
            return a.toByteBuffer(true);
        }
        PtNDArray host = a.toDevice(Device.cpu(), true);
        try {
            ByteBuffer source = host.toByteBuffer(true);
            return ByteBuffer.allocateDirect(source.remaining()).put(source).rewind();
        } finally {
            host.close();
        }
    }

    @Override
    public synchronized void close() {
        PtNDArray a = array;
        if (a != null) {
            array = null;
            closeSite = TRACK ? new Throwable("closed here") : null;
            a.close();
            ledger.addLiveTensors(-1);
        }
    }

    @Override
    public String toString() {
        return "tensor " + dtype + Arrays.toString(shape) + " on DJL";
    }
}
