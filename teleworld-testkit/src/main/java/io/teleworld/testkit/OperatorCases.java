package io.teleworld.testkit;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Random cases for each operator: shapes, attributes and values within its domain, with broadcasting, symbolic extents,
 * optional inputs, and operands that are inputs, weights or constants. Immutable and thread-safe.
 *
 * <p>Values stay away from discontinuities (floor of nearly whole numbers, division by nearly zero), where a correct
 * runtime may differ.
 */
public final class OperatorCases {

    private static final Map<Class<? extends Op>, Consumer<Draw>> CASES = table();

    private OperatorCases() {}

    /**
     * A random case of one operator; equal seeds give equal cases.
     *
     * @throws IllegalArgumentException if there is no generator for the operator
     */
    public static GraphCase draw(Class<? extends Op> operator, long seed) {
        Consumer<Draw> generator = CASES.get(operator);
        if (generator == null) {
            throw new IllegalArgumentException(
                    "operator " + operator.getSimpleName() + " has no generator in " + OperatorCases.class.getName());
        }
        Draw d = new Draw(operator.getSimpleName(), seed);
        generator.accept(d);
        return d.done();
    }

    private static Map<Class<? extends Op>, Consumer<Draw>> table() {
        Map<Class<? extends Op>, Consumer<Draw>> t = new LinkedHashMap<>();
        unary(t, new Op.Abs(), -2, 2);
        unary(t, new Op.Neg(), -2, 2);
        unary(t, new Op.Exp(), -3, 3);
        unary(t, new Op.Log(), 0.1, 5);
        unary(t, new Op.Sqrt(), 0.01, 5);
        unary(t, new Op.Reciprocal(), 0.3, 4);
        unary(t, new Op.Sin(), -6, 6);
        unary(t, new Op.Cos(), -6, 6);
        unary(t, new Op.Tanh(), -4, 4);
        unary(t, new Op.Sigmoid(), -8, 8);
        unary(t, new Op.Relu(), -2, 2);
        unary(t, new Op.Softplus(), -8, 8);
        unary(t, new Op.Erf(), -3, 3);
        unary(t, new Op.Silu(), -8, 8);
        t.put(Op.Floor.class, d -> {
            Shape s = d.shape(0, 4);
            d.apply(new Op.Floor(), d.value(DType.F32, s, () -> d.between(-5, 5) + d.r.nextDouble(0.05, 0.95)));
        });
        t.put(Op.Gelu.class, d -> d.apply(new Op.Gelu(d.oneIn(2)), d.floats(d.shape(0, 4), -4, 4)));
        t.put(Op.Clip.class, d -> {
            double min = d.r.nextDouble(-2, 1);
            d.apply(new Op.Clip(min, min + d.r.nextDouble(0, 2)), d.floats(d.shape(0, 4), -3, 3));
        });
        t.put(Op.Cast.class, OperatorCases::cast);

        numeric(t, new Op.Add());
        numeric(t, new Op.Sub());
        numeric(t, new Op.Mul());
        numeric(t, new Op.Max());
        numeric(t, new Op.Min());
        t.put(Op.Div.class, d -> {
            Shape s = d.shape(0, 4);
            Shape other = d.broadcastable(s);
            if (d.oneIn(3)) {
                d.apply(new Op.Div(), d.ints(s, -9, 9), d.ints(other, 1, 4));
            } else {
                d.apply(new Op.Div(), d.floats(s), d.floats(other, 0.3, 3));
            }
        });
        t.put(Op.Pow.class, d -> {
            Shape s = d.shape(0, 4);
            d.apply(new Op.Pow(), d.floats(s, 0.3, 3), d.floats(d.broadcastable(s), -2, 2));
        });
        comparison(t, new Op.Equal());
        comparison(t, new Op.Less());
        comparison(t, new Op.Greater());
        logical(t, new Op.And());
        logical(t, new Op.Or());
        t.put(Op.Where.class, d -> {
            Shape s = d.shape(0, 4);
            Shape other = d.broadcastable(s);
            Value condition = d.bools(d.broadcastable(s));
            if (d.oneIn(5)) {
                d.apply(new Op.Where(), condition, d.bools(s), d.bools(other));
            } else if (d.oneIn(3)) {
                d.apply(new Op.Where(), condition, d.ints(s, -9, 9), d.ints(other, -9, 9));
            } else {
                d.apply(new Op.Where(), condition, d.floats(other), d.floats(s));
            }
        });

        t.put(Op.ReduceSum.class, d -> reduction(d, (axes, keep) -> new Op.ReduceSum(axes, keep)));
        t.put(Op.ReduceMean.class, d -> reduction(d, (axes, keep) -> new Op.ReduceMean(axes, keep)));
        t.put(Op.ReduceMax.class, d -> reduction(d, (axes, keep) -> new Op.ReduceMax(axes, keep)));
        t.put(Op.Softmax.class, d -> {
            Shape s = d.shape(1, 4);
            d.apply(new Op.Softmax(axis(d, s.rank())), d.floats(s, -5, 5));
        });

        t.put(Op.LayerNormalization.class, d -> {
            Shape s = withLast(d.shape(1, 4), d.between(2, 8));
            long width = s.dim(-1).known();
            Value x = d.floats(s);
            Value scale = d.weight(0.5, 1.5, width);
            if (d.oneIn(2)) {
                d.apply(new Op.LayerNormalization(1e-5), x, scale);
            } else {
                d.apply(new Op.LayerNormalization(1e-3), x, scale, d.weight(-1, 1, width));
            }
        });
        t.put(Op.RMSNormalization.class, d -> {
            Shape s = withLast(d.shape(1, 4), d.between(1, 8));
            Value x = d.floats(s);
            d.apply(
                    new Op.RMSNormalization(1e-6),
                    x,
                    d.weight(0.5, 1.5, s.dim(-1).known()));
        });
        t.put(Op.GroupNormalization.class, d -> {
            int groups = d.between(1, 3);
            long c = (long) groups * d.between(1, 3);
            List<Dim> dims = new ArrayList<>(List.of(d.dim("n", d.between(1, 3)), Dim.of(c)));
            int spatial = d.between(1, 3);
            for (int k = 0; k < spatial; k++) {
                dims.add(d.dim("s" + k, d.between(2, 4)));
            }
            Value x = d.floats(new Shape(dims));
            d.apply(new Op.GroupNormalization(groups, 1e-5), x, d.weight(0.5, 1.5, c), d.weight(-1, 1, c));
        });

        t.put(Op.MatMul.class, OperatorCases::matMul);
        t.put(Op.Conv.class, OperatorCases::conv);
        t.put(Op.Attention.class, OperatorCases::attention);
        t.put(Op.RotaryEmbedding.class, d -> {
            int heads = d.between(1, 3);
            int half = d.between(1, 4);
            Dim n = d.dim("n", d.between(1, 3));
            Dim length = d.dim("l", d.between(1, 5));
            Shape angles = Shape.of(d.oneIn(2) ? n : Dim.of(1), length, Dim.of(half));
            Value x = d.floats(Shape.of(n, length, Dim.of(2L * heads * half)));
            d.apply(new Op.RotaryEmbedding(heads), x, d.floats(angles, -1, 1), d.floats(angles, -1, 1));
        });

        t.put(Op.Reshape.class, d -> {
            Dim n = d.dim("n", d.between(1, 3));
            int p = d.between(1, 4);
            int q = d.between(1, 4);
            Value x = d.anything(Shape.of(n, Dim.of(p), Dim.of(q)));
            Shape to = switch (d.r.nextInt(5)) {
                case 0 -> Shape.of(n.times(p), Dim.of(q));
                case 1 -> Shape.of(Dim.of(q), n.times(p));
                case 2 -> Shape.of(n.times((long) p * q));
                case 3 -> Shape.of(n, Dim.of(1), Dim.of(q), Dim.of(p));
                default -> Shape.of(Dim.of(p), n, Dim.of(q), Dim.of(1));
            };
            d.apply(new Op.Reshape(to), x);
        });
        t.put(Op.Transpose.class, d -> {
            Shape s = d.shape(1, 5);
            List<Integer> permutation =
                    new ArrayList<>(IntStream.range(0, s.rank()).boxed().toList());
            for (int i = permutation.size() - 1; i > 0; i--) {
                int j = d.r.nextInt(i + 1);
                permutation.set(j, permutation.set(i, permutation.get(j)));
            }
            d.apply(new Op.Transpose(permutation), d.anything(s));
        });
        t.put(Op.Concat.class, d -> {
            Shape s = d.shape(1, 4);
            int axis = axis(d, s.rank());
            boolean whole = d.oneIn(2);
            Value[] parts = new Value[d.between(1, 4)];
            for (int k = 0; k < parts.length; k++) {
                Shape part = k == 0 ? s : s.with(axis, Dim.of(d.between(1, 4)));
                parts[k] = whole ? d.ints(part, -9, 9) : d.floats(part);
            }
            d.apply(new Op.Concat(axis), parts);
        });
        t.put(Op.Split.class, d -> {
            Shape s = d.shape(1, 4);
            int axis = axis(d, s.rank());
            List<Long> sizes = LongStream.range(0, d.between(1, 3))
                    .mapToObj(k -> (long) d.between(1, 3))
                    .toList();
            long sum = sizes.stream().mapToLong(Long::longValue).sum();
            d.apply(new Op.Split(axis, sizes), d.anything(s.with(axis, Dim.of(sum))));
        });
        t.put(Op.Slice.class, OperatorCases::slice);
        t.put(Op.Gather.class, d -> {
            Shape s = d.shape(1, 3);
            int axis = axis(d, s.rank());
            int last = Math.toIntExact(d.extent(s.dim(axis))) - 1;
            int rank = d.between(0, 2);
            Shape indices = new Shape(IntStream.range(0, rank)
                    .mapToObj(k -> Dim.of(d.between(1, 4)))
                    .toList());
            Value data = d.anything(s);
            d.apply(new Op.Gather(axis), data, d.ints(indices, 0, last));
        });
        t.put(Op.Expand.class, d -> {
            Shape to = d.shape(1, 4);
            Value binder = d.input("binder", DType.F32, to, () -> 0);
            Value y = d.b.apply(new Op.Expand(to), List.of(d.floats(d.broadcastable(to))))
                    .get(0);
            d.b.output("binder", binder);
            d.b.output("y0", y);
        });
        t.put(Op.Pad.class, d -> {
            Shape s = d.shape(1, 5);
            List<Integer> pads = IntStream.range(0, 2 * s.rank())
                    .mapToObj(k -> d.between(0, 2))
                    .toList();
            d.apply(new Op.Pad(pads, d.oneIn(2) ? Op.PadMode.EDGE : Op.PadMode.CONSTANT), d.floats(s));
        });
        t.put(Op.Resize.class, d -> {
            Op.ResizeMode mode = d.oneIn(2) ? Op.ResizeMode.LINEAR : Op.ResizeMode.NEAREST;
            d.apply(new Op.Resize(d.between(1, 3), d.between(1, 3), mode), d.floats(image(d, d.between(1, 3))));
        });
        t.put(Op.DepthToSpace.class, d -> {
            int block = d.between(1, 3);
            d.apply(new Op.DepthToSpace(block), d.floats(image(d, block * block * d.between(1, 2))));
        });

        t.put(Op.ReadState.class, d -> {
            d.apply(new Op.ReadState(register(d)));
            d.b.output("y1", d.b.readState(new State.FrameCache("c", "frames", DType.F32, Shape.of(2, 3), 4)));
        });
        t.put(Op.WriteState.class, d -> {
            State.Register register = register(d);
            Value sum = d.b.add(d.b.readState(register), d.input("x", DType.F32, register.shape(), d.r::nextDouble));
            d.b.output("y0", sum);
            d.b.writeState(register, sum);
        });

        t.put(Op.Linear.class, d -> {
            int in = d.between(1, 8);
            int out = d.between(1, 8);
            Value x = d.floats(withLast(d.shape(2, 4), in));
            Value w = d.weight(-1, 1, out, in);
            if (d.oneIn(2)) {
                d.apply(new Op.Linear(), x, w);
            } else {
                d.apply(new Op.Linear(), x, w, d.weight(-1, 1, out));
            }
        });
        t.put(Op.ModulatedLayerNorm.class, d -> {
            Shape s = Shape.of(
                    d.dim("n", d.between(1, 3)),
                    d.dim("f", d.between(1, 3)),
                    d.dim("s", d.between(1, 4)),
                    Dim.of(d.between(2, 8)));
            Shape modulation = s.with(2, Dim.of(1));
            d.apply(new Op.ModulatedLayerNorm(1e-5), d.floats(s), d.floats(modulation), d.floats(modulation));
        });
        t.put(Op.GatedResidual.class, d -> {
            Shape s = d.shape(1, 4);
            d.apply(new Op.GatedResidual(), d.floats(s), d.floats(s), d.floats(d.broadcastable(s)));
        });
        t.put(Op.NormedRotary.class, d -> {
            int heads = d.between(1, 3);
            int half = d.between(1, 4);
            Dim n = d.dim("n", d.between(1, 3));
            Dim length = d.dim("l", d.between(1, 5));
            long width = 2L * heads * half;
            Shape angles = Shape.of(d.oneIn(2) ? n : Dim.of(1), length, Dim.of(half));
            Value x = d.floats(Shape.of(n, length, Dim.of(width)));
            d.apply(
                    new Op.NormedRotary(heads, 1e-6),
                    x,
                    d.weight(0.5, 1.5, width),
                    d.floats(angles, -1, 1),
                    d.floats(angles, -1, 1));
        });
        t.put(Op.MemoryBlock.class, d -> {
            int c = d.between(1, 4);
            int m = d.oneIn(2) ? c : d.between(1, 4);
            Shape s = image(d, c);
            List<Value> in = new ArrayList<>(List.of(d.floats(s), d.floats(s)));
            in.add(d.weight(-0.5, 0.5, m, 2L * c, 3, 3));
            in.add(d.weight(-0.5, 0.5, m));
            in.add(d.weight(-0.5, 0.5, m, m, 3, 3));
            in.add(d.weight(-0.5, 0.5, m));
            in.add(d.weight(-0.5, 0.5, m, m, 3, 3));
            in.add(d.weight(-0.5, 0.5, m));
            if (c != m || d.oneIn(2)) {
                in.add(d.weight(-0.5, 0.5, m, c, 1, 1));
            }
            d.apply(new Op.MemoryBlock(), in.toArray(Value[]::new));
        });
        t.put(Op.WindowAttention.class, d -> {
            int heads = d.between(1, 3);
            int windows = d.between(1, 4);
            int reach = d.between(1, windows);
            Dim n = d.dim("n", d.between(1, 3));
            Dim slabs = d.dim("s", d.between(1, 3));
            Dim tokens = Dim.of((long) windows * d.between(1, 4));
            Dim width = Dim.of((long) heads * d.between(1, 6));
            Shape seen = Shape.of(d.oneIn(2) ? n : Dim.of(1), slabs, tokens, width);
            long[] neighbours = new long[windows * reach];
            for (int w = 0; w < windows; w++) {
                int first = d.r.nextInt(windows);
                for (int r = 0; r < reach; r++) {
                    neighbours[w * reach + r] = ((long) first + r) % windows;
                }
            }
            d.apply(
                    new Op.WindowAttention(heads, d.r.nextDouble(0.2, 1)),
                    d.floats(Shape.of(n, tokens, width)),
                    d.floats(seen),
                    d.floats(seen),
                    d.bools(Shape.of(n, Dim.of(windows), Dim.of(heads), slabs.times(reach))),
                    d.b.constant(neighbours, windows, reach));
        });
        return Map.copyOf(t);
    }

