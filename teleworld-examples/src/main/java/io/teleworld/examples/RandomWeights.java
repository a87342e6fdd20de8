package io.teleworld.examples;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Random weights in bf16 for any graph, made when they are asked for and kept by nobody: a model of any size needs the
 * memory of its largest tensor only. Matrices keep the size of what passes through them, as far as powers of two can;
 * scales of norms are about 1, everything else is small. Thread-safe.
 */
final class RandomWeights implements Weights {

    private static final int PATTERN = 1 << 20;
    /** Of vectors, such as biases. */
    private static final double SMALL = 0.02;

    private final Map<String, Shape> shapes = new HashMap<>();
    private final float[] uniform = new float[PATTERN / 2];
    /** Patterns by their size. */
    private final Map<Double, byte[]> patterns = new ConcurrentHashMap<>();

    RandomWeights(Graph graph, long seed) {
        for (Map.Entry<String, Value> e : graph.parameters().entrySet()) {
            shapes.put(e.getKey(), e.getValue().shape());
        }
        SplittableRandom r = new SplittableRandom(seed);
        for (int i = 0; i < uniform.length; i++) {
            uniform[i] = (float) r.nextDouble(-1, 1);
        }
    }

    private byte[] pattern(String name, long[] shape) {
        boolean scale = shape.length == 1 && name.matches(".*norm[^.]*\\.weight|.*\\.gamma");
        return scale
                ? patterns.computeIfAbsent(-1.0, k -> bytes(1, SMALL))
                : patterns.computeIfAbsent(size(shape), size -> bytes(0, size));
    }

    /** Uniform values in ±√(3/n) have a variance of 1/n, n being the inputs of one output. */
    private static double size(long[] shape) {
        if (shape.length < 2) {
            return SMALL;
        }
        double inputs = 1;
        for (int i = 1; i < shape.length; i++) {
            inputs *= shape[i];
        }
        double exact = Math.sqrt(3 / inputs);
        return Math.min(1, Math.pow(2, Math.rint(Math.log(exact) / Math.log(2))));
    }

    private byte[] bytes(double offset, double size) {
        byte[] out = new byte[PATTERN];
        for (int i = 0; i < uniform.length; i++) {
            short bits = FloatFormats.floatToBf16((float) (offset + size * uniform[i]));
            out[2 * i] = (byte) bits;
            out[2 * i + 1] = (byte) (bits >> 8);
        }
        return out;
    }

    @Override
    public Set<String> names() {
        return Set.copyOf(shapes.keySet());
    }

    @Override
    public TensorType type(String name) {
        Shape s = shapes.get(name);
        if (s == null) {
            throw new IllegalArgumentException("no weight is named " + name);
        }
        return new TensorType(DType.BF16, s);
    }

    @Override
    public HostTensor get(String name) {
        long[] shape = type(name).shape().known();
        byte[] pattern = pattern(name, shape);
        HostTensor t = HostTensor.zeros(DType.BF16, shape);
        ByteBuffer b = t.mutableBuffer();
        while (b.hasRemaining()) {
            b.put(pattern, 0, Math.min(PATTERN, b.remaining()));
        }
        return t;
    }
}
