package io.teleworld.cuda.plan;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Linear layers that read the same value with weights of the same shapes, as the query, key and value of an attention do:
 * one batch of products computes them if their weights lie at equal distances. Immutable.
 */
final class LinearGroups {

    /** What layers of one group have in common. */
    private record Kind(Value input, List<Integer> shape, boolean biased, DType operands, DType bias, DType result) {}

    private final Map<Value, List<Node>> byOutput = new HashMap<>();

    private LinearGroups(ElementTypes types) {
        Graph graph = types.graph();
        Map<Value, Integer> uses = new HashMap<>();
        graph.nodes().forEach(n -> n.inputs().forEach(v -> uses.merge(v, 1, Integer::sum)));
        Set<Value> outputs = new HashSet<>(graph.outputs().values());
        Map<Kind, List<Node>> kinds = new LinkedHashMap<>();
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.Linear
                    && !types.isFp8(n)
                    && !outputs.contains(n.output())
                    && ownsWeights(n, types, uses)) {
                Kind kind = new Kind(
                        n.inputs().get(0),
                        n.inputs().get(1).shape().dims().stream()
                                .map(d -> Math.toIntExact(d.known()))
                                .toList(),
                        n.inputs().size() == 3,
                        types.operand(n, 1),
                        n.inputs().size() == 3 ? types.operand(n, 2) : types.operand(n, 1),
                        types.of(n.output()));
                kinds.computeIfAbsent(kind, k -> new ArrayList<>()).add(n);
            }
        }
        for (List<Node> group : kinds.values()) {
            if (group.size() > 1) {
                group.forEach(n -> byOutput.put(n.output(), List.copyOf(group)));
            }
        }
    }

    private static boolean ownsWeights(Node n, ElementTypes types, Map<Value, Integer> uses) {
        return n.inputs().subList(1, n.inputs().size()).stream()
                .allMatch(w -> types.isWeight(w) && uses.getOrDefault(w, 0) == 1);
    }

    /** The groups of a graph. */
    static LinearGroups of(ElementTypes types) {
        return new LinearGroups(types);
    }

    /** The layers that are computed together with this one, in the order of the graph; none if it stands alone. */
    List<Node> with(Node n) {
        return n.op() instanceof Op.Linear ? byOutput.getOrDefault(n.output(), List.of()) : List.of();
    }
}
