package io.teleworld.runtime.support;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A convolution over pictures, of one group, whose weight and bias are parameters that no other operator reads: what
 * can be computed in int8 once its {@link ActivationRange ranges} are known. Immutable.
 *
 * @param node the convolution
 * @param weight name of its weight
 * @param result what it makes, after the Relu if nothing but a Relu reads it
 * @param relu that Relu, or null
 */
public record PlainConvolution(
        Node node, String weight, Value result, @Nullable Node relu) {

    /** What it reads. */
    public Value input() {
        return node.inputs().get(0);
    }

    /** Those of a graph, in its order. Composites are not looked into; expand them before. */
    public static List<PlainConvolution> of(Graph graph) {
        Map<Value, List<Node>> readers = new HashMap<>();
        for (Node n : graph.nodes()) {
            n.inputs()
                    .forEach(v ->
                            readers.computeIfAbsent(v, k -> new ArrayList<>()).add(n));
        }
        Set<Value> results = new HashSet<>(graph.outputs().values());
        List<PlainConvolution> all = new ArrayList<>();
        for (Node n : graph.nodes()) {
            if (!(n.op() instanceof Op.Conv c) || c.group() != 1 || c.strides().size() != 2) {
                continue;
            }
            if (!n.inputs().subList(1, n.inputs().size()).stream().allMatch(v -> isOwn(graph, readers, v))) {
                continue;
            }
            Value y = n.output();
            List<Node> next = readers.getOrDefault(y, List.of());
            Node relu = next.size() == 1 && next.get(0).op() instanceof Op.Relu && !results.contains(y)
                    ? next.get(0)
                    : null;
            all.add(new PlainConvolution(n, n.inputs().get(1).name(), relu == null ? y : relu.output(), relu));
        }
        return all;
    }

    private static boolean isOwn(Graph graph, Map<Value, List<Node>> readers, Value v) {
        return graph.parameters().get(v.name()) == v
                && v.dtype() == DType.F32
                && readers.getOrDefault(v, List.of()).size() == 1;
    }
}
