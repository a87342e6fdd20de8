package io.teleworld.training.torch;

import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongArrayRef;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Copies between Java memory and LibTorch tensors. Thread-safe.
 *
 * <p>New tensors belong to the innermost {@link PointerScope} of the calling thread; without one they live until closed
 * or collected. {@link #keep} lets a tensor outlive its scope.
 */
public final class TorchTensors {

    private TorchTensors() {}

    // ------------------------------------------------------------------------------------------ to LibTorch

    /** A new fp32 tensor on the host with a copy of the values. */
    public static Tensor ofFloats(float[] values, long... shape) {
        requireCount(values.length, shape);
        Tensor t = empty(ScalarType.Float, shape);
        try (PointerScope s = new PointerScope()) {
            FloatPointer p = t.data_ptr_float();
            p.put(values, 0, values.length);
        }
        return t;
    }

    /** A new fp32 tensor on the host with a copy of the remaining values; the buffer's position stays. */
    public static Tensor ofFloats(FloatBuffer values, long... shape) {
        requireCount(values.remaining(), shape);
        Tensor t = empty(ScalarType.Float, shape);
        bytes(t).asFloatBuffer().put(values.duplicate());
        return t;
    }

    /** A new int64 tensor on the host with a copy of the values. */
    public static Tensor ofLongs(long[] values, long... shape) {
        requireCount(values.length, shape);
        Tensor t = empty(ScalarType.Long, shape);
        try (PointerScope s = new PointerScope()) {
            LongPointer p = t.data_ptr_long();
            p.put(values, 0, values.length);
        }
        return t;
    }

    /** A new boolean tensor on the host with a copy of the values. */
    public static Tensor ofBooleans(boolean[] values, long... shape) {
        requireCount(values.length, shape);
        Tensor t = empty(ScalarType.Bool, shape);
        ByteBuffer b = bytes(t);
        for (int i = 0; i < values.length; i++) {
            b.put(i, (byte) (values[i] ? 1 : 0));
        }
        return t;
    }

    /** A new fp32 scalar of rank 0 on the host. */
    public static Tensor scalar(float value) {
        return ofFloats(new float[] {value});
    }

    /** A new tensor on the host with a copy of another; element types stay. */
    public static Tensor of(io.teleworld.tensor.Tensor source) {
        Tensor t = empty(scalarType(source.dtype()), source.shape());
        if (source.elementCount() > 0) {
            bytes(t).put(source.hostBuffer());
        }
        return t;
    }

    /** A new, uninitialised tensor on the host. */
    public static Tensor empty(ScalarType type, long... shape) {
        TorchNative.load();
        try (PointerScope s = new PointerScope()) {
            TensorOptions options = new TensorOptions(type);
            return keepOutside(s, torch.empty(shape, options, new MemoryFormatOptional()));
        }
    }

    /** A new fp32 tensor of zeros on the host. */
    public static Tensor zeros(long... shape) {
        Tensor t = empty(ScalarType.Float, shape);
        t.zero_();
        return t;
    }

    // ------------------------------------------------------------------------------------------ to Java

    /** The elements as floats, whatever the tensor's type, device and layout are. */
    public static float[] toFloats(Tensor tensor) {
        try (PointerScope s = new PointerScope()) {
            Tensor t = host(tensor, ScalarType.Float);
            float[] out = new float[Math.toIntExact(t.numel())];
            if (out.length > 0) {
                FloatPointer p = t.data_ptr_float();
                p.get(out, 0, out.length);
            }
            return out;
        }
    }

    /** The elements of an int64 tensor. */
    public static long[] toLongs(Tensor tensor) {
        try (PointerScope s = new PointerScope()) {
            Tensor t = host(tensor, ScalarType.Long);
            long[] out = new long[Math.toIntExact(t.numel())];
            if (out.length > 0) {
                LongPointer p = t.data_ptr_long();
                p.get(out, 0, out.length);
            }
            return out;
        }
    }

    /** The only element of a tensor as a double. */
    public static double item(Tensor tensor) {
        if (tensor.numel() != 1) {
            throw new IllegalArgumentException(
                    "tensor has shape " + Arrays.toString(shape(tensor)) + "; exactly one element is needed");
        }
        try (PointerScope s = new PointerScope()) {
            return tensor.detach().item_double();
        }
    }

    /** A copy on the Java side; the element type stays. */
    public static HostTensor toHost(Tensor tensor) {
        try (PointerScope s = new PointerScope()) {
            Tensor t = host(tensor, type(tensor));
            HostTensor out = HostTensor.zeros(dtype(type(tensor)), shape(tensor));
            if (t.numel() > 0) {
                out.mutableBuffer().put(bytes(t));
            }
            return out;
        }
    }

    private static Tensor host(Tensor tensor, ScalarType type) {
        Tensor t = tensor.detach();
        Device cpu = new Device("cpu");
        return t.to(cpu, type).contiguous();
    }

    /** The extents. */
    public static long[] shape(Tensor tensor) {
        try (PointerScope s = new PointerScope()) {
            LongArrayRef sizes = tensor.sizes();
            long[] out = new long[Math.toIntExact(tensor.dim())];
            for (int i = 0; i < out.length; i++) {
                out[i] = sizes.get(i);
            }
            return out;
        }
    }

    // ------------------------------------------------------------------------------------------ types and lifetimes

    /** The tensor in another element type; a new handle, on the same memory if the type is that already. */
    public static Tensor cast(Tensor tensor, ScalarType type) {
        return type(tensor) == type ? new Tensor(tensor) : tensor.to(type);
    }

    /** The tensor on a device, {@code cpu} or {@code cuda:0}; a new handle, on the same memory if it is there already. */
    public static Tensor to(Tensor tensor, String deviceId) {
        if (deviceId.equals("cpu") && !tensor.is_cuda()) {
            return new Tensor(tensor);
        }
        PointerScope outer = PointerScope.getInnerScope();
        try (PointerScope s = new PointerScope()) {
            return keepOutside(s, outer, tensor.to(new Device(deviceId), type(tensor)));
        }
    }

    /** The element type; unlike what {@code scalar_type()} returns, it can be compared with {@code ==}. */
    public static ScalarType type(Tensor tensor) {
        return tensor.scalar_type().intern();
    }

    /** LibTorch's name of an element type. */
    public static ScalarType scalarType(DType dtype) {
        return switch (dtype) {
            case F64 -> ScalarType.Double;
            case F32 -> ScalarType.Float;
            case F16 -> ScalarType.Half;
            case BF16 -> ScalarType.BFloat16;
            case F8_E4M3 -> ScalarType.Float8_e4m3fn;
            case I64 -> ScalarType.Long;
            case I32 -> ScalarType.Int;
            case I8 -> ScalarType.Char;
            case U8 -> ScalarType.Byte;
            case BOOL -> ScalarType.Bool;
        };
    }

    /**
     * The element type of LibTorch's name.
     *
     * @throws IllegalArgumentException for types that graphs do not have
     */
    public static DType dtype(ScalarType type) {
        for (DType d : DType.values()) {
            if (scalarType(d) == type) {
                return d;
            }
        }
        throw new IllegalArgumentException(
                "element type " + type + " has no counterpart; known are " + Arrays.toString(DType.values()));
    }

    /**
     * Takes a tensor out of every open scope of this thread, so that it lives until {@code close()} is called on it; for
     * parameters, optimiser state and results that outlive a step.
     *
     * @return the same tensor
     */
    public static Tensor keep(Tensor tensor) {
        PointerScope inner = PointerScope.getInnerScope();
        if (inner != null) {
            tensor.retainReference();
        }
        return tensor;
    }

    static Tensor keepOutside(PointerScope scope, Tensor tensor) {
        var it = PointerScope.getScopeIterator();
        PointerScope outer = null;
        while (it != null && it.hasNext()) {
            PointerScope s = it.next();
            if (s != scope) {
                outer = s;
                break;
            }
        }
        return keepOutside(scope, outer, tensor);
    }

    static Tensor keepOutside(
            PointerScope scope, @org.jspecify.annotations.Nullable PointerScope outer, Tensor tensor) {
        if (outer == null) {
            tensor.retainReference();
        } else {
            outer.attach(tensor);
        }
        return tensor;
    }

    /** Weights as fp32 arrays become host tensors; shapes come from the graph, so a flat copy is enough here. */
    static Tensor weight(Weights weights, String name) {
        try (PointerScope s = new PointerScope()) {
            Tensor t = of(weights.get(name));
            return keepOutside(s, type(t) == ScalarType.Float ? t : t.to(ScalarType.Float));
        }
    }

    private static ByteBuffer bytes(Tensor t) {
        try (PointerScope s = new PointerScope()) {
            long n = t.nbytes();
            if (n == 0) {
                return ByteBuffer.allocate(0);
            }
            return new BytePointer(t.data_ptr()).capacity(n).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    private static void requireCount(int length, long... shape) {
        if (HostTensor.elementCount(shape) != length) {
            throw new IllegalArgumentException(length + " values do not fill shape " + Arrays.toString(shape));
        }
    }
}
