package io.teleworld.core.weights;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;

/** Between fp32 and the formats in which weights are stored. Stateless. */
public final class Conversions {

    /** What an int8 weight's companion is called: {@code name.scale}, one fp32 factor per row (output channel). */
    public static final String SCALE_SUFFIX = ".scale";

    private Conversions() {}

    /**
     * An int8 weight with a factor per row: value = int8 · scale[row].
     *
     * @param values I8, the weight's shape
     * @param scale F32 [rows]
     */
    public record Int8(HostTensor values, HostTensor scale) {}

    /**
     * A floating-point tensor in another type, rounded to nearest even.
     *
     * @param to F32, F16 or BF16
     */
    public static HostTensor convert(HostTensor from, DType to) {
        if (from.dtype() == to) {
            return from;
        }
        HostTensor out = HostTensor.zeros(to, from.shape());
        ByteBuffer a = from.hostBuffer();
        ByteBuffer b = out.mutableBuffer();
        int n = Math.toIntExact(from.elementCount());
        for (int i = 0; i < n; i++) {
            write(to, b, i, read(from.dtype(), a, i));
        }
        return out;
    }

    /**
     * Rounds a weight to int8, each row by its own largest magnitude / 127.
     *
     * @param weight floating point, rank 1 or more
     */
    public static Int8 quantise(HostTensor weight) {
        long[] shape = weight.shape();
        if (shape.length < 1) {
            throw new IllegalArgumentException("a scalar has no rows to quantise");
        }
        int rows = Math.toIntExact(shape[0]);
        int n = Math.toIntExact(weight.elementCount());
        int columns = rows == 0 ? 0 : n / rows;
        HostTensor values = HostTensor.zeros(DType.I8, shape);
        HostTensor scale = HostTensor.zeros(DType.F32, rows);
        ByteBuffer in = weight.hostBuffer();
        for (int r = 0; r < rows; r++) {
            float largest = 0;
            for (int c = 0; c < columns; c++) {
                largest = Math.max(largest, Math.abs(read(weight.dtype(), in, r * columns + c)));
            }
            float s = largest == 0 ? 1 : largest / 127;
            scale.mutableBuffer().putFloat(4 * r, s);
            for (int c = 0; c < columns; c++) {
                int q = Math.round(read(weight.dtype(), in, r * columns + c) / s);
                values.mutableBuffer().put(r * columns + c, (byte) Math.max(-127, Math.min(127, q)));
            }
        }
        return new Int8(values, scale);
    }

    /**
     * The fp32 weight that an int8 or fp8 one stands for.
     *
     * @param scale F32, one factor per row or a single one
     */
    public static HostTensor dequantise(HostTensor values, HostTensor scale) {
        HostTensor out = HostTensor.zeros(DType.F32, values.shape());
        int n = Math.toIntExact(values.elementCount());
        int factors = Math.toIntExact(scale.elementCount());
        long[] shape = values.shape();
        if (factors != 1 && (shape.length == 0 || factors != shape[0])) {
            throw new IllegalArgumentException(
                    "there are " + factors + " scales for " + values + "; allowed are 1 or one per row");
        }
        int perFactor = n / Math.max(1, factors);
        ByteBuffer in = values.hostBuffer();
        ByteBuffer s = scale.hostBuffer();
        ByteBuffer to = out.mutableBuffer();
        for (int i = 0; i < n; i++) {
            to.putFloat(4 * i, read(values.dtype(), in, i) * s.getFloat(4 * (i / perFactor)));
        }
        return out;
    }

    static void write(DType type, ByteBuffer b, int i, float v) {
        switch (type) {
            case F32 -> b.putFloat(4 * i, v);
            case F16 -> b.putShort(2 * i, FloatFormats.floatToF16(v));
            case BF16 -> b.putShort(2 * i, FloatFormats.floatToBf16(v));
            default -> throw new IllegalArgumentException("cannot convert to " + type + "; allowed are F32, F16, BF16");
        }
    }

    static float read(DType type, ByteBuffer b, int i) {
        return switch (type) {
            case F64 -> (float) b.getDouble(8 * i);
            case F32 -> b.getFloat(4 * i);
            case F16 -> FloatFormats.f16ToFloat(b.getShort(2 * i));
            case BF16 -> FloatFormats.bf16ToFloat(b.getShort(2 * i));
            case F8_E4M3 -> FloatFormats.f8e4m3ToFloat(b.get(i));
            case I8 -> b.get(i);
            default -> throw new IllegalArgumentException("weights of " + type + " cannot be read as numbers");
        };
    }
}
