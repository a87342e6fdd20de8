package io.teleworld.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.teleworld.graph.Graph;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.support.AbstractProgram;
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
final class OnnxProgram extends AbstractProgram<OnnxProgramState> {

    private final OnnxTensorRuntime runtime;
    private final OnnxModel model;
    private final OnnxSession session;

    OnnxProgram(OnnxTensorRuntime runtime, Graph graph, OnnxModel model, OnnxSession session) {
        super(graph, runtime.ledger());
        this.runtime = runtime;
        this.model = model.withoutWeights();
        this.session = session;
    }

    OnnxTensorRuntime runtime() {
        return runtime;
    }

    @Override
    protected OnnxProgramState createState() {
        return new OnnxProgramState(this);
    }

    @Override
    protected Map<String, ? extends Tensor> execute(
            Map<String, ? extends Tensor> inputs,
            @Nullable OnnxProgramState state,
            RunOptions options,
            Map<String, Long> symbols) {
        try (Run run = new Run(symbols)) {
            run.wrapInputs(inputs);
            run.allocateOutputs();
            OnnxProgramState.@Nullable Transaction change = state == null ? null : state.begin(run, options, model);
            if (!run.pinned.isEmpty()) {
                session.use("running graph " + graph().name(), s -> {
                    execute(s, run);
                    return true;
                });
            }
            if (change != null) {
                change.commit();
            }
            return run.results();
        }
    }

    private static void execute(OrtSession s, Run run) throws OrtException {
        try (OrtSession.Result result = s.run(run.fed, run.pinned)) {
            if (result.size() != run.pinned.size()) {
                throw new OrtException(result.size() + " results instead of " + run.pinned.size());
            }
        }
    }

    @Override
    protected void release() {
        session.close();
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
            for (Map.Entry<String, Value> e : graph().outputs().entrySet()) {
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
                    "wrapping a tensor of graph " + graph().name(),
                    () -> OnnxTensor.createTensor(runtime.environment(), buffer, shape, OnnxTypes.java(dtype)));
        }

        private Map<String, PooledTensor> results() {
            Map<String, PooledTensor> out = new LinkedHashMap<>(unclaimed);
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
        State s = graph().states().get(name);
        if (s == null) {
            throw new IllegalStateException("graph " + graph().name() + " has no state " + name);
        }
        return s;
    }
}
