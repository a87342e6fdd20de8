package io.teleworld.training.torch;

import io.teleworld.runtime.support.TensorProgramState;
import io.teleworld.tensor.DType;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** States as LibTorch tensors on one device. Immutable; what lasts until the run ends belongs to the innermost scope. */
record TorchStateMemory(String deviceId) implements TensorProgramState.Memory<Tensor> {

    @Override
    public Tensor zeros(DType dtype, long... shape) {
        Tensor t = TorchTensors.empty(TorchTensors.scalarType(dtype), shape);
        t.zero_();
        return TorchTensors.to(t, deviceId);
    }

    @Override
    public Tensor stack(List<Tensor> frames) {
        return torch.stack(new TensorVector(frames.toArray(Tensor[]::new)));
    }

    @Override
    public Tensor copy(Tensor tensor) {
        try (PointerScope s = new PointerScope()) {
            return TorchTensors.keep(tensor.contiguous().clone());
        }
    }

    @Override
    public Tensor copyEntry(Tensor tensor, int index) {
        try (PointerScope s = new PointerScope()) {
            return TorchTensors.keep(tensor.select(0, index).contiguous().clone());
        }
    }

    @Override
    public Tensor share(Tensor tensor) {
        try (PointerScope s = new PointerScope()) {
            return TorchTensors.keep(new Tensor(tensor));
        }
    }

    @Override
    public void release(Tensor tensor) {
        tensor.close();
    }
}
