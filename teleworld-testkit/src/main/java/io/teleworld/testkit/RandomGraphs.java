package io.teleworld.testkit;

import io.teleworld.graph.Dim;
import io.teleworld.graph.GraphException;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import org.jspecify.annotations.Nullable;

/**
 * Whole random graphs: one to twelve operators over a symbolic batch extent, with shared values, several outputs and
 * composites. Values stay bounded and operators continuous, so that a correct runtime stays close to the oracle.
 * Stateless and thread-safe.
 */
public final class RandomGraphs {

    private static final int MAX_DEPTH = 12;
    private static final int MAX_ELEMENTS = 2048;
    private static final double MAX_MAGNITUDE = 8;

    private RandomGraphs() {}

    /** A random case; equal seeds give equal cases. */
    public static GraphCase draw(long seed) {
        return new Builder(seed).draw();
    }

    /** Random cases for property tests; shrinking moves towards small seeds, not towards small graphs. */
    public static Arbitrary<GraphCase> arbitrary() {
        return Arbitraries.longs().greaterOrEqual(0).map(RandomGraphs::draw);
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
            add(d.input("tokens", DType.F32, Shape.of(n, Dim.of(d.between(1, 4)), Dim.of(4)), this::number), 2);
            add(d.input("image", DType.F32, Shape.of(n, Dim.of(4), Dim.of(3), Dim.of(4)), this::number), 2);
            add(d.floats(Shape.of(4)), 2);
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
            if (bound > MAX_MAGNITUDE) {
                add(d.b.tanh(v), 1);
            }
        }

        /** Tries one random operator; one that does not fit its operands changes nothing. */
        private boolean step() {
            Value x = pick();
            Value y = pick();
            double bx = bound(x);
            double by = bound(y);
            return switch (d.r.nextInt(26)) {
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
                case 12 -> apply(new Op.Div(), bx / 0.5, x, d.b.add(d.b.sigmoid(y), d.b.scalar(0.5)));
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
                default -> apply(new Op.GatedResidual(), bx + by, x, x, y);
            };
        }

        private boolean apply(Op op, double bound, @Nullable Value... operands) {
            List<Value> in = new ArrayList<>();
            for (Value v : operands) {
                if (v == null) {
                    return false;
                }
                in.add(v);
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
