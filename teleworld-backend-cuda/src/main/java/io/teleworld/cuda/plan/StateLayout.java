package io.teleworld.cuda.plan;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where registers and frame slots lie in a state's memory. A frame cache has as many slots as the smallest capacity of its
 * group; frame slots of one cache lie one behind the other. Immutable.
 */
public final class StateLayout {

    private final Map<String, Long> offsets = new LinkedHashMap<>();
    private final Map<String, Integer> capacities = new LinkedHashMap<>();
    private final long bytes;

    private final ElementTypes types;

    private StateLayout(ElementTypes types) {
        this.types = types;
        Graph graph = types.graph();
        long next = 0;
        for (State s : graph.states().values()) {
            if (s instanceof State.FrameCache c) {
                capacities.merge(c.group(), c.capacity(), Math::min);
            }
        }
        for (State s : graph.states().values()) {
            offsets.put(s.name(), next);
            long size = entryBytes(s);
            if (s instanceof State.FrameCache c) {
                size = Math.multiplyExact(size, (long) capacity(c.group()));
            }
            next = Math.addExact(next, BufferPlanner.align(size));
        }
        bytes = next;
    }

    /** The layout of a graph's states in the types that they are stored in. */
    public static StateLayout of(ElementTypes types) {
        return new StateLayout(types);
    }

    /** Bytes of a register, or of one slot of a frame cache. */
    public long entryBytes(State s) {
        Shape shape = s instanceof State.FrameCache c ? c.frameShape() : ((State.Register) s).shape();
        return Math.multiplyExact(
                shape.elementCount().known(), (long) types.of(s).byteSize());
    }

    /** Where a state begins, in bytes. */
    public long offset(State s) {
        Long o = offsets.get(s.name());
        if (o == null) {
            throw new IllegalArgumentException("no state is named " + s.name());
        }
        return o;
    }

    /** Slots of every cache of a group. */
    public int capacity(String group) {
        Integer c = capacities.get(group);
        if (c == null) {
            throw new IllegalArgumentException("no frame cache group is named " + group);
        }
        return c;
    }

    /** The slots of every group. */
    public Map<String, Integer> capacities() {
        return Map.copyOf(capacities);
    }

    /** Bytes of all states together; 0 if there are none. */
    public long bytes() {
        return bytes;
    }
}
