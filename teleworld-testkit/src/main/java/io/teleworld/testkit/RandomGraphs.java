package io.teleworld.testkit;

import io.teleworld.graph.Constant;
import io.teleworld.graph.Dim;
import io.teleworld.graph.GraphException;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Shrinkable;
import net.jqwik.api.ShrinkingDistance;
import org.jspecify.annotations.Nullable;

/**
 * Whole random graphs: one to twelve operators over symbolic extents, with floats, integers and booleans, shared values,
 * several outputs and composites. Values stay bounded and float operators continuous, so that a correct runtime stays
 * close to the oracle; comparisons and casts to integers see exact numbers only. Stateless and thread-safe.
 */
public final class RandomGraphs {

    private static final int MAX_DEPTH = 12;
    private static final int MAX_ELEMENTS = 2048;
    private static final double MAX_MAGNITUDE = 8;
    private static final double MAX_INTEGER = 1e6;

    private RandomGraphs() {}

    /** A random case; equal seeds give equal cases. */
    public static GraphCase draw(long seed) {
        return new Builder(seed).draw();
    }

    /** Random cases for property tests; a failing one shrinks to the fewest nodes that still fail. */
    public static Arbitrary<GraphCase> arbitrary() {
        return Arbitraries.fromGenerator(random -> new ShrinkableCase(draw(random.nextLong() & Long.MAX_VALUE)));
    }

    private record ShrinkableCase(GraphCase value) implements Shrinkable<GraphCase> {
        @Override
        public Stream<Shrinkable<GraphCase>> shrink() {
            return GraphShrinker.smaller(value).map(ShrinkableCase::new);
        }

        @Override
        public ShrinkingDistance distance() {
            return ShrinkingDistance.of(value.graph().nodes().size());
        }
    }

    private static final class Builder {

        private final Draw d;
        private final List<Value> values = new ArrayList<>();
        /** An upper bound of each value's magnitude. */
        private final Map<Value, Double> bounds = new HashMap<>();

        Builder(long seed) {
            d = new Draw("random graph", seed);
        }

        GraphCase draw() {
            Dim n = d.dim("n", d.between(1, 3));
            Dim length = d.dim("length", d.between(1, 4));
            add(d.input("tokens", DType.F32, Shape.of(n, length, Dim.of(4)), this::number), 2);
            add(d.input("image", DType.F32, Shape.of(n, Dim.of(4), Dim.of(3), Dim.of(4)), this::number), 2);
            add(d.floats(Shape.of(4)), 2);
            add(d.input("counts", DType.I64, Shape.of(n, length), () -> d.between(-9, 9)), 9);
            add(d.input("flags", DType.BOOL, Shape.of(n, length, Dim.of(4)), () -> d.r.nextInt(2)), 1);
            int depth = d.between(1, MAX_DEPTH);
            for (int made = 0, tries = 0; made < depth && tries < 500; tries++) {
                if (step()) {
                    made++;
                }
            }
            int outputs = d.between(1, 3);
            d.b.output("last", values.get(values.size() - 1));
            for (int k = 1; k < outputs; k++) {
                d.b.output("y" + k, pick());
            }
            return d.done();
        }

        private double number() {
            return d.r.nextDouble(-2, 2);
        }

        private Value pick() {
            // Late values more often, so that graphs get deep and not only wide.
            int back = Math.min(d.r.nextInt(values.size()), d.r.nextInt(values.size()));
            return values.get(values.size() - 1 - back);
        }

        private double bound(Value v) {
            return bounds.getOrDefault(v, 1.0);
        }

        private void add(Value v, double bound) {
            values.add(v);
            bounds.put(v, bound);
            if (bound > MAX_MAGNITUDE && v.dtype() == DType.F32) {
                add(d.b.tanh(v), 1);
            }
        }

