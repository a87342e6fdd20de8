package io.teleworld.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A session and the buffers around it. Everything that goes in or out is wrapped where it lies: inputs in their own
 * memory, states in theirs, and results are computed into buffers whose size the bound symbols give.
 */
final class OnnxProgram implements Program {

    private final OnnxTensorRuntime runtime;
    private final Graph graph;
    private final OnnxModel model;
    private final OnnxSession session;
    private final long weightBytes;

    OnnxProgram(OnnxTensorRuntime runtime, Graph graph, OnnxModel model, OnnxSession session, long weightBytes) {
        this.runtime = runtime;
        this.graph = graph;
        this.model = model;
        this.session = session;
        this.weightBytes = weightBytes;
    }

    @Override
    public Graph graph() {
        return graph;
    }

    OnnxTensorRuntime runtime() {
        return runtime;
    }

    @Override
    public ProgramState newState(Scope scope) {
        requireOpen();
        return scope.adopt(new OnnxProgramState(this));
    }

    @Override
    public Map<String, Tensor> run(
            Map<String, ? extends Tensor> inputs, ProgramState state, RunOptions options, Scope scope) {
        requireOpen();
        if (scope.isClosed()) {
            throw new ResourceClosedException("scope " + scope.name(), null);
        }
        @Nullable OnnxProgramState own = null;
        if (!graph.states().isEmpty()) {
            if (!(state instanceof OnnxProgramState s) || s.program() != this) {
                throw ProgramChecks.foreignState(graph);
            }
            own = s;
            own.enter();
        }
        try {
            Map<String, Long> symbols = ProgramChecks.bind(graph, inputs, state, options);
            try (Run run = new Run(symbols)) {
                run.wrapInputs(inputs);
                run.allocateOutputs();
                OnnxProgramState.@Nullable Transaction change =
                        own == null ? null : own.begin(run, options, model, symbols);
                if (!run.pinned.isEmpty()) {
                    session.use("running graph " + graph.name(), s -> {
                        execute(s, run);
                        return true;
                    });
                }
                if (change != null) {
                    change.commit();
                }
                return run.results(scope);
            }
        } finally {
            if (own != null) {
                own.leave();
            }
        }
    }

    private static void execute(OrtSession s, Run run) throws OrtException {
        try (OrtSession.Result result = s.run(run.fed, run.pinned)) {
            if (result.size() != run.pinned.size()) {
                throw new OrtException(result.size() + " results instead of " + run.pinned.size());
            }
        }
    }

    private void requireOpen() {
        if (session.isClosed()) {
            throw new ResourceClosedException("program of graph " + graph.name(), null);
        }
    }

    @Override
    public void close() {
        session.close();
        runtime.forget(this, weightBytes);
    }

    @Override
    public String toString() {
        return "program of graph " + graph.name();
    }

    /** The native wrappers and the unclaimed result buffers of one run. */
    final class Run implements AutoCloseable {

        private final Map<String, Long> symbols;
        private final Map<String, OnnxTensor> fed = new LinkedHashMap<>();
        private final Map<String, OnnxTensor> pinned = new LinkedHashMap<>();
        private final Map<String, PooledTensor> unclaimed = new LinkedHashMap<>();
        private final List<ByteBuffer> scratch = new ArrayList<>();

        Run(Map<String, Long> symbols) {
            this.symbols = symbols;
        }

        private void wrapInputs(Map<String, ? extends Tensor> inputs) {
            model.inputs().forEach((name, onnx) -> {
                Tensor t = inputs.get(name);
                if (t == null) {
                    throw new IllegalArgumentException("input " + name + " is missing");
                }
                feed(onnx, t.dtype(), t.hostBuffer(), t.shape());
            });
        }

        private void allocateOutputs() {
            for (Map.Entry<String, Value> e : graph.outputs().entrySet()) {
                DType dtype = e.getValue().dtype();
                long[] shape = e.getValue().shape().evaluate(symbols);
                PooledTensor t = runtime.newTensor(dtype, shape);
                unclaimed.put(e.getKey(), t);
                String onnx = model.outputs().get(e.getKey());
                if (onnx != null) {
                    pin(onnx, dtype, t.memory(), shape);
                }
            }
        }

        /** Passes a buffer in, which must stay as it is until this run is closed. */
        void feed(String onnx, DType dtype, ByteBuffer buffer, long... shape) {
            fed.put(onnx, wrap(dtype, buffer, shape));
        }

        /** Asks for a result in a buffer. */
        void pin(String onnx, DType dtype, ByteBuffer buffer, long... shape) {
            pinned.put(onnx, wrap(dtype, buffer, shape));
        }

        /** A buffer that lasts as long as this run. */
        ByteBuffer scratch(long bytes) {
            ByteBuffer b = runtime.pool().acquire(bytes);
            scratch.add(b);
            return b;
        }

        private OnnxTensor wrap(DType dtype, ByteBuffer buffer, long... shape) {
            return OnnxErrors.call(
                    "wrapping a tensor of graph " + graph.name(),
                    () -> OnnxTensor.createTensor(runtime.environment(), buffer, shape, OnnxTypes.java(dtype)));
        }

        private Map<String, Tensor> results(Scope scope) {
            Map<String, Tensor> out = new LinkedHashMap<>();
            for (Map.Entry<String, PooledTensor> e : unclaimed.entrySet()) {
                out.put(e.getKey(), scope.adopt(e.getValue()));
            }
            unclaimed.clear();
            return out;
        }

        @Override
        public void close() {
            fed.values().forEach(OnnxTensor::close);
            pinned.values().forEach(OnnxTensor::close);
            unclaimed.values().forEach(PooledTensor::close);
            scratch.forEach(runtime.pool()::release);
        }
    }

    /** The register or cache of a name. */
    State state(String name) {
        State s = graph.states().get(name);
        if (s == null) {
            throw new IllegalStateException("graph " + graph.name() + " has no state " + name);
        }
        return s;
    }
}
