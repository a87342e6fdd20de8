package io.teleworld.testkit;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/** A graph that is walked node by node, each value kept in a map. */
final class ReferenceProgram implements Program {

    private final ReferenceRuntime runtime;
    private final Graph graph;
    private final Graph lowered;
    private final Map<Value, NdArray> fixed = new HashMap<>();
    private final long weightBytes;
    private final AtomicBoolean closed = new AtomicBoolean();

    ReferenceProgram(ReferenceRuntime runtime, Graph graph, Graph lowered, Weights weights) {
        this.runtime = runtime;
        this.graph = graph;
        this.lowered = lowered;
        lowered.constants().forEach((v, c) -> fixed.put(v, NdArray.of(c.tensor())));
        long bytes = 0;
        for (Map.Entry<String, Value> e : lowered.parameters().entrySet()) {
            NdArray w = NdArray.of(weights.get(e.getKey())).as(e.getValue().dtype());
            fixed.put(e.getValue(), w);
            bytes += w.byteSize();
        }
        weightBytes = bytes;
        runtime.weightBytes.addAndGet(bytes);
    }

    @Override
    public Graph graph() {
        return graph;
    }

    @Override
    public ProgramState newState(Scope scope) {
        requireOpen();
        return scope.adopt(new ReferenceState(this, runtime.stateBytes));
    }

    @Override
    public Map<String, Tensor> run(
            Map<String, ? extends Tensor> inputs, ProgramState state, RunOptions options, Scope scope) {
        requireOpen();
        ReferenceState own = ownState(state);
        Map<String, Long> symbols = ProgramChecks.bind(graph, inputs, state, options);
        Map<Value, NdArray> values = new HashMap<>(fixed);
        lowered.inputs().forEach((name, v) -> {
            Tensor t = inputs.get(name);
            if (t != null) {
                values.put(v, NdArray.of(t));
            }
        });
        Map<State, NdArray> writes = new LinkedHashMap<>();
        for (Node n : lowered.nodes()) {
            List<NdArray> in = n.inputs().stream().map(v -> require(values, v)).toList();
            List<NdArray> out = new ArrayList<>();
            if (n.op() instanceof Op.ReadState r) {
                out.add(own.read(r.state(), options));
            } else if (n.op() instanceof Op.WriteState w) {
                writes.put(w.state(), in.get(0));
            } else {
                out.addAll(apply(n, in, symbols));
            }
            for (int k = 0; k < out.size(); k++) {
                Value v = n.outputs().get(k);
                requireInferred(n, v, out.get(k), symbols);
                values.put(v, out.get(k));
            }
        }
        Map<String, Tensor> results = new LinkedHashMap<>();
        lowered.outputs()
                .forEach((name, v) -> results.put(
                        name, scope.adopt(new ReferenceTensor(require(values, v).toHost(), runtime.liveTensors))));
        own.commit(writes, options);
        return Collections.unmodifiableMap(results);
    }

    private static List<NdArray> apply(Node n, List<NdArray> in, Map<String, Long> symbols) {
        Kernels.Kernel kernel = Kernels.all().get(n.op().getClass());
        if (kernel == null) {
            throw new IllegalStateException("no kernel for " + n.op());
        }
        try {
            return kernel.run(n.op(), in, symbols);
        } catch (RuntimeException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND, n.name() + " of " + in + ": " + e.getMessage(), e);
        }
    }

    /** Shape inference and the kernels are written independently; that they agree is checked in every run. */
    private static void requireInferred(Node n, Value v, NdArray actual, Map<String, Long> symbols) {
        int[] expected = Arrays.stream(v.shape().evaluate(symbols))
                .mapToInt(Math::toIntExact)
                .toArray();
        if (actual.dtype() != v.dtype() || !Arrays.equals(actual.shape(), expected)) {
            throw new TeleWorldException(
                    TeleWorldException.Category.INTERNAL,
                    n.name() + " made " + actual + ", inferred is " + v.type() + " with " + symbols);
        }
    }

    private static NdArray require(Map<Value, NdArray> values, Value v) {
        NdArray a = values.get(v);
        if (a == null) {
            throw new IllegalStateException("value " + v + " is used before it is made");
        }
        return a;
    }

    private ReferenceState ownState(ProgramState state) {
        if (state instanceof ReferenceState s && s.belongsTo(this)) {
            s.requireOpen();
            return s;
        }
        if (graph.states().isEmpty()) {
            return new ReferenceState(this, runtime.stateBytes);
        }
        throw ProgramChecks.foreignState(graph);
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new ResourceClosedException("program of graph " + graph.name(), null);
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            runtime.weightBytes.addAndGet(-weightBytes);
            runtime.forget(this);
        }
    }

    @Override
    public String toString() {
        return "reference program of graph " + graph.name();
    }
}