        /** Tries one random operator; one that does not fit its operands changes nothing. */
        private boolean step() {
            Value x = pick();
            Value y = pick();
            double bx = bound(x);
            double by = bound(y);
            return switch (d.r.nextInt(38)) {
                case 0 -> apply(new Op.Tanh(), 1, x);
                case 1 -> apply(new Op.Sigmoid(), 1, x);
                case 2 -> apply(new Op.Relu(), bx, x);
                case 3 -> apply(new Op.Gelu(d.oneIn(2)), bx, x);
                case 4 -> apply(new Op.Silu(), bx, x);
                case 5 -> apply(new Op.Softplus(), bx + 1, x);
                case 6 -> apply(d.oneIn(2) ? new Op.Sin() : new Op.Cos(), 1, x);
                case 7 -> bx <= 3 && apply(new Op.Exp(), Math.exp(bx), x);
                case 8 -> apply(d.oneIn(2) ? new Op.Abs() : new Op.Neg(), bx, x);
                case 9 -> apply(d.oneIn(2) ? new Op.Add() : new Op.Sub(), bx + by, x, y);
                case 10 -> apply(new Op.Mul(), bx * by, x, y);
                case 11 -> apply(d.oneIn(2) ? new Op.Max() : new Op.Min(), Math.max(bx, by), x, y);
                case 12 ->
                    y.dtype() == DType.F32
                            && apply(new Op.Div(), bx / 0.5, x, d.b.add(d.b.sigmoid(y), d.b.scalar(0.5)));
                case 13 -> apply(new Op.ReduceMean(List.of(axis(x)), d.oneIn(2)), bx, x);
                case 14 -> apply(new Op.ReduceMax(List.of(axis(x)), d.oneIn(2)), bx, x);
                case 15 -> apply(new Op.Softmax(axis(x)), 1, x);
                case 16 -> normalise(x);
                case 17 -> linear(x);
                case 18 -> apply(new Op.MatMul(), bx * by * 8, x, y);
                case 19 -> image(x);
                case 20 -> attention(x);
                case 21 -> apply(new Op.Concat(axis(x)), Math.max(bx, by), x, y);
                case 22 -> cut(x);
                case 23 -> transpose(x);
                case 24 -> fold(x);
                case 25 -> apply(new Op.ReduceSum(List.of(axis(x)), d.oneIn(2)), 12 * bx, x);
                case 26 -> cast(x);
                case 27 -> compare();
                case 28 -> select(x, y);
                case 29 -> apply(d.oneIn(2) ? new Op.And() : new Op.Or(), 1, pick(DType.BOOL), pick(DType.BOOL));
                case 30 -> gather(x);
                case 31 -> split(x);
                case 32 -> rotary(x);
                case 33 -> modulate(x);
                case 34 -> integers();
                case 35 -> memory(x);
                case 36 -> apply(new Op.Clip(-1, 1.5), 1.5, x);
                default -> apply(new Op.GatedResidual(), bx + by * by, x, x, y);
            };
        }

        /** A late value of an element type, or null if there is none. */
        private @Nullable Value pick(DType dtype) {
            List<Value> such = values.stream().filter(v -> v.dtype() == dtype).toList();
            return such.isEmpty()
                    ? null
                    : such.get(such.size() - 1 - Math.min(d.r.nextInt(such.size()), d.r.nextInt(such.size())));
        }

        private boolean cast(Value x) {
            DType to = switch (x.dtype()) {
                case BOOL -> d.oneIn(2) ? DType.F32 : DType.I64;
                case I64 -> d.oneIn(2) ? DType.F32 : DType.I32;
                case I32 -> DType.F32;
                default -> x.dtype();
            };
            return to != x.dtype() && apply(new Op.Cast(to), bound(x), x);
        }

        /** Compares integers, which are exact. */
        private boolean compare() {
            Op op = switch (d.r.nextInt(3)) {
                case 0 -> new Op.Equal();
                case 1 -> new Op.Less();
                default -> new Op.Greater();
            };
            return apply(op, 1, pick(DType.I64), d.oneIn(2) ? pick(DType.I64) : integer(d.between(-3, 3)));
        }

        private Value integer(long value) {
            return d.b.constant(new Constant(HostTensor.ofLongs(new long[] {value})));
        }

