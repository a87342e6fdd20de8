package io.teleworld.graph;

import io.teleworld.tensor.DType;
import java.util.Objects;

/**
 * Memory that a program keeps between runs, declared in its graph and owned by a
 * {@link io.teleworld.runtime.ProgramState}. Immutable.
 */
public sealed interface State {

    /** The name, unique within its graph. */
    String name();

    /** The element type. */
    DType dtype();

    /**
     * A tensor of fixed shape that every run may read and replace, zero at first; for example a causal convolution's
     * last input frames.
     *
     * @param name unique within the graph
     * @param dtype element type
     * @param shape without symbols
     */
    record Register(String name, DType dtype, Shape shape) implements State {
        public Register {
            Objects.requireNonNull(name, "name");
            Objects.requireNonNull(dtype, "dtype");
            if (!shape.isKnown()) {
                throw new IllegalArgumentException(
                        "register " + name + " has shape " + shape + "; symbols are not allowed");
            }
        }
    }

    /**
     * Entries per frame, each under an explicit frame id; for example the keys of one attention layer. A run sees the
     * frames that its options name, in that order, and writes the ones that its options name.
     *
     * <p>Reading yields [visible frames, frameShape…], the first extent being the symbol {@link #visibleSymbol()}.
     * All frame caches of one group see and write the same frame ids in a run.
     *
     * @param name unique within the graph
     * @param group the caches that share frame ids, for example {@code self_attention}
     * @param dtype element type
     * @param frameShape shape of one frame's entry, without symbols
     * @param capacity the most frames that can be held, at least 1
     */
    record FrameCache(String name, String group, DType dtype, Shape frameShape, int capacity) implements State {
        public FrameCache {
            Objects.requireNonNull(name, "name");
            Objects.requireNonNull(dtype, "dtype");
            if (!frameShape.isKnown()) {
                throw new IllegalArgumentException(
                        "frame cache " + name + " has frame shape " + frameShape + "; symbols are not allowed");
            }
            if (capacity < 1) {
                throw new IllegalArgumentException(
                        "frame cache " + name + " has capacity " + capacity + "; at least 1");
            }
        }

        /** The symbol that stands for the number of visible frames. */
        public String visibleSymbol() {
            return "visible_" + group;
        }
    }
}
