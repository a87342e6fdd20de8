package io.teleworld.training.torch;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.Tensor;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.jspecify.annotations.Nullable;

/** A graph bound to weights on a device; narrow copies of the weights are made at their first use and kept. */
final class TorchProgram implements Program {

    private final TorchRuntime runtime;
    private final Graph graph;
    private final String deviceId;
    private final GraphExecutor executor;
    private final GraphExecutor.CastCache casts = new GraphExecutor.CastCache();
    private final Map<Value, org.bytedeco.pytorch.Tensor> parameters = new HashMap<>();
    private final long weightBytes;
    /** Runs share it, closing takes it alone. */
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    private boolean closed;

    TorchProgram(TorchRuntime runtime, Graph graph, Weights weights, String deviceId, Arithmetic arithmetic) {
        this.runtime = runtime;
        this.graph = graph;
        this.deviceId = deviceId;
        this.executor = new GraphExecutor(graph, arithmetic, deviceId);
        graph.parameters()
                .forEach((name, value) -> parameters.put(value, TorchModule.parameter(weights, name, value, deviceId)));
        this.weightBytes = parameters.values().stream()
                .mapToLong(org.bytedeco.pytorch.Tensor::nbytes)
                .sum();
    }

    TorchRuntime runtime() {
        return runtime;
    }

    long weightBytes() {
        return weightBytes;
    }

    @Override
    public Graph graph() {
        return graph;
    }

    /** A new tensor of zeros on the device, in the innermost scope. */
    org.bytedeco.pytorch.Tensor zeros(DType dtype, long... shape) {
        org.bytedeco.pytorch.Tensor t = TorchTensors.empty(TorchTensors.scalarType(dtype), shape);
        t.zero_();
        return TorchTensors.to(t, deviceId);
    }

    @Override
    public ProgramState newState(Scope scope) {
        lock.readLock().lock();
        try {
            requireOpen();
            return scope.adopt(new TorchProgramState(this));
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public Map<String, Tensor> run(
            Map<String, ? extends Tensor> inputs, ProgramState state, RunOptions options, Scope scope) {
        lock.readLock().lock();
        @Nullable TorchProgramState own = null;
        try {
            requireOpen();
            if (scope.isClosed()) {
                throw new ResourceClosedException("scope " + scope.name(), null);
            }
            if (!graph.states().isEmpty()) {
                if (!(state instanceof TorchProgramState s) || s.program() != this) {
                    throw ProgramChecks.foreignState(graph);
                }
                s.enter();
                own = s;
            }
            return execute(inputs, state, own, options, scope);
        } finally {
            if (own != null) {
                own.leave();
            }
            lock.readLock().unlock();
        }
    }

    private Map<String, Tensor> execute(
            Map<String, ? extends Tensor> inputs,
            ProgramState state,
            @Nullable TorchProgramState own,
            RunOptions options,
            Scope scope) {
        Map<String, Long> symbols = ProgramChecks.bind(graph, inputs, state, options);
        Map<String, TorchResult> results = new LinkedHashMap<>();
        try (PointerScope run = new PointerScope();
                AutoGradMode off = new AutoGradMode(false);
                TorchProgramState.@Nullable Transaction change = own == null ? null : own.new Transaction(options)) {
            Map<String, org.bytedeco.pytorch.Tensor> in = new HashMap<>();
            inputs.forEach((name, t) -> in.put(name, input(t)));
            Map<String, org.bytedeco.pytorch.Tensor> out =
                    executor.run(in, parameters, casts, symbols, change == null ? TorchModule.NO_STATES : change);
            // Contiguous copies: an output may be a view of an input, a weight or another output.
            out.forEach((name, t) -> results.put(
                    name,
                    new TorchResult(runtime, TorchTensors.keep(t.contiguous().clone()))));
            if (change != null) {
                change.commit();
            }
        }
        Map<String, Tensor> owned = new LinkedHashMap<>();
        results.forEach((name, t) -> owned.put(name, scope.adopt(t)));
        return owned;
    }

    private org.bytedeco.pytorch.Tensor input(Tensor t) {
        return t instanceof TorchResult r && r.handle().is_cuda() != deviceId.equals("cpu")
                ? new org.bytedeco.pytorch.Tensor(r.handle())
                : TorchTensors.to(TorchTensors.of(t), deviceId);
    }

    private void requireOpen() {
        if (closed) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            casts.close();
            parameters.values().forEach(org.bytedeco.pytorch.Tensor::close);
            parameters.clear();
            executor.close();
        } finally {
            lock.writeLock().unlock();
        }
        runtime.forget(this);
    }

    @Override
    public String toString() {
        return "program of graph " + graph.name() + " on LibTorch";
    }
}
