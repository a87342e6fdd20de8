package io.teleworld.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** ONNX Runtime on the host processor; see {@link OnnxLowering} for what becomes of each operator. */
final class OnnxTensorRuntime implements TensorRuntime {

    private static final Set<Precision> PRECISIONS =
            Collections.unmodifiableSet(EnumSet.of(Precision.FP32, Precision.INT8_LINEAR, Precision.INT8));

    private final OrtEnvironment environment;
    private final Device device;
    private final int threads;
    private final boolean spin;
    private final BufferPool pool = new BufferPool();
    private final RuntimeLedger ledger;

    OnnxTensorRuntime(OrtEnvironment environment, Device device, int threads, boolean spin) {
        this.environment = environment;
        this.device = device;
        this.threads = threads;
        this.spin = spin;
        this.ledger = new RuntimeLedger(toString());
    }

    @Override
    public String name() {
        return OnnxRuntimeProvider.NAME;
    }

    @Override
    public List<Device> devices() {
        return List.of(device);
    }

    @Override
    public Set<Class<? extends Op>> operators() {
        return OnnxLowering.operators();
    }

    @Override
    public Set<Precision> precisions() {
        return PRECISIONS;
    }

    @Override
    public MemoryFigures memory() {
        return ledger.memory();
    }

    @Override
    public Program compile(Graph graph, Weights weights, Precision precision) {
        ledger.requireOpen();
        ProgramChecks.requirePrecision(name(), PRECISIONS, precision);
        ProgramChecks.requireWeights(graph, weights);
        OnnxModel model = OnnxLowering.lower(graph, weights, precision);
        return ledger.add(new OnnxProgram(this, graph, model, session(graph, model)), model.initializerBytes());
    }

    private OnnxSession session(Graph graph, OnnxModel model) {
        String what = "compiling graph " + graph.name();
        OrtSession.SessionOptions options = OnnxErrors.call(what, OrtSession.SessionOptions::new);
        try {
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            options.setExecutionMode(OrtSession.SessionOptions.ExecutionMode.SEQUENTIAL);
            options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
            // A plan for all values at once is taken besides what runs without a plan have taken already.
            options.setMemoryPatternOptimization(model.initializerBytes() <= OnnxModel.MESSAGE_LIMIT);
            options.addConfigEntry("session.intra_op.allow_spinning", spin ? "1" : "0");
            return new OnnxSession(open(model, options), options);
        } catch (OrtException e) {
            options.close();
            throw OnnxErrors.failure(what, e);
        } catch (IOException e) {
            options.close();
            throw new TeleWorldException(
                    TeleWorldException.Category.RESOURCE,
                    what + ": no room for a temporary file: " + e.getMessage(),
                    e);
        } catch (RuntimeException e) {
            options.close();
            throw e;
        }
    }

    private OrtSession open(OnnxModel model, OrtSession.SessionOptions options) throws OrtException, IOException {
        if (model.initializerBytes() <= OnnxModel.MESSAGE_LIMIT) {
            return environment.createSession(model.inline().toByteArray(), options);
        }
        Path folder = Files.createTempDirectory("teleworld-onnx");
        Path file = folder.resolve("model.onnx");
        try {
            model.write(file, OnnxModel.MESSAGE_LIMIT);
            return environment.createSession(file.toString(), options);
        } finally {
            Files.deleteIfExists(file.resolveSibling("model.onnx.data"));
            Files.deleteIfExists(file);
            Files.deleteIfExists(folder);
        }
    }

    OrtEnvironment environment() {
        return environment;
    }

    BufferPool pool() {
        return pool;
    }

    /** A tensor of any content in a pooled buffer. */
    PooledTensor newTensor(DType dtype, long... shape) {
        ByteBuffer buffer = pool.acquire(byteSize(dtype, shape));
        ledger.addLiveTensors(1);
        return new PooledTensor(dtype, shape, buffer, () -> {
            ledger.addLiveTensors(-1);
            pool.release(buffer);
        });
    }

    static long byteSize(DType dtype, long... shape) {
        return Math.multiplyExact(HostTensor.elementCount(shape), (long) dtype.byteSize());
    }

    RuntimeLedger ledger() {
        return ledger;
    }

    @Override
    public void close() {
        ledger.close();
    }

    @Override
    public String toString() {
        return "runtime " + OnnxRuntimeProvider.NAME + " on " + threads + " threads";
    }
}
