package io.teleworld.djl;

import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import io.teleworld.runtime.support.TensorProgramState;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Small TorchScript methods for what programs need besides their graph: weights in other forms, and the memory of states.
 * They run in TorchScript because DJL's own arrays know neither bf16 nor packed weights. Thread-safe.
 *
 * <p>Arrays that it makes belong to no manager: whoever asked for one closes it.
 */
final class DjlToolbox implements TensorProgramState.Memory<PtNDArray>, AutoCloseable {

    /** The type of an int8 weight that is packed for the processor. */
    static final String PACKED = "__torch__.torch.classes.quantized.LinearPackedParamsBase";

    private static final String METHODS = """
              def load(self: __torch__.Net,
                t: Tensor,
                bits: bool,
                type: int) -> Tensor:
                if bits:
                  u = torch.view_copy(t, dtype=15)
                else:
                  u = t
                return torch.clone(torch.to(u, type), memory_format=0)
              def kernel(self: __torch__.Net,
                t: Tensor) -> Tensor:
                return torch.contiguous(t, memory_format=2)
              def nothing(self: __torch__.Net) -> List[PACKED]:
                return annotate(List[PACKED], [])
              def pack(self: __torch__.Net,
                q: List[PACKED],
                t: Tensor,
                b: List[Tensor]) -> List[PACKED]:
                if torch.gt(torch.len(b), 0):
                  c : Optional[Tensor] = b[0]
                else:
                  c = None
                s = torch.clamp_min(torch.div(torch.amax(torch.abs(t), [1]), 127), 1.0e-30)
                z = torch.zeros_like(s, dtype=4)
                p = ops.quantized.linear_prepack(torch.quantize_per_channel(t, torch.to(s, 7), z, 0, 12), c)
                _0 = torch.append(q, p)
                return q
              def zeros(self: __torch__.Net,
                n: List[int],
                t: Tensor,
                type: int) -> Tensor:
                return torch.new_zeros(t, n, dtype=type)
              def stack(self: __torch__.Net,
                t: List[Tensor]) -> Tensor:
                return torch.stack(t, 0)
              def copy(self: __torch__.Net,
                t: Tensor) -> Tensor:
                return torch.clone(t, memory_format=0)
              def entry(self: __torch__.Net,
                t: Tensor,
                i: int) -> Tensor:
                return torch.clone(torch.select(t, 0, i), memory_format=0)
              def same(self: __torch__.Net,
                t: Tensor) -> Tensor:
                return t
            """.replace("PACKED", PACKED);

    private final PtNDManager manager;
    private final PtSymbolBlock block;
    private final PtNDArray onDevice;

    /** Loads the methods; takes over the manager, whose device they run on. */
    DjlToolbox(PtNDManager manager) {
        this.manager = manager;
        this.block = module(manager, METHODS);
        this.onDevice = (PtNDArray) manager.zeros(new Shape(1));
    }

    /** A module with these methods, owned by a manager. */
    static PtSymbolBlock module(PtNDManager manager, String methods) {
        try {
            return JniUtils.loadModule(manager, new ByteArrayInputStream(TorchScriptArchive.of(methods)), false, false);
        } catch (IOException e) {
            throw new UncheckedIOException("reading from memory failed", e);
        }
    }

    /** Wraps a tensor's memory without a copy where the device is the host; lives as long as the manager. */
    static PtNDArray wrap(PtNDManager owner, Tensor t) {
        return owner.create(t.hostBuffer(), new Shape(t.shape()), TorchTypes.wrapped(t.dtype()));
    }

    /** A copy of a tensor on the device, in another element type. */
    PtNDArray load(Tensor source, int type) {
        try (PtNDManager temporary = manager.newSubManager(manager.getDevice())) {
            return call(
                    "load",
                    IValue.from(wrap(temporary, source)),
                    IValue.from(source.dtype() == DType.BF16),
                    IValue.from((long) type));
        }
    }

    /** A convolution's weight with channels last. */
    PtNDArray kernel(PtNDArray weight) {
        return call("kernel", IValue.from(weight));
    }

    /** An empty list of packed weights. */
    IValue nothingPacked() {
        return IValueUtils.runMethod(block, "nothing");
    }

    /** Quantises a weight [out,in] per output channel and adds it to a list of packed weights. */
    void pack(IValue list, PtNDArray weight, @Nullable PtNDArray bias) {
        IValue w = IValue.from(weight);
        IValue b = IValue.listFrom(bias == null ? new PtNDArray[0] : new PtNDArray[] {bias});
        try {
            IValueUtils.runMethod(block, "pack", list, w, b).close();
        } finally {
            w.close();
            b.close();
        }
    }

    private PtNDArray call(String method, IValue... arguments) {
        try {
            IValue result = IValueUtils.runMethod(block, method, arguments);
            try {
                PtNDArray array = result.toTensor(manager);
                array.detach();
                return array;
            } finally {
                result.close();
            }
        } finally {
            for (IValue a : arguments) {
                a.close();
            }
        }
    }

    // ------------------------------------------------------------------------------------------ states

    @Override
    public PtNDArray zeros(DType dtype, long... shape) {
        return call("zeros", IValue.listFrom(shape), IValue.from(onDevice), IValue.from((long) TorchTypes.code(dtype)));
    }

    @Override
    public PtNDArray stack(List<PtNDArray> frames) {
        return call("stack", IValue.listFrom(frames.toArray(PtNDArray[]::new)));
    }

    @Override
    public PtNDArray copy(PtNDArray tensor) {
        return call("copy", IValue.from(tensor));
    }

    @Override
    public PtNDArray copyEntry(PtNDArray tensor, int index) {
        return call("entry", IValue.from(tensor), IValue.from((long) index));
    }

    @Override
    public PtNDArray share(PtNDArray tensor) {
        return call("same", IValue.from(tensor));
    }

    @Override
    public void release(PtNDArray tensor) {
        tensor.close();
    }

    @Override
    public void close() {
        block.close();
        manager.close();
    }
}
