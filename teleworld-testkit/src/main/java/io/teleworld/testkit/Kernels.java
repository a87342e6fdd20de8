package io.teleworld.testkit;

import io.teleworld.graph.Op;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What each operator computes, written as its definition reads: every output element is a function of its index. Output
 * shapes come from the arrays, not from shape inference, so that each checks the other.
 */
final class Kernels {

    /** Computes the outputs of one node. */
    interface Kernel {
        List<NdArray> run(Op op, List<NdArray> in, Map<String, Long> symbols);
    }

    private interface Single<T extends Op> {
        NdArray run(T op, List<NdArray> in);
    }

    private static final Map<Class<? extends Op>, Kernel> ALL = table();

    private Kernels() {}

    /** The kernels by operator: all but reading and writing of state. */
    static Map<Class<? extends Op>, Kernel> all() {
        return ALL;
    }

    private static Map<Class<? extends Op>, Kernel> table() {
        Map<Class<? extends Op>, Kernel> t = new LinkedHashMap<>();
        unary(t, Op.Abs.class, Math::abs);
        unary(t, Op.Neg.class, x -> -x);
        unary(t, Op.Exp.class, Math::exp);
        unary(t, Op.Log.class, Math::log);
        unary(t, Op.Sqrt.class, Math::sqrt);
        unary(t, Op.Reciprocal.class, x -> 1 / x);
        unary(t, Op.Sin.class, Math::sin);
        unary(t, Op.Cos.class, Math::cos);
        unary(t, Op.Tanh.class, Math::tanh);
        unary(t, Op.Sigmoid.class, Kernels::sigmoid);
        unary(t, Op.Relu.class, x -> x < 0 ? 0 : x);
        unary(t, Op.Softplus.class, x -> Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
        unary(t, Op.Erf.class, Kernels::erf);
        unary(t, Op.Floor.class, Math::floor);
        unary(t, Op.Silu.class, x -> x * sigmoid(x));
        single(t, Op.Gelu.class, (op, in) -> in.get(0).map(op.tanhApproximation() ? Kernels::geluTanh : Kernels::gelu));
        single(t, Op.Clip.class, (op, in) -> in.get(0).map(x -> Math.min(Math.max(x, op.min()), op.max())));
        single(t, Op.Cast.class, (op, in) -> in.get(0).as(op.to()));

        binary(t, Op.Add.class, Double::sum);
        binary(t, Op.Sub.class, (a, b) -> a - b);
        binary(t, Op.Mul.class, (a, b) -> a * b);
        single(t, Op.Div.class, (op, in) -> div(in.get(0), in.get(1)));
        binary(t, Op.Pow.class, Math::pow);
        binary(t, Op.Max.class, Math::max);
        binary(t, Op.Min.class, Math::min);
        predicate(t, Op.Equal.class, (a, b) -> a == b ? 1 : 0);
        predicate(t, Op.Less.class, (a, b) -> a < b ? 1 : 0);
        predicate(t, Op.Greater.class, (a, b) -> a > b ? 1 : 0);
        predicate(t, Op.And.class, (a, b) -> a != 0 && b != 0 ? 1 : 0);
        predicate(t, Op.Or.class, (a, b) -> a != 0 || b != 0 ? 1 : 0);
        single(t, Op.Where.class, (op, in) -> where(in.get(0), in.get(1), in.get(2)));

        single(
                t,
                Op.ReduceSum.class,
                (op, in) -> reduce(op, in.get(0), v -> Arrays.stream(v).sum()));
        single(
                t,
                Op.ReduceMean.class,
                (op, in) ->
                        reduce(op, in.get(0), v -> Arrays.stream(v).average().orElse(Double.NaN)));
        single(
                t,
                Op.ReduceMax.class,
                (op, in) -> reduce(op, in.get(0), v -> Arrays.stream(v).max().orElse(Double.NEGATIVE_INFINITY)));
        single(t, Op.Softmax.class, (op, in) -> softmax(in.get(0), op.axis()));

        single(
                t,
                Op.LayerNormalization.class,
                (op, in) -> layerNorm(in.get(0), in.get(1), in.size() == 3 ? in.get(2) : null, op.epsilon()));
        single(t, Op.RMSNormalization.class, (op, in) -> rmsNorm(in.get(0), in.get(1), op.epsilon()));
        single(t, Op.GroupNormalization.class, Kernels::groupNorm);

        single(t, Op.MatMul.class, (op, in) -> matMul(in.get(0), in.get(1)));
        single(t, Op.Conv.class, Kernels::conv);
        single(t, Op.Attention.class, Kernels::attention);
        single(
                t,
                Op.RotaryEmbedding.class,
                (op, in) -> rotary(
                        in.get(0), in.get(1), in.get(2), op.heads(), in.get(0).dtype()));

        t.put(
                Op.Reshape.class,
                (op, in, symbols) -> List.of(
                        in.get(0).reshaped(ints(((Op.Reshape) op).shape().evaluate(symbols)))));
        single(t, Op.Transpose.class, (op, in) -> transpose(in.get(0), op.permutation()));
        single(t, Op.Concat.class, (op, in) -> concat(in, op.axis()));
        t.put(Op.Split.class, (op, in, symbols) -> split((Op.Split) op, in.get(0)));
        single(t, Op.Slice.class, (op, in) -> slice(op, in.get(0)));
        single(t, Op.Gather.class, (op, in) -> gather(in.get(0), in.get(1), op.axis()));
        t.put(
                Op.Expand.class,
                (op, in, symbols) -> List.of(NdArray.of(
                        in.get(0).dtype(), ints(((Op.Expand) op).shape().evaluate(symbols)), in.get(0)::getBroadcast)));
        single(t, Op.Pad.class, (op, in) -> pad(op, in.get(0)));
        single(t, Op.Resize.class, (op, in) -> resize(op, in.get(0)));
        single(t, Op.DepthToSpace.class, (op, in) -> depthToSpace(op, in.get(0)));

        single(t, Op.Linear.class, (op, in) -> linear(in));
        single(t, Op.ModulatedLayerNorm.class, (op, in) -> modulatedLayerNorm(op, in));
        single(
                t,
                Op.GatedResidual.class,
                (op, in) -> NdArray.of(
                        in.get(0).dtype(),
                        in.get(0).shape(),
                        i -> in.get(0).get(i) + in.get(1).get(i) * in.get(2).getBroadcast(i)));
        single(
                t,
                Op.NormedRotary.class,
                (op, in) -> rotary(
                        rmsNorm(in.get(0), in.get(1), op.epsilon()),
                        in.get(2),
                        in.get(3),
                        op.heads(),
                        in.get(0).dtype()));
        single(t, Op.MemoryBlock.class, (op, in) -> memoryBlock(in));
        single(t, Op.WindowAttention.class, Kernels::windowAttention);
        return Map.copyOf(t);
    }

    private static <T extends Op> void single(Map<Class<? extends Op>, Kernel> t, Class<T> type, Single<T> kernel) {
        t.put(type, (op, in, symbols) -> List.of(kernel.run(type.cast(op), in)));
    }

    private static void unary(Map<Class<? extends Op>, Kernel> t, Class<? extends Op> type, DoubleUnaryOperator f) {
        single(t, type, (op, in) -> in.get(0).map(f));
    }

    private static void binary(Map<Class<? extends Op>, Kernel> t, Class<? extends Op> type, DoubleBinaryOperator f) {
        single(t, type, (op, in) -> NdArray.zip(in.get(0).dtype(), in.get(0), in.get(1), f));
    }

    private static void predicate(
            Map<Class<? extends Op>, Kernel> t, Class<? extends Op> type, DoubleBinaryOperator f) {
        single(t, type, (op, in) -> NdArray.zip(DType.BOOL, in.get(0), in.get(1), f));
    }

    // ------------------------------------------------------------------------------------------ element by element

    static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    /** Gaussian error function: erf x = 2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, whose terms all have one sign. */
    static double erf(double x) {
        if (Double.isNaN(x) || Math.abs(x) > 6) {
            return Double.isNaN(x) ? x : Math.signum(x);
        }
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    static double gelu(double x) {
        return 0.5 * x * (1 + erf(x / Math.sqrt(2)));
    }

    static double geluTanh(double x) {
        return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    }

    private static NdArray div(NdArray a, NdArray b) {
        if (a.dtype().isFloat()) {
            return NdArray.zip(a.dtype(), a, b, (x, y) -> x / y);
        }
        return NdArray.zip(a.dtype(), a, b, (x, y) -> {
            if (y == 0) {
                throw new ArithmeticException("integer division by zero");
            }
            long quotient = (long) x / (long) y;
            return quotient;
        });
    }

    private static NdArray where(NdArray condition, NdArray a, NdArray b) {
        int[] shape = NdArray.broadcast(condition.shape(), NdArray.broadcast(a.shape(), b.shape()));
        return NdArray.of(
                a.dtype(), shape, i -> condition.getBroadcast(i) != 0 ? a.getBroadcast(i) : b.getBroadcast(i));
    }

    // ------------------------------------------------------------------------------------------ reductions

    private static NdArray reduce(Op.Reduction op, NdArray x, Function<double[], Double> f) {
        boolean[] reduced = new boolean[x.rank()];
        op.axes().forEach(a -> reduced[a < 0 ? a + x.rank() : a] = true);
        int[] kept = x.shape();
        for (int a = 0; a < kept.length; a++) {
            if (reduced[a]) {
                kept[a] = 1;
            }
        }
        int[] run = x.shape();
        for (int a = 0; a < run.length; a++) {
            if (!reduced[a]) {
                run[a] = 1;
            }
        }
        NdArray result = NdArray.of(x.dtype(), kept, base -> {
            double[] values = new double[Arrays.stream(run).reduce(1, (p, q) -> p * q)];
            int[] at = base.clone();
            for (int i = 0; i < values.length; i++) {
                int rest = i;
                for (int a = run.length - 1; a >= 0; a--) {
                    at[a] = base[a] + rest % run[a];
                    rest /= run[a];
                }
                values[i] = x.get(at);
            }
            return f.apply(values);
        });
        int[] shape = op.keepDims()
                ? kept
                : IntStream.range(0, kept.length)
                        .filter(a -> !reduced[a])
                        .map(a -> kept[a])
                        .toArray();
        return result.reshaped(shape);
    }

    private static NdArray softmax(NdArray x, int axis) {
        int a = axis < 0 ? axis + x.rank() : axis;
        if (a == x.rank() - 1) {
            return rows(x, Kernels::softmax);
        }
        return NdArray.of(x.dtype(), x.shape(), index -> {
            int[] at = index.clone();
            double[] line = new double[x.extent(a)];
            for (int i = 0; i < line.length; i++) {
                at[a] = i;
                line[i] = x.get(at);
            }
            return softmax(line)[index[a]];
        });
    }

    private static double[] softmax(double[] line) {
        double top = Arrays.stream(line).max().orElse(0);
        double[] e = Arrays.stream(line).map(v -> Math.exp(v - top)).toArray();
        double sum = Arrays.stream(e).sum();
        return Arrays.stream(e).map(v -> v / sum).toArray();
    }

    // ------------------------------------------------------------------------------------------ normalisation

    /** Rows of the last axis transformed one by one. */
    private static NdArray rows(NdArray x, Function<double[], double[]> f) {
        int d = x.extent(-1);
        double[] out = new double[x.size()];
        for (int start = 0; d > 0 && start < out.length; start += d) {
            double[] row = new double[d];
            for (int i = 0; i < d; i++) {
                row[i] = x.flat(start + i);
            }
            System.arraycopy(f.apply(row), 0, out, start, d);
        }
        return NdArray.of(x.dtype(), x.shape(), out);
    }

    private static double[] standardised(double[] v, double epsilon) {
        double mean = Arrays.stream(v).average().orElse(0);
        double variance =
                Arrays.stream(v).map(e -> (e - mean) * (e - mean)).average().orElse(0);
        return Arrays.stream(v)
                .map(e -> (e - mean) / Math.sqrt(variance + epsilon))
                .toArray();
    }

    private static NdArray layerNorm(NdArray x, NdArray scale, @Nullable NdArray bias, double epsilon) {
        return rows(x, row -> {
            double[] n = standardised(row, epsilon);
            for (int i = 0; i < n.length; i++) {
                n[i] = n[i] * scale.get(i) + (bias == null ? 0 : bias.get(i));
            }
            return n;
        });
    }

    private static NdArray rmsNorm(NdArray x, NdArray scale, double epsilon) {
        return rows(x, row -> {
            double rms = Math.sqrt(Arrays.stream(row).map(e -> e * e).average().orElse(0) + epsilon);
            return IntStream.range(0, row.length)
                    .mapToDouble(i -> row[i] / rms * scale.get(i))
                    .toArray();
        });
    }

    private static NdArray groupNorm(Op.GroupNormalization op, List<NdArray> in) {
        NdArray x = in.get(0);
        int channels = x.extent(1);
        int perGroup = channels / op.groups() * x.stride(1);
        int[] flat = {x.extent(0), op.groups(), perGroup};
        NdArray normed =
                rows(x.reshaped(flat), row -> standardised(row, op.epsilon())).reshaped(x.shape());
        return NdArray.of(
                x.dtype(),
                x.shape(),
                i -> normed.get(i) * in.get(1).get(i[1]) + in.get(2).get(i[1]));
    }

    // ------------------------------------------------------------------------------------------ products

    private static NdArray matMul(NdArray a, NdArray b) {
        int inner = a.extent(-1);
        int[] lead = NdArray.broadcast(Arrays.copyOf(a.shape(), a.rank() - 2), Arrays.copyOf(b.shape(), b.rank() - 2));
        int[] shape = Arrays.copyOf(lead, lead.length + 2);
        shape[lead.length] = a.extent(-2);
        shape[lead.length + 1] = b.extent(-1);
        int stepA = a.stride(-1);
        int stepB = b.stride(-2);
        return NdArray.of(a.dtype(), shape, index -> {
            int row = index[lead.length];
            int column = index[lead.length + 1];
            int oa = leadOffset(a, index) + row * a.stride(-2);
            int ob = leadOffset(b, index) + column;
            double sum = 0;
            for (int k = 0; k < inner; k++) {
                sum += a.flat(oa + k * stepA) * b.flat(ob + k * stepB);
            }
            return sum;
        });
    }

    private static int leadOffset(NdArray x, int[] index) {
        int lead = x.rank() - 2;
        int skip = index.length - 2 - lead;
        int o = 0;
        for (int k = 0; k < lead; k++) {
            o += x.extent(k) == 1 ? 0 : index[k + skip] * x.stride(k);
        }
        return o;
    }

    private static NdArray linear(List<NdArray> in) {
        NdArray x = in.get(0);
        NdArray w = in.get(1);
        int[] shape = x.shape();
        shape[shape.length - 1] = w.extent(0);
        int width = w.extent(1);
        return NdArray.of(x.dtype(), shape, index -> {
            int o = index[shape.length - 1];
            int start = 0;
            for (int a = 0; a < shape.length - 1; a++) {
                start += index[a] * x.stride(a);
            }
            double sum = in.size() == 3 ? in.get(2).get(o) : 0;
            for (int k = 0; k < width; k++) {
                sum += x.flat(start + k) * w.flat(o * width + k);
            }
            return sum;
        });
    }

    private static NdArray conv(Op.Conv op, List<NdArray> in) {
        NdArray x = in.get(0);
        NdArray w = in.get(1);
        int axes = x.rank() - 2;
        int[] shape = x.shape();
        shape[1] = w.extent(0);
        int[] kernel = new int[axes];
        int taps = 1;
        for (int k = 0; k < axes; k++) {
            kernel[k] = w.extent(k + 2);
            taps *= kernel[k];
            int reach = op.dilations().get(k) * (kernel[k] - 1) + 1;
            shape[k + 2] = (x.extent(k + 2) + op.pads().get(k) + op.pads().get(k + axes) - reach)
                            / op.strides().get(k)
                    + 1;
        }
        int channels = w.extent(1);
        int outPerGroup = w.extent(0) / op.group();
        int kernelSize = taps;
        return NdArray.of(x.dtype(), shape, index -> {
            int m = index[1];
            int firstChannel = m / outPerGroup * channels;
            double sum = in.size() == 3 ? in.get(2).get(m) : 0;
            for (int tap = 0; tap < kernelSize; tap++) {
                int at = index[0] * x.stride(0) + firstChannel * x.stride(1);
                boolean inside = true;
                int rest = tap;
                for (int k = axes - 1; k >= 0; k--) {
                    int p = index[k + 2] * op.strides().get(k)
                            - op.pads().get(k)
                            + rest % kernel[k] * op.dilations().get(k);
                    rest /= kernel[k];
                    inside &= p >= 0 && p < x.extent(k + 2);
                    at += p * x.stride(k + 2);
                }
                for (int c = 0; inside && c < channels; c++) {
                    sum += x.flat(at + c * x.stride(1)) * w.flat((m * channels + c) * kernelSize + tap);
                }
            }
            return sum;
        });
    }

    private static NdArray attention(Op.Attention op, List<NdArray> in) {
        NdArray q = in.get(0);
        NdArray k = in.get(1);
        NdArray v = in.get(2);
        int batch = q.extent(0);
        int queries = q.extent(1);
        int keys = k.extent(1);
        int d = q.extent(2) / op.heads();
        int dv = v.extent(2) / op.heads();
        double[] out = new double[batch * queries * op.heads() * dv];
        int o = 0;
        for (int b = 0; b < batch; b++) {
            for (int i = 0; i < queries; i++) {
                for (int h = 0; h < op.heads(); h++) {
                    double[] score = new double[keys];
                    for (int j = 0; j < keys; j++) {
                        double dot = 0;
                        for (int c = 0; c < d; c++) {
                            dot += q.get(b, i, h * d + c) * k.get(b, j, h * d + c);
                        }
                        score[j] = dot * op.scale() + (in.size() == 4 ? maskValue(in.get(3), b, i, j) : 0);
                    }
                    double top = Arrays.stream(score).max().orElse(0);
                    double sum = 0;
                    for (int j = 0; j < keys; j++) {
                        score[j] = Math.exp(score[j] - top);
                        sum += score[j];
                    }
                    for (int c = 0; c < dv; c++) {
                        double mix = 0;
                        for (int j = 0; j < keys; j++) {
                            mix += score[j] / sum * v.get(b, j, h * dv + c);
                        }
                        out[o++] = mix;
                    }
                }
            }
        }
        return NdArray.of(q.dtype(), new int[] {batch, queries, op.heads() * dv}, out);
    }

    private static NdArray windowAttention(Op.WindowAttention op, List<NdArray> in) {
        NdArray q = in.get(0);
        NdArray k = in.get(1);
        NdArray v = in.get(2);
        NdArray kept = in.get(3);
        NdArray neighbours = in.get(4);
        int slabs = k.extent(1);
        int members = q.extent(1) / neighbours.extent(0);
        int d = q.extent(2) / op.heads();
        double[] out = new double[q.extent(0) * q.extent(1) * q.extent(2)];
        int o = 0;
        for (int b = 0; b < q.extent(0); b++) {
            int from = k.extent(0) == 1 ? 0 : b;
            for (int i = 0; i < q.extent(1); i++) {
                int window = i / members;
                for (int h = 0; h < op.heads(); h++) {
                    double[] mix = new double[d];
                    double sum = 0;
                    for (int pair = 0; pair < kept.extent(3); pair++) {
                        if (kept.get(b, window, h, pair) == 0) {
                            continue;
                        }
                        int slab = pair % slabs;
                        int first = (int) Math.round(neighbours.get(window, pair / slabs)) * members;
                        for (int j = first; j < first + members; j++) {
                            double dot = 0;
                            for (int c = 0; c < d; c++) {
                                dot += q.get(b, i, h * d + c) * k.get(from, slab, j, h * d + c);
                            }
                            double weight = Math.exp(dot * op.scale());
                            sum += weight;
                            for (int c = 0; c < d; c++) {
                                mix[c] += weight * v.get(from, slab, j, h * d + c);
                            }
                        }
                    }
                    for (int c = 0; c < d; c++) {
                        out[o++] = sum == 0 ? 0 : mix[c] / sum;
                    }
                }
            }
        }
        return NdArray.of(q.dtype(), new int[] {q.extent(0), q.extent(1), q.extent(2)}, out);
    }

    private static double maskValue(NdArray mask, int b, int i, int j) {
        double m = mask.rank() == 2 ? mask.get(i, j) : mask.get(mask.extent(0) == 1 ? 0 : b, 0, i, j);
        if (mask.dtype() == DType.BOOL) {
            return m != 0 ? 0 : Double.NEGATIVE_INFINITY;
        }
        return m;
    }

    private static NdArray rotary(NdArray x, NdArray cos, NdArray sin, int heads, DType dtype) {
        int d = x.extent(2) / heads;
        return NdArray.of(dtype, x.shape(), i -> {
            int j = i[2] % d / 2;
            int even = i[2] - i[2] % 2;
            double c = cos.getBroadcast(new int[] {i[0], i[1], j});
            double s = sin.getBroadcast(new int[] {i[0], i[1], j});
            double re = x.get(i[0], i[1], even);
            double im = x.get(i[0], i[1], even + 1);
            return i[2] == even ? re * c - im * s : re * s + im * c;
        });
    }

    // ------------------------------------------------------------------------------------------ shape

    private static NdArray transpose(NdArray x, List<Integer> permutation) {
        int rank = x.rank();
        int[] shape = new int[rank];
        for (int a = 0; a < rank; a++) {
            shape[a] = x.extent(permutation.get(a));
        }
        return NdArray.of(x.dtype(), shape, index -> {
            int[] at = new int[rank];
            for (int a = 0; a < rank; a++) {
                at[permutation.get(a)] = index[a];
            }
            return x.get(at);
        });
    }

    private static NdArray concat(List<NdArray> in, int axis) {
        int a = axis < 0 ? axis + in.get(0).rank() : axis;
        int[] shape = in.get(0).shape();
        shape[a] = in.stream().mapToInt(x -> x.extent(a)).sum();
        return NdArray.of(in.get(0).dtype(), shape, index -> {
            int[] at = index.clone();
            int part = 0;
            while (at[a] >= in.get(part).extent(a)) {
                at[a] -= in.get(part++).extent(a);
            }
            return in.get(part).get(at);
        });
    }

    private static List<NdArray> split(Op.Split op, NdArray x) {
        List<NdArray> out = new ArrayList<>();
        int start = 0;
        for (long size : op.sizes()) {
            out.add(cut(x, op.axis(), start, Math.toIntExact(size)));
            start += Math.toIntExact(size);
        }
        return out;
    }

    private static NdArray slice(Op.Slice op, NdArray x) {
        int n = x.extent(op.axis());
        long from = op.start() < 0 ? op.start() + n : op.start();
        long to = op.end() == Op.Slice.TO_END ? n : op.end() < 0 ? op.end() + n : op.end();
        return cut(x, op.axis(), Math.toIntExact(from), Math.toIntExact(to - from));
    }

    private static NdArray cut(NdArray x, int axis, int start, int size) {
        int a = axis < 0 ? axis + x.rank() : axis;
        int[] shape = x.shape();
        shape[a] = size;
        return NdArray.of(x.dtype(), shape, index -> {
            int[] at = index.clone();
            at[a] += start;
            return x.get(at);
        });
    }

    private static NdArray gather(NdArray x, NdArray indices, int axis) {
        int a = axis < 0 ? axis + x.rank() : axis;
        int[] shape = IntStream.concat(
                        IntStream.range(0, a).map(x::extent),
                        IntStream.concat(
                                Arrays.stream(indices.shape()),
                                IntStream.range(a + 1, x.rank()).map(x::extent)))
                .toArray();
        return NdArray.of(x.dtype(), shape, index -> {
            double row = indices.get(Arrays.copyOfRange(index, a, a + indices.rank()));
            if (row < 0 || row >= x.extent(a)) {
                throw new IndexOutOfBoundsException("index " + (long) row + " is outside [0, " + x.extent(a) + ")");
            }
            int[] at = new int[x.rank()];
            System.arraycopy(index, 0, at, 0, a);
            at[a] = (int) row;
            System.arraycopy(index, a + indices.rank(), at, a + 1, x.rank() - a - 1);
            return x.get(at);
        });
    }

    private static NdArray pad(Op.Pad op, NdArray x) {
        int rank = x.rank();
        int[] shape = x.shape();
        for (int a = 0; a < rank; a++) {
            shape[a] += op.pads().get(a) + op.pads().get(a + rank);
        }
        return NdArray.of(x.dtype(), shape, index -> {
            int[] at = new int[rank];
            for (int a = 0; a < rank; a++) {
                int p = index[a] - op.pads().get(a);
                at[a] = Math.min(Math.max(p, 0), x.extent(a) - 1);
                if (op.mode() == Op.PadMode.CONSTANT && at[a] != p) {
                    return 0;
                }
            }
            return x.get(at);
        });
    }

    private static NdArray resize(Op.Resize op, NdArray x) {
        int[] shape = x.shape();
        shape[2] *= op.scaleH();
        shape[3] *= op.scaleW();
        if (op.mode() == Op.ResizeMode.NEAREST) {
            return NdArray.of(x.dtype(), shape, i -> x.get(i[0], i[1], i[2] / op.scaleH(), i[3] / op.scaleW()));
        }
        return NdArray.of(x.dtype(), shape, i -> {
            double y = Math.min(Math.max((i[2] + 0.5) / op.scaleH() - 0.5, 0), x.extent(2) - 1);
            double u = Math.min(Math.max((i[3] + 0.5) / op.scaleW() - 0.5, 0), x.extent(3) - 1);
            int y0 = (int) y;
            int u0 = (int) u;
            int y1 = Math.min(y0 + 1, x.extent(2) - 1);
            int u1 = Math.min(u0 + 1, x.extent(3) - 1);
            double top = x.get(i[0], i[1], y0, u0) * (1 - (u - u0)) + x.get(i[0], i[1], y0, u1) * (u - u0);
            double bottom = x.get(i[0], i[1], y1, u0) * (1 - (u - u0)) + x.get(i[0], i[1], y1, u1) * (u - u0);
            return top * (1 - (y - y0)) + bottom * (y - y0);
        });
    }

    private static NdArray depthToSpace(Op.DepthToSpace op, NdArray x) {
        int b = op.blocksize();
        int[] shape = {x.extent(0), x.extent(1) / (b * b), x.extent(2) * b, x.extent(3) * b};
        return NdArray.of(
                x.dtype(), shape, i -> x.get(i[0], i[1] * b * b + i[2] % b * b + i[3] % b, i[2] / b, i[3] / b));
    }

    // ------------------------------------------------------------------------------------------ composites

    private static NdArray modulatedLayerNorm(Op.ModulatedLayerNorm op, List<NdArray> in) {
        NdArray x = in.get(0);
        NdArray normed = rows(x, row -> standardised(row, op.epsilon()));
        return NdArray.of(
                x.dtype(),
                x.shape(),
                i -> normed.get(i) * (1 + in.get(2).getBroadcast(i)) + in.get(1).getBroadcast(i));
    }

    private static NdArray memoryBlock(List<NdArray> in) {
        NdArray x = in.get(0);
        DoubleUnaryOperator relu = v -> Math.max(v, 0);
        NdArray y = conv2d(concat(List.of(x, in.get(1)), 1), 1, in.get(2), in.get(3))
                .map(relu);
        y = conv2d(y, 1, in.get(4), in.get(5)).map(relu);
        y = conv2d(y, 1, in.get(6), in.get(7));
        NdArray skip = in.size() == 9 ? conv2d(x, 0, in.get(8)) : x;
        return NdArray.zip(x.dtype(), y, skip, Double::sum).map(relu);
    }

    private static NdArray conv2d(NdArray x, int pad, NdArray... weightAndBias) {
        List<NdArray> in = new ArrayList<>(List.of(x));
        in.addAll(Arrays.asList(weightAndBias));
        return conv(new Op.Conv(List.of(1, 1), List.of(pad, pad, pad, pad), List.of(1, 1), 1), in);
    }

    private static int[] ints(long[] shape) {
        return Arrays.stream(shape).mapToInt(Math::toIntExact).toArray();
    }
}
