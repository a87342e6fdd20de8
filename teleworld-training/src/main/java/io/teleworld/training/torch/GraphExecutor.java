package io.teleworld.training.torch;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Constant;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Runs the nodes of a graph one after the other. Immutable but for its constants; runs may overlap.
 *
 * <p>Every value is released after its last use; what autograd needs for the way back it holds itself.
 */
final class GraphExecutor implements AutoCloseable {

    /** Where a run's state lives. */
    interface StateAccess {

        /** The content of a state as the run sees it; a new handle. */
        Tensor read(State state);

        /** Takes a state's new value; borrowed for the call. */
        void write(State state, Tensor value);
    }

    private final Graph graph;
    private final Lowering lowering;
    private final Arithmetic arithmetic;
    private final Map<Value, Tensor> constants = new HashMap<>();
    private final List<List<Value>> lastUses;

    GraphExecutor(Graph graph, Arithmetic arithmetic, String deviceId) {
        this.graph = graph;
        this.arithmetic = arithmetic;
        this.lowering = new Lowering(arithmetic, !deviceId.equals("cpu"));
        graph.constants().forEach((v, c) -> constants.put(v, constant(c, deviceId)));
        this.lastUses = lastUses(graph);
    }

    private static Tensor constant(Constant c, String deviceId) {
        try (PointerScope s = new PointerScope()) {
            return TorchTensors.keep(TorchTensors.to(TorchTensors.of(c.tensor()), deviceId));
        }
    }

    private static List<List<Value>> lastUses(Graph graph) {
        Set<Value> alive = new HashSet<>(graph.outputs().values());
        List<List<Value>> out = new ArrayList<>();
        for (int i = graph.nodes().size() - 1; i >= 0; i--) {
            Node node = graph.nodes().get(i);
            List<Value> dead = new ArrayList<>();
            for (Value v : node.inputs()) {
                if (alive.add(v)) {
                    dead.add(v);
                }
            }
            for (Value v : node.outputs()) {
                if (alive.add(v)) {
                    dead.add(v);
                }
            }
            out.add(0, dead);
        }
        return out;
    }

    /** Symbols from the extents of inputs. */
    static Map<String, Long> bind(Graph graph, BiFunction<String, Value, long[]> shapes) {
        Map<String, Long> bound = new HashMap<>();
        for (int pass = 0; pass < 2; pass++) {
            for (Map.Entry<String, Value> e : graph.inputs().entrySet()) {
                Value v = e.getValue();
                long[] shape = shapes.apply(e.getKey(), v);
                if (shape.length != v.shape().rank()) {
                    throw misfit(e.getKey(), shape, v);
                }
                for (int a = 0; a < shape.length; a++) {
                    if (!fits(v.dim(a), shape[a], bound, pass == 1)) {
                        throw misfit(e.getKey(), shape, v);
                    }
                }
            }
        }
        return bound;
    }

    private static boolean fits(Dim dim, long extent, Map<String, Long> bound, boolean last) {
        List<String> open =
                dim.symbols().stream().filter(s -> !bound.containsKey(s)).toList();
        if (open.isEmpty()) {
            return dim.evaluate(bound) == extent;
        }
        if (open.size() == 1) {
            // The extent is affine in the one unknown symbol: two evaluations give its coefficient.
            Map<String, Long> trial = new HashMap<>(bound);
            trial.put(open.get(0), 1_000_000L);
            long f1 = dim.evaluate(trial);
            trial.put(open.get(0), 1_000_001L);
            long slope = dim.evaluate(trial) - f1;
            long numerator = extent - (f1 - slope * 1_000_000L);
            if (slope == 0 || numerator < 0 || numerator % slope != 0) {
                return false;
            }
            bound.put(open.get(0), numerator / slope);
            return dim.evaluate(bound) == extent;
        }
        return !last;
    }

    private static IllegalArgumentException misfit(String name, long[] shape, Value v) {
        return new IllegalArgumentException("input " + name + " has shape " + java.util.Arrays.toString(shape)
                + "; the graph declares " + v.type());
    }

    /**
     * Runs the graph.
     *
     * @param inputs by name, on the device; borrowed
     * @param parameters by value, on the device; borrowed
     * @param casts conversions of parameters that may be kept for later runs, or null if parameters can change
     * @param symbols the binding of every symbol
     * @return outputs by name in the declared element types, owned by the caller's innermost scope
     */
    Map<String, Tensor> run(
            Map<String, Tensor> inputs,
            Map<Value, Tensor> parameters,
            @Nullable CastCache casts,
            Map<String, Long> symbols,
            StateAccess states) {
        PointerScope outer = PointerScope.getInnerScope();
        CastCache parameterCasts = casts == null ? new CastCache() : casts;
        try (PointerScope scope = new PointerScope();
                Run run = new Run(parameters, parameterCasts)) {
            graph.inputs().forEach((n, v) -> run.values.put(v, TorchTensors.keep(new Tensor(inputs.get(n)))));
            for (int i = 0; i < graph.nodes().size(); i++) {
                Node node = graph.nodes().get(i);
                try (PointerScope temporaries = new PointerScope()) {
                    step(node, run, symbols, states);
                } catch (TeleWorldException | IllegalArgumentException e) {
                    throw e;
                } catch (RuntimeException e) {
                    throw new TeleWorldException(
                            TeleWorldException.Category.BACKEND,
                            "node " + node.name() + " of graph " + graph.name() + " failed: "
                                    + TorchNative.rootMessage(e),
                            e);
                }
                lastUses.get(i).forEach(run::release);
            }
            Map<String, Tensor> out = new LinkedHashMap<>();
            graph.outputs().forEach((n, v) -> {
                Tensor t = TorchTensors.cast(run.get(v), TorchTensors.scalarType(v.dtype()));
                out.put(n, TorchTensors.keepOutside(scope, outer, t));
            });
            return out;
        } finally {
            if (casts == null) {
                parameterCasts.close();
            }
        }
    }

