package io.teleworld.training.torch;

import io.teleworld.graph.Graph;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.AbstractProgram;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.runtime.support.TensorProgramState;
import io.teleworld.tensor.Tensor;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.jspecify.annotations.Nullable;

/** A graph bound to weights on a device; narrow copies of the weights are made at their first use and kept. */
final class TorchProgram extends AbstractProgram<TensorProgramState<org.bytedeco.pytorch.Tensor>> {

    private final String deviceId;
    private final TorchStateMemory memory;
    private final GraphExecutor executor;
    private final GraphExecutor.CastCache casts = new GraphExecutor.CastCache();
    private final Map<Value, org.bytedeco.pytorch.Tensor> parameters = new HashMap<>();
    private final long weightBytes;

    TorchProgram(RuntimeLedger ledger, Graph graph, Weights weights, String deviceId, Arithmetic arithmetic) {
        super(graph, ledger);
        this.deviceId = deviceId;
        this.memory = new TorchStateMemory(deviceId);
        this.executor = new GraphExecutor(graph, arithmetic, deviceId);
        graph.parameters()
                .forEach((name, value) -> parameters.put(value, TorchModule.parameter(weights, name, value, deviceId)));
        this.weightBytes = parameters.values().stream()
                .mapToLong(org.bytedeco.pytorch.Tensor::nbytes)
                .sum();
    }

    long weightBytes() {
        return weightBytes;
    }

    @Override
    protected TensorProgramState<org.bytedeco.pytorch.Tensor> createState() {
        return new TensorProgramState<>(this, ledger(), memory);
    }

    @Override
    protected Map<String, ? extends Tensor> execute(
            Map<String, ? extends Tensor> inputs,
            @Nullable TensorProgramState<org.bytedeco.pytorch.Tensor> state,
            RunOptions options,
            Map<String, Long> symbols) {
        try (PointerScope run = new PointerScope();
                AutoGradMode off = new AutoGradMode(false);
                TensorProgramState<org.bytedeco.pytorch.Tensor>.@Nullable Transaction change =
                        state == null ? null : state.begin(options)) {
            Map<String, org.bytedeco.pytorch.Tensor> in = new HashMap<>();
            inputs.forEach((name, t) -> in.put(name, input(t)));
            Map<String, org.bytedeco.pytorch.Tensor> out = executor.run(
                    in, parameters, casts, symbols, change == null ? TorchModule.NO_STATES : access(change));
            Map<String, TorchResult> results = new LinkedHashMap<>();
            // Contiguous copies: an output may be a view of an input, a weight or another output.
            out.forEach((name, t) -> results.put(
                    name,
                    new TorchResult(ledger(), TorchTensors.keep(t.contiguous().clone()))));
            if (change != null) {
                change.commit();
            }
            return results;
        }
    }

    private static GraphExecutor.StateAccess access(
            TensorProgramState<org.bytedeco.pytorch.Tensor>.Transaction change) {
        return new GraphExecutor.StateAccess() {
            @Override
            public org.bytedeco.pytorch.Tensor read(State state) {
                return new org.bytedeco.pytorch.Tensor(change.read(state));
            }

            @Override
            public void write(State state, org.bytedeco.pytorch.Tensor value) {
                change.write(state, value);
            }
        };
    }

    private org.bytedeco.pytorch.Tensor input(Tensor t) {
        return t instanceof TorchResult r && r.handle().is_cuda() != deviceId.equals("cpu")
                ? new org.bytedeco.pytorch.Tensor(r.handle())
                : TorchTensors.to(TorchTensors.of(t), deviceId);
    }

    @Override
    protected void release() {
        casts.close();
        parameters.values().forEach(org.bytedeco.pytorch.Tensor::close);
        parameters.clear();
        executor.close();
    }

    @Override
    public String toString() {
        return super.toString() + " on LibTorch";
    }
}
