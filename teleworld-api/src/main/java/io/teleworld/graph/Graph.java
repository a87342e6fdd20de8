package io.teleworld.graph;

import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * A network: typed inputs, parameters (weights given at compile time), constants, declared state, nodes in an order in
 * which every value is made before it is used, and named outputs. Immutable and thread-safe.
 */
public final class Graph {

    private final String name;
    private final Map<String, Value> inputs;
    private final Map<String, Value> parameters;
    private final Map<Value, Constant> constants;
    private final Map<String, State> states;
    private final List<Node> nodes;
    private final Map<String, Value> outputs;

    Graph(
            String name,
            Map<String, Value> inputs,
            Map<String, Value> parameters,
            Map<Value, Constant> constants,
            Map<String, State> states,
            List<Node> nodes,
            Map<String, Value> outputs) {
        this.name = name;
        this.inputs = Collections.unmodifiableMap(new LinkedHashMap<>(inputs));
        this.parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        this.constants = Collections.unmodifiableMap(new LinkedHashMap<>(constants));
        this.states = Collections.unmodifiableMap(new LinkedHashMap<>(states));
        this.nodes = List.copyOf(nodes);
        this.outputs = Collections.unmodifiableMap(new LinkedHashMap<>(outputs));
    }

    /** The name, for messages and exported files. */
    public String name() {
        return name;
    }

    /** The inputs of a run by name, in the order of their declaration. */
    public Map<String, Value> inputs() {
        return inputs;
    }

    /** The weights by name. */
    public Map<String, Value> parameters() {
        return parameters;
    }

    /** The literal tensors. */
    public Map<Value, Constant> constants() {
        return constants;
    }

    /** The declared state by name. */
    public Map<String, State> states() {
        return states;
    }

    /** The nodes in topological order. */
    public List<Node> nodes() {
        return nodes;
    }

    /** The results of a run by name. */
    public Map<String, Value> outputs() {
        return outputs;
    }

    /** The symbols that inputs (not states) declare. */
    public Set<String> inputSymbols() {
        Set<String> s = new TreeSet<>();
        inputs.values().forEach(v -> s.addAll(v.shape().symbols()));
        return s;
    }

    /** The groups of frame caches that are declared. */
    public Set<String> cacheGroups() {
        Set<String> s = new TreeSet<>();
        for (State st : states.values()) {
            if (st instanceof State.FrameCache c) {
                s.add(c.group());
            }
        }
        return s;
    }

    /**
     * The same network with composite operators replaced by their default expansion, except those that {@code keep}
     * accepts because the caller has a kernel for them. Expansion repeats until none is left.
     */
    public Graph expand(Predicate<? super Op.Composite> keep) {
        GraphBuilder b = new GraphBuilder(name);
        Map<Value, Value> moved = new LinkedHashMap<>();
        inputs.forEach((n, v) -> moved.put(v, b.input(n, v.dtype(), v.shape())));
        parameters.forEach((n, v) -> moved.put(v, b.parameter(n, v.dtype(), v.shape())));
        constants.forEach((v, c) -> moved.put(v, b.constant(c)));
        states.values().forEach(b::declare);
        for (Node node : nodes) {
            List<Value> in = node.inputs().stream().map(moved::get).toList();
            List<Value> out = expandInto(b, node, in, keep);
            for (int i = 0; i < out.size(); i++) {
                moved.put(node.outputs().get(i), out.get(i));
            }
        }
        outputs.forEach((n, v) -> b.output(n, Objects.requireNonNull(moved.get(v), n)));
        return b.build();
    }

    /**
     * The same network with more results, to look at values inside it.
     *
     * @param more values of this graph by new output names
     * @throws GraphException if a name is taken or a value is not of this graph
     */
    public Graph withOutputs(Map<String, Value> more) {
        Set<Value> own = new HashSet<>(inputs.values());
        nodes.forEach(n -> own.addAll(n.outputs()));
        Map<String, Value> all = new LinkedHashMap<>(outputs);
        more.forEach((n, v) -> {
            if (!own.contains(v)) {
                throw new GraphException("output " + n + " = " + v + " is neither an input nor made by graph " + name);
            }
            if (all.putIfAbsent(n, v) != null) {
                throw new GraphException("output " + n + " is declared twice");
            }
        });
        return new Graph(name, inputs, parameters, constants, states, nodes, all);
    }

    private static List<Value> expandInto(
            GraphBuilder b, Node node, List<Value> in, Predicate<? super Op.Composite> keep) {
        b.push(node.name());
        try {
            b.expansionPolicy(keep);
            return b.apply(node.op(), in);
        } finally {
            b.pop();
        }
    }

    @Override
    public String toString() {
        StringBuilder sb = new StringBuilder("graph ").append(name).append('\n');
        inputs.forEach((n, v) ->
                sb.append("  input ").append(n).append(": ").append(v.type()).append('\n'));
        sb.append("  ").append(parameters.size()).append(" parameters\n");
        states.values().forEach(s -> sb.append("  state ").append(s).append('\n'));
        for (Node n : nodes) {
            sb.append("  ")
                    .append(n.outputs())
                    .append(" = ")
                    .append(n.op())
                    .append(n.inputs().stream().map(Value::name).toList());
            sb.append('\n');
        }
        outputs.forEach((n, v) ->
                sb.append("  output ").append(n).append(" = ").append(v).append('\n'));
        return sb.toString();
    }
}
