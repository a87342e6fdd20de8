package io.teleworld.testkit;

import io.teleworld.graph.Constant;
import io.teleworld.graph.Dim;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.DoubleSupplier;

/** One random case in the making: a builder, and the tensors that go with what it declares. */
final class Draw {

    final GraphBuilder b;
    final SplittableRandom r;
    private final String label;
    private final Map<String, HostTensor> inputs = new LinkedHashMap<>();
    private final Map<String, HostTensor> weights = new LinkedHashMap<>();
    private final Map<String, Long> bindings = new TreeMap<>();
    private int serial;

    Draw(String label, long seed) {
        this.label = label + ", seed " + seed;
        this.b = new GraphBuilder(label);
        this.r = new SplittableRandom(seed);
    }

    /** A number in [low, high]. */
    int between(int low, int high) {
        return r.nextInt(low, high + 1);
    }

    /** Whether something that happens once in {@code n} times happens. */
    boolean oneIn(int n) {
        return r.nextInt(n) == 0;
    }

    /** The extent as a number or, once in three times, as a symbol that the inputs bind to it. */
    Dim dim(String symbol, long extent) {
        if (bindings.containsKey(symbol) || oneIn(3)) {
            Long known = bindings.putIfAbsent(symbol, extent);
            if (known != null && known != extent) {
                throw new IllegalStateException("symbol " + symbol + " is bound to " + known);
            }
            return Dim.symbol(symbol);
        }
        return Dim.of(extent);
    }

    /** A symbol that the inputs bind to an extent. */
    Dim symbol(String symbol, long extent) {
        bindings.put(symbol, extent);
        return Dim.symbol(symbol);
    }

    /** A shape of a random rank with small extents, the first often symbolic. */
    Shape shape(int minRank, int maxRank) {
        int rank = between(minRank, maxRank);
        List<Dim> dims = new ArrayList<>();
        for (int a = 0; a < rank; a++) {
            dims.add(a == 0 && !bindings.containsKey("n") ? dim("n", between(1, 4)) : Dim.of(between(1, 5)));
        }
        return new Shape(dims);
    }

    /** A shape that broadcasts to the given one: leading axes dropped, others set to 1. */
    Shape broadcastable(Shape s) {
        List<Dim> dims = new ArrayList<>(s.dims().subList(s.rank() == 0 ? 0 : r.nextInt(s.rank() + 1) / 2, s.rank()));
        dims.replaceAll(d -> oneIn(3) ? Dim.of(1) : d);
        return new Shape(dims);
    }

    long extent(Dim d) {
        return d.evaluate(bindings);
    }

    long[] extents(Shape s) {
        return s.evaluate(bindings);
    }

    /** An F32 value with numbers in [low, high): an input or, if the shape is known, a weight or a constant. */
    Value floats(Shape s, double low, double high) {
        return value(DType.F32, s, () -> r.nextDouble(low, high));
    }

    Value floats(Shape s) {
        return floats(s, -2, 2);
    }

    /** Numbers of a coarse grid, so that equal ones occur and none lies close to an integer bound by accident. */
    Value grid(DType dtype, Shape s) {
        double step = dtype.isFloat() ? 0.5 : 1;
        return value(dtype, s, () -> step * between(-3, 3));
    }

    Value ints(Shape s, int low, int high) {
        return value(DType.I64, s, () -> between(low, high));
    }

    Value bools(Shape s) {
        return value(DType.BOOL, s, () -> r.nextInt(2));
    }

    /** Any of F32, I64 and BOOL, for operators that only move elements. */
    Value anything(Shape s) {
        return switch (r.nextInt(4)) {
            case 0 -> ints(s, -9, 9);
            case 1 -> bools(s);
            default -> floats(s);
        };
    }

    Value value(DType dtype, Shape s, DoubleSupplier element) {
        String name = "x" + serial++;
        if (s.isKnown() && dtype == DType.F32 && oneIn(4)) {
            return weight(name, s, element);
        }
        if (s.isKnown() && oneIn(6)) {
            return b.constant(new Constant(tensor(dtype, s, element)));
        }
        return input(name, dtype, s, element);
    }

    Value input(String name, DType dtype, Shape s, DoubleSupplier element) {
        inputs.put(name, tensor(dtype, s, element));
        return b.input(name, dtype, s);
    }

    /** An F32 parameter whose stored weight is F32, F16 or BF16. */
    Value weight(String name, Shape s, DoubleSupplier element) {
        DType stored = switch (r.nextInt(6)) {
            case 0 -> DType.F16;
            case 1 -> DType.BF16;
            default -> DType.F32;
        };
        weights.put(name, tensor(stored, s, element));
        return b.parameter(name, DType.F32, s);
    }

    Value weight(double low, double high, long... shape) {
        return weight("w" + serial++, Shape.of(shape), () -> r.nextDouble(low, high));
    }

    private HostTensor tensor(DType dtype, Shape s, DoubleSupplier element) {
        int[] shape = Arrays.stream(extents(s)).mapToInt(Math::toIntExact).toArray();
        return NdArray.of(dtype, shape, index -> element.getAsDouble()).toHost();
    }

    /** Applies an operator and names every result as an output. */
    void apply(Op op, Value... in) {
        List<Value> out = b.apply(op, Arrays.asList(in));
        for (int i = 0; i < out.size(); i++) {
            b.output("y" + i, out.get(i));
        }
    }

    GraphCase done() {
        return new GraphCase(label, b.build(), weights, inputs);
    }
}