    private static void unary(Map<Class<? extends Op>, Consumer<Draw>> t, Op op, double low, double high) {
        t.put(op.getClass(), d -> d.apply(op, d.floats(d.shape(0, 4), low, high)));
    }

    private static void numeric(Map<Class<? extends Op>, Consumer<Draw>> t, Op op) {
        t.put(op.getClass(), d -> {
            Shape s = d.shape(0, 4);
            Shape other = d.broadcastable(s);
            boolean whole = d.oneIn(3);
            Value x = whole ? d.ints(s, -9, 9) : d.floats(s);
            Value y = whole ? d.ints(other, -9, 9) : d.floats(other);
            d.apply(op, d.oneIn(2) ? new Value[] {x, y} : new Value[] {y, x});
        });
    }

    private static void comparison(Map<Class<? extends Op>, Consumer<Draw>> t, Op op) {
        t.put(op.getClass(), d -> {
            Shape s = d.shape(0, 4);
            DType dtype = d.oneIn(3) ? DType.I64 : DType.F32;
            d.apply(op, d.grid(dtype, s), d.grid(dtype, d.broadcastable(s)));
        });
    }

    private static void logical(Map<Class<? extends Op>, Consumer<Draw>> t, Op op) {
        t.put(op.getClass(), d -> {
            Shape s = d.shape(0, 4);
            d.apply(op, d.bools(d.broadcastable(s)), d.bools(s));
        });
    }

