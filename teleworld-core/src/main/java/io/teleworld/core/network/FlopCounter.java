package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import java.util.Map;

/** Counts the work of a graph. Stateless. */
public final class FlopCounter {

    private FlopCounter() {}

    /**
     * Floating-point operations of one run, a multiply-add being two, in convolutions, linear layers, matrix products
     * and attention; everything else is left out.
     *
     * @param bindings an extent for every symbol that occurs, those of frame caches included
     */
    public static long count(Graph graph, Map<String, Long> bindings) {
        Graph plain = graph.expand(op -> op instanceof Op.Linear);
        long total = 0;
        for (Node node : plain.nodes()) {
            total = Math.addExact(total, flops(node, bindings));
        }
        return total;
    }

    /** The number of weights. */
    public static long parameters(Graph graph) {
        return graph.parameters().values().stream()
                .mapToLong(v -> v.shape().elementCount().known())
                .sum();
    }

    private static long flops(Node node, Map<String, Long> bindings) {
        if (node.op() instanceof Op.Conv) {
            Shape w = node.inputs().get(1).shape();
            return 2
                    * outputs(node, bindings).times(w.elementCount()).evaluate(bindings)
                    / w.dim(0).known();
        }
        if (node.op() instanceof Op.Linear || node.op() instanceof Op.MatMul) {
            return 2
                    * outputs(node, bindings)
                            .times(node.inputs().get(0).dim(-1))
                            .evaluate(bindings);
        }
        if (node.op() instanceof Op.Attention) {
            Shape q = node.inputs().get(0).shape();
            Shape k = node.inputs().get(1).shape();
            Shape v = node.inputs().get(2).shape();
            Dim pairs = q.dim(0).times(q.dim(1)).times(k.dim(1));
            return 2 * pairs.times(q.dim(2).plus(v.dim(2))).evaluate(bindings);
        }
        return 0;
    }

    private static Dim outputs(Node node, Map<String, Long> bindings) {
        return Dim.of(node.outputs().get(0).shape().elementCount().evaluate(bindings));
    }
}
