package io.teleworld.onnx;

import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.function.IntToDoubleFunction;

/** Turns weights into the layouts and element types of the kernels. Stateless. */
final class LinearWeights {

    /** Leaves room for the sum of the products in 32 bits. */
    private static final double MOST_STEPS = 1 << 30;

    private LinearWeights() {}

    /** The elements as F32. */
    static ByteBuffer toF32(HostTensor t) {
        ByteBuffer source = t.hostBuffer();
        switch (t.dtype()) {
            case F32 -> {
                return source;
            }
            case F16, BF16 -> {
                int n = Math.toIntExact(t.elementCount());
                ByteBuffer out = allocate(4L * n);
                FloatBuffer floats = out.asFloatBuffer();
                IntToDoubleFunction element = reader(t);
                for (int i = 0; i < n; i++) {
                    floats.put((float) element.applyAsDouble(i));
                }
                return out;
            }
            default ->
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND, "runtime onnx cannot take weights of " + t.dtype());
        }
    }

    /** A weight [out,in] as F32 [in,out], so that the product needs no transposition. */
    static ByteBuffer transposed(HostTensor t) {
        int rows = Math.toIntExact(t.shape()[0]);
        int columns = Math.toIntExact(t.shape()[1]);
        ByteBuffer out = allocate(4L * rows * columns);
        FloatBuffer floats = out.asFloatBuffer();
        FloatBuffer in = toF32(t).asFloatBuffer();
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                floats.put(c * rows + r, in.get(r * columns + c));
            }
        }
        return out;
    }

    /** The steps of a weight [out,…] in int8, one per output channel: s = max|w|/largest, F32 [out]. */
    static ByteBuffer int8Scales(HostTensor t, int largest) {
        int rows = Math.toIntExact(t.shape()[0]);
        int columns = Math.toIntExact(t.elementCount() / rows);
        FloatBuffer in = toF32(t).asFloatBuffer();
        ByteBuffer scales = allocate(4L * rows);
        for (int r = 0; r < rows; r++) {
            float extreme = 0;
            for (int c = 0; c < columns; c++) {
                extreme = Math.max(extreme, Math.abs(in.get(r * columns + c)));
            }
            scales.putFloat(4 * r, extreme == 0 ? 1 : extreme / largest);
        }
        return scales;
    }

    /** A weight [out,in] rounded to those steps, I8 [in,out]. */
    static ByteBuffer int8(HostTensor t, int largest) {
        int rows = Math.toIntExact(t.shape()[0]);
        int columns = Math.toIntExact(t.shape()[1]);
        ByteBuffer rounded = int8Kernel(t, largest);
        ByteBuffer weight = allocate((long) rows * columns);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                weight.put(c * rows + r, rounded.get(r * columns + c));
            }
        }
        return weight;
    }

    /** A kernel [out,in,…] rounded to the steps of its output channels, I8, in the same order. */
    static ByteBuffer int8Kernel(HostTensor t, int largest) {
        int rows = Math.toIntExact(t.shape()[0]);
        int columns = Math.toIntExact(t.elementCount() / rows);
        FloatBuffer in = toF32(t).asFloatBuffer();
        ByteBuffer scales = int8Scales(t, largest);
        ByteBuffer kernel = allocate((long) rows * columns);
        for (int i = 0; i < rows * columns; i++) {
            kernel.put(i, (byte) Math.rint(in.get(i) / scales.getFloat(4 * (i / columns))));
        }
        return kernel;
    }

    /** A bias [out] in the steps of a convolution's sums, which are those of input times kernel: I32 [out]. */
    static ByteBuffer int8Bias(HostTensor bias, HostTensor kernel, float inputStep, int largest) {
        int rows = Math.toIntExact(bias.elementCount());
        FloatBuffer in = toF32(bias).asFloatBuffer();
        ByteBuffer scales = int8Scales(kernel, largest);
        ByteBuffer out = allocate(4L * rows);
        for (int i = 0; i < rows; i++) {
            double steps = in.get(i) / ((double) inputStep * scales.getFloat(4 * i));
            out.putInt(4 * i, (int) Math.rint(Math.max(-MOST_STEPS, Math.min(MOST_STEPS, steps))));
        }
        return out;
    }

    private static IntToDoubleFunction reader(HostTensor t) {
        ShortBuffer s = t.hostBuffer().asShortBuffer();
        return switch (t.dtype()) {
            case F16 -> i -> FloatFormats.f16ToFloat(s.get(i));
            default -> i -> FloatFormats.bf16ToFloat(s.get(i));
        };
    }

    private static ByteBuffer allocate(long bytes) {
        return ByteBuffer.allocate(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
    }
}