    private static void cast(Draw d) {
        Shape s = d.shape(0, 4);
        switch (d.r.nextInt(5)) {
            case 0 ->
                d.apply(
                        new Op.Cast(DType.I64),
                        d.value(DType.F32, s, () -> d.between(-5, 5) + Math.copySign(0.3, d.r.nextDouble() - 0.5)));
            case 1 -> d.apply(new Op.Cast(DType.F32), d.ints(s, -1000, 1000));
            case 2 -> d.apply(new Op.Cast(DType.F32), d.bools(s));
            case 3 -> d.apply(new Op.Cast(DType.BOOL), d.grid(DType.F32, s));
            default -> d.apply(new Op.Cast(DType.I32), d.ints(s, -1000, 1000));
        }
    }

    private interface Reducer {
        Op of(List<Integer> axes, boolean keepDims);
    }

    private static void reduction(Draw d, Reducer op) {
        Shape s = d.shape(1, 4);
        List<Integer> axes = new ArrayList<>();
        for (int a = 0; a < s.rank(); a++) {
            if (d.oneIn(2)) {
                axes.add(d.oneIn(3) ? a - s.rank() : a);
            }
        }
        if (axes.isEmpty()) {
            axes.add(axis(d, s.rank()));
        }
        d.apply(op.of(axes, d.oneIn(2)), d.floats(s));
    }

