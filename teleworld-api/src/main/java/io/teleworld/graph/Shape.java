package io.teleworld.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The extents of a tensor, outermost axis first. Immutable.
 *
 * @param dims the extents; empty for a scalar
 */
public record Shape(List<Dim> dims) {

    public Shape {
        dims = List.copyOf(dims);
    }

    /** A shape of known extents, outermost first; each at least 0. */
    public static Shape of(long... extents) {
        return new Shape(Arrays.stream(extents).mapToObj(Dim::of).toList());
    }

    /** A shape of these extents, outermost first. */
    public static Shape of(Dim... dims) {
        return new Shape(Arrays.asList(dims));
    }

    /** The number of axes; 0 for a scalar. */
    public int rank() {
        return dims.size();
    }

    /** The extent of an axis; negative axes count from the end. */
    public Dim dim(int axis) {
        return dims.get(axis(axis));
    }

    /**
     * The axis in [0, rank) that {@code axis} in [-rank, rank) means.
     *
     * @throws IllegalArgumentException outside that range
     */
    public int axis(int axis) {
        if (axis < -rank() || axis >= rank()) {
            throw new IllegalArgumentException("axis " + axis + " of a tensor of rank " + rank() + "; allowed is [-"
                    + rank() + ", " + rank() + ")");
        }
        return axis < 0 ? axis + rank() : axis;
    }

    /** This shape with one extent replaced. */
    public Shape with(int axis, Dim dim) {
        List<Dim> d = new ArrayList<>(dims);
        d.set(axis(axis), dim);
        return new Shape(d);
    }

    /** Whether no extent has a symbol. */
    public boolean isKnown() {
        return dims.stream().allMatch(Dim::isKnown);
    }

    /** The number of elements. */
    public Dim elementCount() {
        Dim n = Dim.of(1);
        for (Dim d : dims) {
            n = n.times(d);
        }
        return n;
    }

    /** The symbols that occur in any extent. */
    public Set<String> symbols() {
        Set<String> s = new TreeSet<>();
        dims.forEach(d -> s.addAll(d.symbols()));
        return s;
    }

    /** The extents under a binding of every symbol. */
    public long[] evaluate(Map<String, Long> bindings) {
        return dims.stream().mapToLong(d -> d.evaluate(bindings)).toArray();
    }

    /** The extents of a shape without symbols. */
    public long[] known() {
        return dims.stream().mapToLong(Dim::known).toArray();
    }

    @Override
    public String toString() {
        return dims.stream().map(Dim::toString).collect(Collectors.joining(",", "[", "]"));
    }
}
