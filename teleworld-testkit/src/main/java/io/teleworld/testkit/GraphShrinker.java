package io.teleworld.testkit;

import io.teleworld.graph.Constant;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Node;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Makes failing cases small: cuts runs of consecutive nodes out of a graph and gives them, as inputs, what the oracle
 * computed before them. Stateless and thread-safe.
 */
public final class GraphShrinker {

    private GraphShrinker() {}

    /**
     * The smallest case that still fails, found by trying smaller ones until none does.
     *
     * @param failing a case for which {@code fails} holds
     * @param fails whether a case shows the failure
     */
    public static GraphCase shrink(GraphCase failing, Predicate<GraphCase> fails) {
        GraphCase least = failing;
        while (true) {
            Optional<GraphCase> next = smaller(least).filter(fails).findFirst();
            if (next.isEmpty()) {
                return least;
            }
            least = next.get();
        }
    }

    /**
     * Cases with fewer nodes than a case, the smallest first: each node alone, each two that follow each other, and so on.
     * A graph with states has none, because its nodes depend on earlier runs.
     */
    public static Stream<GraphCase> smaller(GraphCase c) {
        int n = c.graph().nodes().size();
        if (!c.graph().states().isEmpty() || n < 2) {
            return Stream.empty();
        }
        Map<Value, HostTensor> values = evaluate(c);
        return IntStream.range(1, n)
                .boxed()
                .flatMap(length -> IntStream.rangeClosed(0, n - length)
                        .mapToObj(from -> new Cut(c, values, from, from + length).make()));
    }

    /** What the oracle computes for every value of a case. */
    private static Map<Value, HostTensor> evaluate(GraphCase c) {
        Graph g = c.graph();
        List<Value> all = new ArrayList<>();
        g.nodes().forEach(node -> all.addAll(node.outputs()));
        Copy copy = new Copy(g.name());
        g.inputs().forEach((name, v) -> copy.values.put(v, copy.b.input(name, v.dtype(), v.shape())));
        g.nodes().forEach(node -> copy.node(node, g));
        for (int i = 0; i < all.size(); i++) {
            copy.b.output("value" + i, copy.get(all.get(i)));
        }
        Map<Value, HostTensor> out = new HashMap<>();
        g.inputs().forEach((name, v) -> out.put(v, get(c.inputs(), name)));
        try (ReferenceRuntime reference = new ReferenceRuntime();
                Program p = reference.compile(copy.b.build(), c.asWeights(), Precision.FP32);
                Scope scope = Scope.root("values")) {
            Map<String, Tensor> results = p.run(c.inputs(), p.newState(scope), RunOptions.DEFAULT, scope);
            for (int i = 0; i < all.size(); i++) {
                out.put(all.get(i), NdArray.of(get(results, "value" + i)).toHost());
            }
        }
        return out;
    }

    private static <K, V> V get(Map<K, V> map, K key) {
        V v = map.get(key);
        if (v == null) {
            throw new IllegalStateException("no " + key);
        }
        return v;
    }

    /** Nodes of one graph that are built again in another. */
    private static final class Copy {

        final GraphBuilder b;
        final Map<Value, Value> values = new HashMap<>();

        Copy(String name) {
            b = new GraphBuilder(name);
        }

        Value get(Value v) {
            return GraphShrinker.get(values, v);
        }

        void node(Node node, Graph g) {
            node.inputs().forEach(v -> fixed(v, g));
            List<Value> made =
                    b.apply(node.op(), node.inputs().stream().map(this::get).toList());
            for (int k = 0; k < made.size(); k++) {
                values.put(node.outputs().get(k), made.get(k));
            }
        }

        /** Declares a constant or parameter at its first use; says whether the value is there now. */
        boolean fixed(Value v, Graph g) {
            if (!values.containsKey(v)) {
                @Nullable Constant constant = g.constants().get(v);
                if (constant != null) {
                    values.put(v, b.constant(constant));
                } else if (g.parameters().containsValue(v)) {
                    values.put(v, b.parameter(v.name(), v.dtype(), v.shape()));
                }
            }
            return values.containsKey(v);
        }
    }

    /** Nodes {@code from} to {@code to} of a case. */
    private record Cut(GraphCase origin, Map<Value, HostTensor> known, int from, int to) {

        GraphCase make() {
            Graph g = origin.graph();
            List<Node> nodes = g.nodes().subList(from, to);
            Copy copy = new Copy(g.name());
            Map<String, HostTensor> inputs = new LinkedHashMap<>();
            Set<Value> inside = new HashSet<>();
            nodes.forEach(node -> inside.addAll(node.outputs()));
            for (Node node : nodes) {
                for (Value v : node.inputs()) {
                    if (!inside.contains(v) && !copy.fixed(v, g)) {
                        String name = "given" + inputs.size();
                        inputs.put(name, get(known, v));
                        copy.values.put(v, copy.b.input(name, v.dtype(), v.shape()));
                    }
                }
            }
            bindSymbols(copy, nodes, inputs);
            Set<Value> used = new HashSet<>();
            nodes.forEach(node -> {
                copy.node(node, g);
                used.addAll(node.inputs());
            });
            int results = 0;
            for (Node node : nodes) {
                for (Value v : node.outputs()) {
                    if (!used.contains(v)) {
                        copy.b.output("y" + results++, copy.get(v));
                    }
                }
            }
            Graph cut = copy.b.build();
            Map<String, HostTensor> weights = new LinkedHashMap<>(origin.weights());
            weights.keySet().retainAll(cut.parameters().keySet());
            return new GraphCase(origin.label() + ", nodes " + from + " to " + (to - 1), cut, weights, inputs);
        }

        /** Inputs that do nothing but say what a symbol stands for, because what is given may have it in products only. */
        private void bindSymbols(Copy copy, List<Node> nodes, Map<String, HostTensor> inputs) {
            Map<String, Long> extents = new TreeMap<>();
            origin.graph().inputs().forEach((name, v) -> {
                long[] shape = get(origin.inputs(), name).shape();
                for (int a = 0; a < shape.length; a++) {
                    for (String s : v.dim(a).symbols()) {
                        if (v.dim(a).equals(Dim.symbol(s))) {
                            extents.put(s, shape[a]);
                        }
                    }
                }
            });
            Set<String> needed = new TreeSet<>();
            for (Node node : nodes) {
                Stream.concat(node.inputs().stream(), node.outputs().stream())
                        .forEach(v -> needed.addAll(v.shape().symbols()));
            }
            for (String s : needed) {
                String name = "binder_" + s;
                inputs.put(name, HostTensor.zeros(io.teleworld.tensor.DType.F32, get(extents, s)));
                Value binder = copy.b.input(name, io.teleworld.tensor.DType.F32, Shape.of(Dim.symbol(s)));
                copy.b.output(name, binder);
            }
        }
    }
}