    private static void matMul(Draw d) {
        Dim rows = d.dim("rows", d.between(1, 5));
        Dim inner = d.dim("inner", d.between(1, 8));
        Dim columns = d.dim("columns", d.between(1, 5));
        Shape lead = d.shape(0, 2);
        Shape other = d.broadcastable(lead);
        boolean swap = d.oneIn(2);
        d.apply(
                new Op.MatMul(),
                d.floats(append(swap ? other : lead, rows, inner)),
                d.floats(append(swap ? lead : other, inner, columns)));
    }

    private static void conv(Draw d) {
        int axes = d.between(1, 3);
        int group = d.between(1, 2);
        int in = d.between(1, 3);
        int out = group * d.between(1, 3);
        List<Dim> x = new ArrayList<>(List.of(d.dim("n", d.between(1, 3)), Dim.of((long) group * in)));
        List<Integer> strides = new ArrayList<>();
        List<Integer> dilations = new ArrayList<>();
        List<Integer> before = new ArrayList<>();
        List<Integer> after = new ArrayList<>();
        long[] kernel = new long[axes + 2];
        kernel[0] = out;
        kernel[1] = in;
        for (int k = 0; k < axes; k++) {
            kernel[k + 2] = d.between(1, 3);
            int dilation = d.between(1, 2);
            int extent = d.between((int) (dilation * (kernel[k + 2] - 1) + 1), 7);
            Dim dim = d.dim("s" + k, extent);
            x.add(dim);
            strides.add(dim.isKnown() ? d.between(1, 2) : 1);
            dilations.add(dilation);
            before.add(d.between(0, 2));
            after.add(d.between(0, 2));
        }
        before.addAll(after);
        Op op = new Op.Conv(strides, before, dilations, group);
        Value input = d.floats(new Shape(x));
        Value w = d.weight(-1, 1, kernel);
        if (d.oneIn(2)) {
            d.apply(op, input, w);
        } else {
            d.apply(op, input, w, d.weight(-1, 1, out));
        }
    }