        private boolean select(Value x, Value y) {
            return x.dtype() == y.dtype()
                    && apply(new Op.Where(), Math.max(bound(x), bound(y)), pick(DType.BOOL), x, y);
        }

        private boolean integers() {
            Value a = pick(DType.I64);
            Value b = pick(DType.I64);
            if (a == null || b == null) {
                return false;
            }
            return switch (d.r.nextInt(4)) {
                case 0 -> apply(new Op.Add(), bound(a) + bound(b), a, b);
                case 1 -> apply(new Op.Mul(), bound(a) * bound(b), a, b);
                case 2 -> apply(new Op.Max(), Math.max(bound(a), bound(b)), a, b);
                default -> apply(new Op.Div(), bound(a), a, integer(d.between(1, 4)));
            };
        }

        /** Picks entries of one axis, some twice. */
        private boolean gather(Value x) {
            if (x.shape().rank() == 0) {
                return false;
            }
            int axis = axis(x);
            int last = Math.toIntExact(d.extent(x.dim(axis))) - 1;
            long[] picks = new long[d.between(1, 3)];
            for (int k = 0; k < picks.length; k++) {
                picks[k] = d.between(0, last);
            }
            return apply(new Op.Gather(axis), bound(x), x, d.b.constant(picks, picks.length));
        }

        private boolean split(Value x) {
            if (x.shape().rank() == 0) {
                return false;
            }
            int axis = axis(x);
            if (!x.dim(axis).isKnown() || x.dim(axis).known() < 2) {
                return false;
            }
            long first = d.between(1, Math.toIntExact(x.dim(axis).known()) - 1);
            return apply(new Op.Split(axis, List.of(first, x.dim(axis).known() - first)), bound(x), x);
        }

        private boolean rotary(Value x) {
            if (x.shape().rank() != 3 || !x.dim(2).isKnown() || !x.dim(2).isDivisibleBy(2)) {
                return false;
            }
            Shape angles = Shape.of(Dim.of(1), x.dim(1), Dim.of(x.dim(2).known() / 2));
            if (!angles.isKnown()) {
                return false;
            }
            Value cos = d.floats(angles, -1, 1);
            Value sin = d.floats(angles, -1, 1);
            return d.oneIn(2)
                    ? apply(new Op.RotaryEmbedding(1), 2 * bound(x), x, cos, sin)
                    : apply(
                            new Op.NormedRotary(1, 0.1),
                            4,
                            x,
                            d.weight(0.5, 1.5, x.dim(2).known()),
                            cos,
                            sin);
        }

        private boolean modulate(Value x) {
            Value y = pick(DType.F32);
            return y != null
                    && x.shape().rank() >= 1
                    && x.dtype() == DType.F32
                    && apply(new Op.ModulatedLayerNorm(0.1), bound(y) + 2.5 * (1 + bound(y)), x, y, y);
        }

        private boolean memory(Value x) {
            if (x.shape().rank() != 4 || !x.dim(1).isKnown() || x.dtype() != DType.F32) {
                return false;
            }
            long c = x.dim(1).known();
            double w = 0.2;
            return apply(
                    new Op.MemoryBlock(),
                    30 * (1 + bound(x)),
                    x,
                    x,
                    d.weight(-w, w, c, 2 * c, 3, 3),
                    d.weight(-w, w, c),
                    d.weight(-w, w, c, c, 3, 3),
                    d.weight(-w, w, c),
                    d.weight(-w, w, c, c, 3, 3),
                    d.weight(-w, w, c));
        }

        private boolean apply(Op op, double bound, @Nullable Value... operands) {
            List<Value> in = new ArrayList<>();
            for (Value v : operands) {
                if (v == null) {
                    return false;
                }
                in.add(v);
            }
            if (bound > MAX_INTEGER) {
                return false;
            }
            try {
                long size = d.extent(op.infer(in.stream().map(Value::type).toList())
                        .get(0)
                        .shape()
                        .elementCount());
                if (size > MAX_ELEMENTS || size == 0) {
                    return false;
                }
            } catch (GraphException doesNotFit) {
                return false;
            }
            for (Value v : d.b.apply(op, in)) {
                add(v, bound);
            }
            return true;
        }

