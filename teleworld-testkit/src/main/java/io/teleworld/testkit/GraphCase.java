package io.teleworld.testkit;

import io.teleworld.graph.Graph;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A graph with weights and inputs that fit it. Immutable; the tensors are shared and must be neither written nor closed.
 *
 * @param label says how it was drawn, seed included
 * @param graph the network
 * @param weights one tensor per parameter
 * @param inputs one tensor per input
 */
public record GraphCase(String label, Graph graph, Map<String, HostTensor> weights, Map<String, HostTensor> inputs) {

    private static final int PRINTED_AT_MOST = 64;

    public GraphCase {
        weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
        inputs = Collections.unmodifiableMap(new LinkedHashMap<>(inputs));
    }

    /** The weights as a runtime takes them. */
    public Weights asWeights() {
        return Weights.of(weights);
    }

    /** The label, the graph and, where they are few, the numbers of weights and inputs. */
    public String describe() {
        StringBuilder sb = new StringBuilder(label).append('\n').append(graph);
        weights.forEach((n, t) -> numbers(sb, "weight", n, t));
        inputs.forEach((n, t) -> numbers(sb, "given", n, t));
        return sb.toString();
    }

    private static void numbers(StringBuilder sb, String kind, String name, HostTensor t) {
        sb.append("  ").append(kind).append(' ').append(name).append(": ").append(t.dtype());
        sb.append(Arrays.toString(t.shape()));
        if (t.elementCount() <= PRINTED_AT_MOST) {
            NdArray a = NdArray.of(t);
            sb.append(" =");
            for (int i = 0; i < a.size(); i++) {
                sb.append(' ').append(a.flat(i));
            }
        }
        sb.append('\n');
    }

    /** The label, the graph and the shapes of the inputs. */
    @Override
    public String toString() {
        StringBuilder sb = new StringBuilder(label).append('\n').append(graph);
        inputs.forEach((n, t) -> sb.append("  given ")
                .append(n)
                .append(": ")
                .append(t.dtype())
                .append(Arrays.toString(t.shape()))
                .append('\n'));
        return sb.toString();
    }
}