    private void step(Node node, Run run, Map<String, Long> symbols, StateAccess states) {
        if (node.op() instanceof Op.ReadState r) {
            run.values.put(
                    node.output(), TorchTensors.keep(TorchTensors.cast(states.read(r.state()), held(r.state()))));
        } else if (node.op() instanceof Op.WriteState w) {
            states.write(w.state(), TorchTensors.cast(run.get(node.inputs().get(0)), held(w.state())));
        } else {
            List<Tensor> out = lowering.apply(node.op(), run.operands(node), symbols);
            for (int k = 0; k < out.size(); k++) {
                run.values.put(node.outputs().get(k), TorchTensors.keep(out.get(k)));
            }
        }
    }

    /** Keys and values feed products, which would narrow them at each reading. */
    private ScalarType held(State state) {
        return state instanceof State.FrameCache && state.dtype() == DType.F32
                ? arithmetic.products()
                : TorchTensors.scalarType(state.dtype());
    }

    @Override
    public void close() {
        constants.values().forEach(Tensor::close);
        constants.clear();
    }

    /** Converted copies of parameters; confined to one run at a time unless filled before. Closing releases them. */
    static final class CastCache implements AutoCloseable {
        private final Map<Value, Tensor> products = new HashMap<>();
        private final Map<Value, Tensor> kernels = new HashMap<>();
        private final Map<Value, Tensor> masks = new HashMap<>();

        void release(Value v) {
            closeIfThere(products.remove(v));
            closeIfThere(kernels.remove(v));
            closeIfThere(masks.remove(v));
        }

        @Override
        public synchronized void close() {
            for (Map<Value, Tensor> m : List.of(products, kernels, masks)) {
                m.values().forEach(Tensor::close);
                m.clear();
            }
        }
    }

    private static void closeIfThere(@Nullable Tensor t) {
        if (t != null) {
            t.close();
        }
    }

    private final class Run implements AutoCloseable {
        private final Map<Value, Tensor> values = new HashMap<>();
        private final Map<Value, Tensor> parameters;
        private final CastCache parameterCasts;
        private final CastCache activationCasts = new CastCache();
        private final Map<Value, Optional<VisibilityBlocks>> blocks = new HashMap<>();

        Run(Map<Value, Tensor> parameters, CastCache parameterCasts) {
            this.parameters = parameters;
            this.parameterCasts = parameterCasts;
        }

        Tensor get(Value v) {
            Tensor t = values.get(v);
            if (t == null) {
                t = parameters.get(v);
            }
            if (t == null) {
                t = constants.get(v);
            }
            if (t == null) {
                throw new IllegalStateException("value " + v + " is not there");
            }
            return t;
        }

        void release(Value v) {
            Tensor t = values.remove(v);
            if (t != null) {
                t.close();
                activationCasts.release(v);
            }
        }

        private CastCache casts(Value v) {
            return parameters.containsKey(v) ? parameterCasts : activationCasts;
        }

        Operands operands(Node node) {
            return new Operands() {
                @Override
                public int size() {
                    return node.inputs().size();
                }

                @Override
                public Tensor get(int index) {
                    return Run.this.get(node.inputs().get(index));
                }

                @Override
                public Tensor product(int index) {
                    Tensor t = get(index);
                    if (TorchTensors.type(t) == arithmetic.products()) {
                        return t;
                    }
                    Value v = node.inputs().get(index);
                    CastCache c = casts(v);
                    synchronized (c) {
                        return c.products.computeIfAbsent(
                                v, k -> TorchTensors.keep(TorchTensors.cast(t, arithmetic.products())));
                    }
                }

                @Override
                public Tensor kernel(int index) {
                    Value v = node.inputs().get(index);
                    CastCache c = casts(v);
                    synchronized (c) {
                        return c.kernels.computeIfAbsent(
                                v, k -> TorchTensors.keep(Lowering.kernel(get(index), arithmetic.products())));
                    }
                }

                @Override
                public @Nullable VisibilityBlocks blocks(int index) {
                    Tensor t = get(index);
                    return TorchTensors.type(t) != ScalarType.Bool
                            ? null
                            : blocks.computeIfAbsent(
                                            node.inputs().get(index), v -> Optional.ofNullable(VisibilityBlocks.of(t)))
                                    .orElse(null);
                }

                @Override
                public Tensor mask(int index) {
                    Value v = node.inputs().get(index);
                    CastCache c = casts(v);
                    synchronized (c) {
                        return c.masks.computeIfAbsent(
                                v, k -> TorchTensors.keep(Lowering.additiveMask(get(index), arithmetic.products())));
                    }
                }
            };
        }

        @Override
        public void close() {
            values.values().forEach(Tensor::close);
            values.clear();
            activationCasts.close();
        }
    }
}