        private int axis(Value x) {
            int rank = x.shape().rank();
            return rank == 0 ? 0 : d.between(-rank, rank - 1);
        }

        private boolean normalise(Value x) {
            if (x.shape().rank() < 1 || !x.dim(-1).isKnown()) {
                return false;
            }
            long width = x.dim(-1).known();
            Value scale = d.weight(0.5, 1.5, width);
            // A large epsilon, because a small one makes tiny differences of nearly constant rows large.
            if (d.oneIn(2)) {
                return apply(new Op.RMSNormalization(0.1), 4, x, scale);
            }
            return apply(new Op.LayerNormalization(0.1), 5, x, scale, d.weight(-1, 1, width));
        }

        private boolean linear(Value x) {
            if (x.shape().rank() < 2 || !x.dim(-1).isKnown()) {
                return false;
            }
            long in = x.dim(-1).known();
            long out = d.between(1, 6);
            return apply(new Op.Linear(), bound(x) * in + 1, x, d.weight(-1, 1, out, in), d.weight(-1, 1, out));
        }

        private boolean image(Value x) {
            if (x.shape().rank() != 4 || !x.dim(1).isKnown()) {
                return false;
            }
            double bx = bound(x);
            int c = Math.toIntExact(x.dim(1).known());
            int m = d.between(1, 4);
            return switch (d.r.nextInt(5)) {
                case 0 -> apply(new Op.Resize(d.between(1, 2), d.between(1, 2), Op.ResizeMode.LINEAR), bx, x);
                case 1 -> apply(new Op.Resize(d.between(1, 2), d.between(1, 2), Op.ResizeMode.NEAREST), bx, x);
                case 2 -> apply(new Op.DepthToSpace(2), bx, x);
                case 3 ->
                    apply(
                            new Op.Pad(
                                    List.of(0, 0, 1, 0, 0, 0, 0, 2),
                                    d.oneIn(2) ? Op.PadMode.EDGE : Op.PadMode.CONSTANT),
                            bx,
                            x);
                default ->
                    apply(
                            new Op.Conv(List.of(1, 1), List.of(1, 1, 1, 1), List.of(1, 1), 1),
                            bx * c * 9 + 1,
                            x,
                            d.weight(-1, 1, m, c, 3, 3),
                            d.weight(-1, 1, m));
            };
        }

        private boolean attention(Value x) {
            if (x.shape().rank() != 3 || !x.dim(2).isKnown() || bound(x) > 4) {
                return false;
            }
            int heads = x.dim(2).isDivisibleBy(2) ? 2 : 1;
            return apply(new Op.Attention(heads, 0.5), bound(x), x, x, x);
        }

        private boolean cut(Value x) {
            if (x.shape().rank() == 0) {
                return false;
            }
            int axis = axis(x);
            return d.extent(x.dim(axis)) >= 2
                    && apply(new Op.Slice(axis, d.oneIn(2) ? 1 : -1, Op.Slice.TO_END), bound(x), x);
        }

        private boolean transpose(Value x) {
            return switch (x.shape().rank()) {
                case 2 -> apply(new Op.Transpose(List.of(1, 0)), bound(x), x);
                case 3 -> apply(new Op.Transpose(List.of(0, 2, 1)), bound(x), x);
                case 4 -> apply(new Op.Transpose(List.of(0, 2, 3, 1)), bound(x), x);
                default -> false;
            };
        }

        /** Joins the first two axes, or the last two. */
        private boolean fold(Value x) {
            List<Dim> dims = new ArrayList<>(x.shape().dims());
            if (dims.size() < 2) {
                return false;
            }
            int first = d.oneIn(2) ? 0 : dims.size() - 2;
            dims.set(first, dims.get(first).times(dims.remove(first + 1)));
            return apply(new Op.Reshape(new Shape(dims)), bound(x), x);
        }
    }
}
