package io.teleworld.runtime;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.TensorType;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The checks that every {@link TensorRuntime} makes before it compiles or runs a graph, so that a wrong call gets the
 * same error whatever runs it. Stateless and thread-safe.
 */
public final class ProgramChecks {

    private static final int NAMED_AT_MOST = 5;

    /** Added to an extent that may be negative, because evaluation refuses negative results. */
    private static final long SMALL = 1L << 32;

    private ProgramChecks() {}

    // ------------------------------------------------------------------------------------------ compile

    /**
     * The graph as a runtime can run it: composites that it lacks are expanded.
     *
     * @param graph what is to be compiled
     * @param runtime the runtime's name, for the message
     * @param operators what the runtime runs itself
     * @throws TeleWorldException of category BACKEND if an operator is lacking; names it and the node
     */
    public static Graph lower(Graph graph, String runtime, Set<Class<? extends Op>> operators) {
        Graph lowered = graph.expand(composite -> operators.contains(composite.getClass()));
        for (Node n : lowered.nodes()) {
            if (!operators.contains(n.op().getClass())) {
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "runtime " + runtime + " has no operator " + n.op().name() + ", which graph " + graph.name()
                                + " needs at " + n.name());
            }
        }
        return lowered;
    }

    /**
     * Requires that a runtime has a precision.
     *
     * @throws TeleWorldException of category BACKEND if not; names it and what there is
     */
    public static void requirePrecision(String runtime, Set<Precision> precisions, Precision precision) {
        if (!precisions.contains(precision)) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND,
                    "runtime " + runtime + " cannot compute in " + precision + "; it has " + precisions);
        }
    }

    /**
     * Requires one weight per parameter, of its shape, in F32, F16 or BF16. Weights that the graph does not name are
     * allowed.
     *
     * @throws TeleWorldException of category USER if not; names the weight, what it is and what is declared
     */
    public static void requireWeights(Graph graph, Weights weights) {
        Set<String> names = weights.names();
        List<String> missing = graph.parameters().keySet().stream()
                .filter(p -> !names.contains(p))
                .toList();
        if (!missing.isEmpty()) {
            String first = String.join(", ", missing.subList(0, Math.min(NAMED_AT_MOST, missing.size())));
            throw user("graph " + graph.name() + " lacks " + missing.size() + " of its "
                    + graph.parameters().size() + " weights: " + first
                    + (missing.size() > NAMED_AT_MOST ? ", …" : ""));
        }
        graph.parameters().forEach((name, value) -> {
            TensorType t = weights.type(name);
            if (!t.shape().equals(value.shape())) {
                throw user("weight " + name + " is " + t + "; graph " + graph.name() + " declares " + value.type());
            }
            if (t.dtype() != DType.F32 && t.dtype() != DType.F16 && t.dtype() != DType.BF16) {
                throw user("weight " + name + " is " + t + "; allowed are F32, F16 and BF16");
            }
        });
    }

    // ------------------------------------------------------------------------------------------ run

    /**
     * Checks everything that one run is given and binds the symbols of the graph.
     *
     * <p>An input extent that is a bare symbol binds that symbol, then one such as {@code 1+4*frames} binds a symbol that
     * is still open and linear in it; all other extents must then agree. The symbol
     * {@code visible_<group>} of each cache group is the number of frames that {@code options} lets the run see.
     *
     * @param graph as given to {@code compile}, or lowered from it
     * @param inputs by name
     * @param state made by the program; not looked at if the graph declares no frame cache
     * @param options what the run sees and writes
     * @return the extent of every symbol
     * @throws IllegalArgumentException if an input is missing, unknown or of another type; if a frame group is unknown,
     *     a visible frame is not held, the written ids do not match the run's frames or exceed a capacity; or if an
     *     extent is too small for the graph
     * @throws io.teleworld.error.ResourceClosedException if an input or the state is closed
     */
    public static Map<String, Long> bind(
            Graph graph, Map<String, ? extends Tensor> inputs, ProgramState state, RunOptions options) {
        for (String name : inputs.keySet()) {
            if (!graph.inputs().containsKey(name)) {
                throw new IllegalArgumentException("graph " + graph.name() + " has no input " + name + "; it declares "
                        + graph.inputs().keySet());
            }
        }
        Map<String, Long> symbols = new TreeMap<>();
        for (String group : graph.cacheGroups()) {
            symbols.put(
                    "visible_" + group, (long) visible(group, state, options).size());
        }
        for (Map.Entry<String, Value> e : graph.inputs().entrySet()) {
            Tensor t = inputs.get(e.getKey());
            Value declared = e.getValue();
            if (t == null) {
                throw new IllegalArgumentException(
                        "input " + e.getKey() + " is missing; graph " + graph.name() + " declares " + declared.type());
            }
            if (t.dtype() != declared.dtype()
                    || t.shape().length != declared.shape().rank()) {
                throw mismatch(graph, e.getKey(), t, declared, "");
            }
            long[] shape = t.shape();
            for (int a = 0; a < shape.length; a++) {
                Dim d = declared.dim(a);
                if (isBareSymbol(d)) {
                    Long known = symbols.putIfAbsent(d.toString(), shape[a]);
                    if (known != null && known != shape[a]) {
                        throw mismatch(graph, e.getKey(), t, declared, " with " + d + " = " + known);
                    }
                }
            }
        }
        graph.inputs().forEach((name, declared) -> solve(graph, name, declared, inputs.get(name), symbols));
        graph.inputs().forEach((name, declared) -> {
            Tensor t = inputs.get(name);
            if (t != null && !Arrays.equals(t.shape(), declared.shape().evaluate(symbols))) {
                throw mismatch(
                        graph,
                        name,
                        t,
                        declared,
                        declared.shape().symbols().isEmpty() ? "" : " with " + only(declared.shape(), symbols));
            }
        });
        checkFrames(graph, state, options, symbols);
        checkExtents(graph, symbols);
        return symbols;
    }

    /** Binds the symbols that occur in an input only in sums such as {@code 1+4*frames}. */
    private static void solve(Graph graph, String name, Value declared, @Nullable Tensor t, Map<String, Long> symbols) {
        if (t == null) {
            return;
        }
        for (int a = 0; a < declared.shape().rank(); a++) {
            Dim d = declared.dim(a);
            List<String> open =
                    d.symbols().stream().filter(s -> !symbols.containsKey(s)).toList();
            if (open.size() != 1) {
                continue;
            }
            String s = open.get(0);
            long factor = d.terms().getOrDefault(s, 0L);
            Dim rest = d.minus(Dim.symbol(s).times(factor));
            if (factor == 0 || rest.symbols().contains(s)) {
                continue;
            }
            long product = t.shape()[a] - (rest.plus(SMALL).evaluate(symbols) - SMALL);
            if (product % factor != 0 || product / factor < 0) {
                throw mismatch(graph, name, t, declared, "");
            }
            symbols.put(s, product / factor);
        }
    }

    /** The frames of a cache group that a run sees, in its order. */
    public static List<Integer> visible(String group, ProgramState state, RunOptions options) {
        List<Integer> named = options.visible().get(group);
        List<Integer> held = state.frames(group);
        if (named == null) {
            return held;
        }
        List<Integer> lacking = new ArrayList<>(named);
        lacking.removeAll(held);
        if (!lacking.isEmpty()) {
            throw new IllegalArgumentException(
                    "visible frames " + lacking + " of group " + group + " are not held; held are " + held);
        }
        return named;
    }

    /** The error for a state that another program made. */
    public static IllegalArgumentException foreignState(Graph graph) {
        return new IllegalArgumentException("the state was made by another program than that of graph " + graph.name());
    }

    /**
     * Requires that the graph declares a cache group.
     *
     * @throws IllegalArgumentException if not; names the groups that there are
     */
    public static void requireGroup(Graph graph, String group) {
        if (!graph.cacheGroups().contains(group)) {
            throw new IllegalArgumentException(
                    "graph " + graph.name() + " has no frame cache group " + group + "; it has " + graph.cacheGroups());
        }
    }

    private static void checkFrames(Graph graph, ProgramState state, RunOptions options, Map<String, Long> symbols) {
        options.visible().keySet().forEach(g -> requireGroup(graph, g));
        options.written().keySet().forEach(g -> requireGroup(graph, g));
        if (options.written().isEmpty()) {
            return;
        }
        Set<State> writable = new HashSet<>();
        for (Node n : graph.nodes()) {
            if (!(n.op() instanceof Op.WriteState w) || !(w.state() instanceof State.FrameCache c)) {
                continue;
            }
            writable.add(c);
            List<Integer> ids = options.written().get(c.group());
            if (ids == null) {
                continue;
            }
            long frames = n.inputs().get(0).dim(0).evaluate(symbols);
            if (frames != ids.size()) {
                throw new IllegalArgumentException("the run has " + frames + " frames for cache " + c.name()
                        + ", but group " + c.group() + " is to be written under " + ids);
            }
        }
        for (State s : graph.states().values()) {
            if (!(s instanceof State.FrameCache c)) {
                continue;
            }
            List<Integer> ids = options.written().get(c.group());
            if (ids == null) {
                continue;
            }
            if (!writable.contains(c)) {
                throw new IllegalArgumentException("group " + c.group() + " is to be written, but graph " + graph.name()
                        + " does not write its cache " + c.name());
            }
            List<Integer> held = state.frames(c.group());
            Set<Integer> after = new HashSet<>(held);
            after.addAll(ids);
            if (after.size() > c.capacity()) {
                throw new IllegalArgumentException("writing frames " + ids + " would fill cache " + c.name()
                        + " with " + after.size() + " frames; its capacity is " + c.capacity() + " and " + held
                        + " are held");
            }
        }
    }

    /** Symbolic extents that only now turn out too small for a slice or a convolution. */
    private static void checkExtents(Graph graph, Map<String, Long> symbols) {
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.Slice s) {
                Dim axis = n.inputs().get(0).dim(s.axis());
                if (axis.isKnown()) {
                    continue;
                }
                long size = axis.evaluate(symbols);
                long from = s.start() < 0 ? s.start() + size : s.start();
                long to = s.end() == Op.Slice.TO_END ? size : s.end() < 0 ? s.end() + size : s.end();
                if (from < 0 || from > to || to > size) {
                    throw tooSmall(n, axis, symbols);
                }
            } else if (n.op() instanceof Op.Conv) {
                for (Dim d :
                        n.output().shape().dims().subList(2, n.output().shape().rank())) {
                    if (!d.isKnown() && d.plus(SMALL).evaluate(symbols) <= SMALL) {
                        throw tooSmall(n, d, symbols);
                    }
                }
            }
        }
    }

    private static IllegalArgumentException tooSmall(Node n, Dim extent, Map<String, Long> symbols) {
        return new IllegalArgumentException("with " + only(Shape.of(extent), symbols) + ", extent " + extent
                + " does not allow " + n.op() + " at " + n.name());
    }

    private static Map<String, Long> only(Shape shape, Map<String, Long> symbols) {
        Map<String, Long> m = new LinkedHashMap<>();
        shape.symbols().forEach(s -> {
            Long v = symbols.get(s);
            if (v != null) {
                m.put(s, v);
            }
        });
        return m;
    }

    private static boolean isBareSymbol(Dim d) {
        return d.terms().size() == 1
                && d.symbols().size() == 1
                && d.equals(Dim.symbol(d.symbols().iterator().next()));
    }

    private static IllegalArgumentException mismatch(
            Graph graph, String name, Tensor actual, Value declared, String binding) {
        return new IllegalArgumentException("input " + name + " is " + describe(actual) + "; graph " + graph.name()
                + " declares " + declared.type() + binding);
    }

    private static String describe(Tensor t) {
        return t.dtype() + Arrays.toString(t.shape()).replace(" ", "");
    }

    private static TeleWorldException user(String message) {
        return new TeleWorldException(TeleWorldException.Category.USER, message);
    }
}
