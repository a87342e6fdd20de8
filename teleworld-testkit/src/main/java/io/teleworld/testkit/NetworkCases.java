package io.teleworld.testkit;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Random parts of real networks with widths for which runtimes have kernels of their own: heads of 64 and 128, channels
 * in multiples of 16, rows that fill no tile. Weights keep the size of what passes through them, so that relative errors
 * mean something in narrow arithmetic. Stateless and thread-safe.
 */
public final class NetworkCases {

    private static final List<Integer> HEADS = List.of(32, 64, 128);

    private NetworkCases() {}

    /** A random case; equal seeds give equal cases. */
    public static GraphCase draw(long seed) {
        Draw d = new Draw("part of a network", seed);
        switch (d.between(0, 4)) {
            case 0 -> linear(d);
            case 1 -> attention(d);
            case 2 -> block(d);
            case 3 -> convolutions(d);
            default -> memoryBlock(d);
        }
        return d.done();
    }

    private static Value tokens(Draw d, String name, long batch, Dim rows, int width) {
        return d.input(name, DType.F32, Shape.of(Dim.of(batch), rows, Dim.of(width)), () -> d.r.nextDouble(-2, 2));
    }

    private static Dim rows(Draw d, String symbol, int most) {
        int n = d.between(1, most);
        return d.oneIn(2) ? d.symbol(symbol, n) : Dim.of(n);
    }

    private static Value matrix(Draw d, int out, int in) {
        double u = Math.sqrt(3.0 / in);
        return d.weight(-u, u, out, in);
    }

    private static Value dense(Draw d, Value x, int out, int in) {
        return d.b.linear(x, matrix(d, out, in), d.oneIn(3) ? null : d.weight(-0.5, 0.5, out));
    }

    private static void linear(Draw d) {
        int in = d.oneIn(3) ? d.between(1, 97) : 16 * d.between(1, 16);
        int out = d.oneIn(3) ? d.between(1, 97) : 16 * d.between(1, 16);
        d.b.output("y", dense(d, tokens(d, "x", d.between(1, 2), rows(d, "n", 150), in), out, in));
    }

    private static void attention(Draw d) {
        int heads = d.between(1, 2);
        int width = heads * HEADS.get(d.between(0, 2));
        Dim queries = rows(d, "n", 140);
        Dim keys = rows(d, "m", 200);
        Value q = tokens(d, "q", 1, queries, width);
        Value k = tokens(d, "k", 1, keys, width);
        Value v = tokens(d, "v", 1, keys, width);
        @Nullable
        Value mask = d.oneIn(4)
                ? d.input("mask", DType.BOOL, Shape.of(queries, keys), new FirstIsTrue(d, d.extent(keys)))
                : null;
        d.b.output("y", d.b.attention(q, k, v, mask, heads, Math.sqrt((double) heads / width)));
    }

    /** Rows of a mask with at least one true element each. */
    private static final class FirstIsTrue implements java.util.function.DoubleSupplier {
        private final Draw d;
        private final long columns;
        private long at;

        FirstIsTrue(Draw d, long columns) {
            this.d = d;
            this.columns = columns;
        }

        @Override
        public double getAsDouble() {
            return at++ % columns == 0 ? 1 : d.r.nextInt(2);
        }
    }

    /** A block of a video transformer: modulated norm, rotary attention, gated residual, feed-forward. */
    private static void block(Draw d) {
        int heads = d.between(1, 2);
        int size = HEADS.get(d.between(0, 2));
        int width = heads * size;
        int rows = d.between(2, 100);
        Value x = d.input("x", DType.F32, Shape.of(1, rows, width), () -> d.r.nextDouble(-2, 2));
        List<Value> modulation = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            modulation.add(d.input("m" + i, DType.F32, Shape.of(1, 1, width), () -> d.r.nextDouble(-0.5, 0.5)));
        }
        Value cos = d.input("cos", DType.F32, Shape.of(1, rows, size / 2), () -> d.r.nextDouble(-1, 1));
        Value sin = d.input("sin", DType.F32, Shape.of(1, rows, size / 2), () -> d.r.nextDouble(-1, 1));
        Value h = d.b.modulatedLayerNorm(x, modulation.get(0), modulation.get(1), 1e-6);
        Value q = d.b.normedRotary(dense(d, h, width, width), d.weight(0.5, 1.5, width), cos, sin, heads, 1e-6);
        Value k = d.b.normedRotary(dense(d, h, width, width), d.weight(0.5, 1.5, width), cos, sin, heads, 1e-6);
        Value a = d.b.attention(q, k, dense(d, h, width, width), null, heads, 1 / Math.sqrt(size));
        Value y = d.b.gatedResidual(x, dense(d, a, width, width), modulation.get(2));
        Value f = d.b.geluTanh(
                dense(d, d.b.modulatedLayerNorm(y, modulation.get(3), modulation.get(1), 1e-6), 4 * width, width));
        d.b.output("y", d.b.gatedResidual(y, dense(d, f, width, 4 * width), modulation.get(2)));
    }

    private static Value kernel(Draw d, int out, int in, int size) {
        double u = Math.sqrt(3.0 / (in * size * size));
        return d.weight(-u, u, out, in, size, size);
    }

    private static Value pictures(Draw d, String name, int channels) {
        return d.input(
                name,
                DType.F32,
                Shape.of(d.between(1, 3), channels, d.between(1, 13), d.between(1, 19)),
                () -> d.r.nextDouble(-2, 2));
    }

    private static void convolutions(Draw d) {
        int in = d.oneIn(3) ? d.between(1, 20) : 16 * d.between(1, 4);
        int middle = d.oneIn(3) ? d.between(1, 20) : 16 * d.between(1, 4);
        Value x = pictures(d, "x", in);
        Value y = d.b.relu(d.b.conv2d(x, kernel(d, middle, in, 3), d.weight(-0.5, 0.5, middle), 1, 1));
        d.b.output("y", d.b.conv2d(y, kernel(d, 16, middle, 1), null, 1, 0));
    }

    private static void memoryBlock(Draw d) {
        int c = 16 * d.between(1, 4);
        Shape s = Shape.of(d.between(1, 3), c, d.between(1, 12), d.between(1, 12));
        List<Value> in = new ArrayList<>();
        in.add(d.input("x", DType.F32, s, () -> d.r.nextDouble(-2, 2)));
        in.add(d.input("past", DType.F32, s, () -> d.r.nextDouble(-2, 2)));
        in.add(kernel(d, c, 2 * c, 3));
        in.add(d.weight(-0.5, 0.5, c));
        in.add(kernel(d, c, c, 3));
        in.add(d.weight(-0.5, 0.5, c));
        in.add(kernel(d, c, c, 3));
        in.add(d.weight(-0.5, 0.5, c));
        d.apply(new Op.MemoryBlock(), in.toArray(Value[]::new));
    }
}
