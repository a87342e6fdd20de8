package io.teleworld.training.torch;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.jspecify.annotations.Nullable;

/** A result of a program, contiguous and in memory of its own. */
final class TorchResult implements Tensor {

    private final DType dtype;
    private final long[] shape;
    private final RuntimeLedger ledger;
    private final boolean onHost;
    private org.bytedeco.pytorch.@Nullable Tensor tensor;

    /** Takes over a kept tensor. */
    TorchResult(RuntimeLedger ledger, org.bytedeco.pytorch.Tensor tensor) {
        this.ledger = ledger;
        this.tensor = tensor;
        this.dtype = TorchTensors.dtype(TorchTensors.type(tensor));
        this.shape = TorchTensors.shape(tensor);
        this.onHost = !tensor.is_cuda();
        ledger.addLiveTensors(1);
    }

    /** LibTorch's tensor, owned by this object. */
    synchronized org.bytedeco.pytorch.Tensor handle() {
        org.bytedeco.pytorch.Tensor t = tensor;
        if (t == null) {
            throw new ResourceClosedException(toString(), null);
        }
        return t;
    }

    @Override
    public DType dtype() {
        handle();
        return dtype;
    }

    @Override
    public long[] shape() {
        handle();
        return shape.clone();
    }

    @Override
    public ByteBuffer hostBuffer() {
        org.bytedeco.pytorch.Tensor t = handle();
        if (!onHost) {
            return TorchTensors.toHost(t).hostBuffer();
        }
        if (t.numel() == 0) {
            return ByteBuffer.allocateDirect(0).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
        }
        try (PointerScope s = new PointerScope()) {
            return new BytePointer(t.data_ptr())
                    .capacity(t.nbytes())
                    .asByteBuffer()
                    .asReadOnlyBuffer()
                    .order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    @Override
    public synchronized void close() {
        org.bytedeco.pytorch.Tensor t = tensor;
        if (t != null) {
            tensor = null;
            t.close();
            ledger.addLiveTensors(-1);
        }
    }

    @Override
    public String toString() {
        return "tensor " + dtype + java.util.Arrays.toString(shape) + " on LibTorch, element count "
                + HostTensor.elementCount(shape);
    }
}
