package io.teleworld.cuda.plan;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Where parameters and constants lie, and in which element types: their declared one, that of products, or both,
 * whichever the graph uses. Immutable.
 */
public final class WeightLayout {

    /**
     * One stored form of a weight.
     *
     * @param value the parameter or constant
     * @param dtype the stored element type
     * @param offset where it begins, in bytes
     * @param bytes its size, without the scales of an F8_E4M3 matrix
     */
    public record Entry(Value value, DType dtype, long offset, long bytes) {

        /** Where the scales of an F8_E4M3 matrix begin, one F32 number per output channel. */
        public long scaleOffset() {
            return offset + BufferPlanner.align(bytes);
        }
    }

    private record Key(Value value, DType dtype) {}

    private final List<Entry> entries = new ArrayList<>();
    private final Map<Key, Entry> byKey = new HashMap<>();
    private final long bytes;

    private WeightLayout(ElementTypes types) {
        Graph graph = types.graph();
        List<Key> used = new ArrayList<>();
        Set<Key> known = new HashSet<>();
        LinearGroups groups = LinearGroups.of(types);
        for (Node node : graph.nodes()) {
            // Layers of a group one behind the other, so that their weights lie at equal distances.
            List<Node> together = groups.with(node);
            for (Node n : together.isEmpty() ? List.of(node) : together) {
                for (int i = 0; i < n.inputs().size(); i++) {
                    Value v = n.inputs().get(i);
                    Key k = new Key(v, types.operand(n, i));
                    if (types.isWeight(v) && known.add(k)) {
                        used.add(k);
                    }
                }
            }
        }
        for (Value v : graph.outputs().values()) {
            Key k = new Key(v, v.dtype());
            if (types.isWeight(v) && known.add(k)) {
                used.add(k);
            }
        }
        long next = 0;
        for (Key k : used) {
            long size = Math.multiplyExact(
                    k.value().shape().elementCount().known(), (long) k.dtype().byteSize());
            Entry e = new Entry(k.value(), k.dtype(), next, size);
            entries.add(e);
            byKey.put(k, e);
            next = Math.addExact(next, BufferPlanner.align(size));
            if (k.dtype() == DType.F8_E4M3) {
                long channels = k.value().shape().dim(0).known();
                next = Math.addExact(next, BufferPlanner.align(channels * DType.F32.byteSize()));
            }
        }
        bytes = next;
    }

    /** The layout of a graph's weights in the types that its nodes read. */
    public static WeightLayout of(ElementTypes types) {
        return new WeightLayout(types);
    }

    /** What is stored, in the order of first use. */
    public List<Entry> entries() {
        return List.copyOf(entries);
    }

    /** A stored form, which the graph must use. */
    Entry entry(Value value, DType dtype) {
        Entry e = byKey.get(new Key(value, dtype));
        if (e == null) {
            throw new IllegalStateException("weight " + value + " is not stored in " + dtype);
        }
        return e;
    }

    /** Whether a weight is stored in an element type. */
    boolean has(Value value, DType dtype) {
        return byKey.containsKey(new Key(value, dtype));
    }

    /** An element type in which a weight is stored. */
    DType form(Value value) {
        return entries.stream()
                .filter(e -> e.value().equals(value) && e.dtype() != DType.F8_E4M3)
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("weight " + value + " is not stored"))
                .dtype();
    }

    /** Bytes of all together. */
    public long bytes() {
        return bytes;
    }
}