    private static void attention(Draw d) {
        int heads = d.between(1, 3);
        int width = d.between(1, 4);
        int valueWidth = d.oneIn(2) ? width : d.between(1, 4);
        Dim n = d.dim("n", d.between(1, 3));
        Dim queries = d.dim("lq", d.between(1, 4));
        Dim keys = d.dim("lk", d.between(1, 6));
        Value q = d.floats(Shape.of(n, queries, Dim.of((long) heads * width)));
        Value k = d.floats(Shape.of(n, keys, Dim.of((long) heads * width)));
        Value v = d.floats(Shape.of(n, keys, Dim.of((long) heads * valueWidth)));
        Op op = new Op.Attention(heads, 1 / Math.sqrt(width));
        Shape mask = d.oneIn(2) ? Shape.of(queries, keys) : Shape.of(n, Dim.of(1), queries, keys);
        switch (d.r.nextInt(3)) {
            case 0 -> d.apply(op, q, k, v);
            case 1 -> d.apply(op, q, k, v, d.floats(mask));
            default -> {
                // Every query must see a key: the first one stays visible.
                long row = d.extent(keys);
                long[] next = {0};
                d.apply(op, q, k, v, d.value(DType.BOOL, mask, () -> next[0]++ % row == 0 ? 1 : d.r.nextInt(2)));
            }
        }
    }

