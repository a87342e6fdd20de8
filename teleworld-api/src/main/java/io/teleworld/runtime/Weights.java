package io.teleworld.runtime;

import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.HostTensor;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Named weights, by the names of a graph's parameters. Thread-safe. */
public interface Weights {

    /** The names that are there. */
    Set<String> names();

    /**
     * The tensor of a name, F32, F16 or BF16; owned by this object and not to be closed by the caller.
     *
     * @throws IllegalArgumentException if there is none
     */
    HostTensor get(String name);

    /**
     * What {@link #get} would give, told without reading or computing the elements where that is possible.
     *
     * @throws IllegalArgumentException if there is none
     */
    default TensorType type(String name) {
        HostTensor t = get(name);
        return new TensorType(t.dtype(), Shape.of(t.shape()));
    }

    /** Weights that are held in a map. */
    static Weights of(Map<String, HostTensor> tensors) {
        Map<String, HostTensor> copy = new TreeMap<>(tensors);
        return new Weights() {
            @Override
            public Set<String> names() {
                return Set.copyOf(copy.keySet());
            }

            @Override
            public HostTensor get(String name) {
                HostTensor t = copy.get(name);
                if (t == null) {
                    throw new IllegalArgumentException("no weight is named " + name);
                }
                return t;
            }
        };
    }
}
