package io.teleworld.testkit;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;

/**
 * A row-major array of doubles that holds only values of its element type: whatever is stored is rounded to it. Integers
 * are exact up to 2⁵³. Immutable by convention.
 */
final class NdArray {

    private final DType dtype;
    private final int[] shape;
    private final int[] strides;
    private final double[] data;

    /** The element at an index, for {@link #of(DType, int[], Element)}. */
    interface Element {
        double at(int[] index);
    }

    private NdArray(DType dtype, int[] shape, double[] data) {
        this.dtype = dtype;
        this.shape = shape;
        this.strides = stridesOf(shape);
        this.data = data;
    }

    static NdArray zeros(DType dtype, int... shape) {
        return new NdArray(dtype, shape.clone(), new double[count(shape)]);
    }

    /** Rounds the values to the element type; takes over the array. */
    static NdArray of(DType dtype, int[] shape, double[] values) {
        for (int i = 0; i < values.length; i++) {
            values[i] = round(dtype, values[i]);
        }
        return new NdArray(dtype, shape.clone(), values);
    }

    /** An array whose every element is a function of its index. */
    static NdArray of(DType dtype, int[] shape, Element element) {
        double[] out = new double[count(shape)];
        int[] index = new int[shape.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = element.at(index);
            for (int a = shape.length - 1; a >= 0 && ++index[a] == shape[a]; a--) {
                index[a] = 0;
            }
        }
        return of(dtype, shape, out);
    }

    static NdArray of(Tensor t) {
        int[] shape = Arrays.stream(t.shape()).mapToInt(Math::toIntExact).toArray();
        double[] out = new double[count(shape)];
        ByteBuffer b = t.hostBuffer();
        DType d = t.dtype();
        for (int i = 0; i < out.length; i++) {
            out[i] = switch (d) {
                case F64 -> b.getDouble(8 * i);
                case F32 -> b.getFloat(4 * i);
                case F16 -> FloatFormats.f16ToFloat(b.getShort(2 * i));
                case BF16 -> FloatFormats.bf16ToFloat(b.getShort(2 * i));
                case F8_E4M3 -> FloatFormats.f8e4m3ToFloat(b.get(i));
                case I64 -> b.getLong(8 * i);
                case I32 -> b.getInt(4 * i);
                case I8 -> b.get(i);
                case U8 -> b.get(i) & 0xff;
                case BOOL -> b.get(i) == 0 ? 0 : 1;
            };
        }
        return new NdArray(d, shape, out);
    }

    HostTensor toHost() {
        long[] s = Arrays.stream(shape).asLongStream().toArray();
        HostTensor t = HostTensor.zeros(dtype, s);
        ByteBuffer b = t.mutableBuffer();
        for (int i = 0; i < data.length; i++) {
            double v = data[i];
            switch (dtype) {
                case F64 -> b.putDouble(8 * i, v);
                case F32 -> b.putFloat(4 * i, (float) v);
                case F16 -> b.putShort(2 * i, FloatFormats.floatToF16((float) v));
                case BF16 -> b.putShort(2 * i, FloatFormats.floatToBf16((float) v));
                case F8_E4M3 -> throw new IllegalStateException("the interpreter does not make F8_E4M3");
                case I64 -> b.putLong(8 * i, (long) v);
                case I32 -> b.putInt(4 * i, (int) v);
                case I8, U8, BOOL -> b.put(i, (byte) (long) v);
            }
        }
        return t;
    }

    /** The value of the element type that a double is stored as. */
    static double round(DType dtype, double v) {
        return switch (dtype) {
            case F64 -> v;
            case F32 -> (float) v;
            case F16 -> FloatFormats.f16ToFloat(FloatFormats.floatToF16((float) v));
            case BF16 -> FloatFormats.bf16ToFloat(FloatFormats.floatToBf16((float) v));
            case F8_E4M3 -> throw new IllegalStateException("the interpreter does not make F8_E4M3");
            case I64 -> (long) v;
            case I32 -> (int) (long) v;
            case I8 -> (byte) (long) v;
            case U8 -> (long) v & 0xff;
            case BOOL -> v != 0 ? 1 : 0;
        };
    }

    DType dtype() {
        return dtype;
    }

    int rank() {
        return shape.length;
    }

    int[] shape() {
        return shape.clone();
    }

    int extent(int axis) {
        return shape[axis < 0 ? axis + shape.length : axis];
    }

    int stride(int axis) {
        return strides[axis < 0 ? axis + shape.length : axis];
    }

    int size() {
        return data.length;
    }

    long byteSize() {
        return (long) data.length * dtype.byteSize();
    }

    /** The element at a row-major position. */
    double flat(int i) {
        return data[i];
    }

    double get(int... index) {
        int o = 0;
        for (int a = 0; a < index.length; a++) {
            o += index[a] * strides[a];
        }
        return data[o];
    }

    /** The element that broadcasting puts at an index of an array of equal or higher rank. */
    double getBroadcast(int[] index) {
        int lead = index.length - shape.length;
        int o = 0;
        for (int a = 0; a < shape.length; a++) {
            o += (shape[a] == 1 ? 0 : index[a + lead]) * strides[a];
        }
        return data[o];
    }

    NdArray map(DoubleUnaryOperator f) {
        return of(dtype, shape, Arrays.stream(data).map(f).toArray());
    }

    /** Combines two arrays element by element with NumPy broadcasting. */
    static NdArray zip(DType dtype, NdArray a, NdArray b, DoubleBinaryOperator f) {
        return of(
                dtype,
                broadcast(a.shape, b.shape),
                index -> f.applyAsDouble(a.getBroadcast(index), b.getBroadcast(index)));
    }

    NdArray reshaped(int... newShape) {
        if (count(newShape) != data.length) {
            throw new IllegalStateException(Arrays.toString(shape) + " cannot become " + Arrays.toString(newShape));
        }
        return new NdArray(dtype, newShape.clone(), data);
    }

    NdArray as(DType other) {
        return of(other, shape, data.clone());
    }

    /** Entry {@code i} of the first axis. */
    NdArray row(int i) {
        int n = strides[0];
        return new NdArray(
                dtype, Arrays.copyOfRange(shape, 1, shape.length), Arrays.copyOfRange(data, i * n, (i + 1) * n));
    }

    static int[] broadcast(int[] a, int[] b) {
        int[] out = (a.length >= b.length ? a : b).clone();
        int[] shorter = a.length >= b.length ? b : a;
        int lead = out.length - shorter.length;
        for (int i = 0; i < shorter.length; i++) {
            int o = out[i + lead];
            if (o == 1) {
                out[i + lead] = shorter[i];
            } else if (shorter[i] != 1 && shorter[i] != o) {
                throw new IllegalStateException(
                        Arrays.toString(a) + " and " + Arrays.toString(b) + " do not broadcast");
            }
        }
        return out;
    }

    private static int[] stridesOf(int[] shape) {
        int[] s = new int[shape.length];
        int n = 1;
        for (int a = shape.length - 1; a >= 0; a--) {
            s[a] = n;
            n *= shape[a];
        }
        return s;
    }

    private static int count(int[] shape) {
        int n = 1;
        for (int d : shape) {
            n = Math.multiplyExact(n, d);
        }
        return n;
    }

    @Override
    public String toString() {
        return dtype + Arrays.toString(shape);
    }
}