    private static void slice(Draw d) {
        Shape s = d.shape(1, 4);
        int axis = axis(d, s.rank());
        int n = Math.toIntExact(d.extent(s.dim(axis)));
        int from = d.between(0, n - 1);
        int to = d.between(from + 1, n);
        long start = d.oneIn(2) ? from : from - n;
        long end = to == n ? Op.Slice.TO_END : d.oneIn(2) ? to : to - n;
        if (!s.dim(axis).isKnown() && (start < 0) != (end < 0) && end != Op.Slice.TO_END) {
            // Extents like 3−n cannot be told from negative ones while the graph is built; both from one side can.
            start = from;
            end = to;
        }
        d.apply(new Op.Slice(axis, start, end), d.anything(s));
    }

    private static Shape image(Draw d, int channels) {
        return Shape.of(
                d.dim("n", d.between(1, 3)),
                Dim.of(channels),
                d.dim("h", d.between(1, 5)),
                d.dim("w", d.between(1, 5)));
    }

    private static int axis(Draw d, int rank) {
        return d.between(-rank, rank - 1);
    }

    private static Shape withLast(Shape s, int extent) {
        return s.with(-1, Dim.of(extent));
    }

    private static State.Register register(Draw d) {
        return new State.Register("r", DType.F32, Shape.of(d.between(1, 3), d.between(1, 3)));
    }

    private static Shape append(Shape lead, Dim... dims) {
        List<Dim> all = new ArrayList<>(lead.dims());
        all.addAll(List.of(dims));
        return new Shape(all);
    }
}
