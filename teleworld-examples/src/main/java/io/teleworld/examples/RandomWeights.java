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

/**
 * Small random weights in bf16 for any graph, made when they are asked for and kept by nobody: a model of any size needs
 * the memory of its largest tensor only. Thread-safe.
 */
final class RandomWeights implements Weights {

    private static final int PATTERN = 1 << 20;
    private static final double SIZE = 0.02;

    private final Map<String, Shape> shapes = new HashMap<>();
    private final byte[] pattern = new byte[PATTERN];

    RandomWeights(Graph graph, long seed) {
        for (Map.Entry<String, Value> e : graph.parameters().entrySet()) {
            shapes.put(e.getKey(), e.getValue().shape());
        }
        SplittableRandom r = new SplittableRandom(seed);
        for (int i = 0; i < PATTERN; i += 2) {
            short bits = FloatFormats.floatToBf16((float) r.nextDouble(-SIZE, SIZE));
            pattern[i] = (byte) bits;
            pattern[i + 1] = (byte) (bits >> 8);
        }
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
        HostTensor t = HostTensor.zeros(DType.BF16, type(name).shape().known());
        ByteBuffer b = t.mutableBuffer();
        while (b.hasRemaining()) {
            b.put(pattern, 0, Math.min(PATTERN, b.remaining()));
        }
        return t;
    }
}
