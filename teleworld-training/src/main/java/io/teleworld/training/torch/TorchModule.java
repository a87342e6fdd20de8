package io.teleworld.training.torch;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;

/**
 * A graph with trainable parameters: {@link #forward} runs it and records what {@code backward()} needs.
 *
 * <p>Parameters are fp32 leaves whatever the {@link Arithmetic}; narrower copies are made once per forward pass and
 * gradients arrive in fp32. Graphs with states are refused: a training graph sees whole sequences.
 *
 * <p>Native memory: run every step within a scope, so that activations go when it ends,
 *
 * <pre>{@code
 * try (PointerScope step = new PointerScope()) {
 *     Tensor loss = criterion(module.forward(inputs).get("output"));
 *     loss.backward();
 *     optimizer.step();
 *     optimizer.zeroGradients();
 * }
 * }</pre>
 *
 * <p>{@link #forward}, {@link #inference} and {@code backward()} may run on several threads at once, everything else on one
 * while nothing else runs; see {@link ShardedBackward}. The owner closes it.
 */
public final class TorchModule implements AutoCloseable {

    private final Graph graph;
    private final String deviceId;
    private final Arithmetic arithmetic;
    private final GraphExecutor executor;
    private final Map<String, Tensor> parameters = new LinkedHashMap<>();
    private final Map<Value, Tensor> byValue = new HashMap<>();

    /**
     * Binds a graph to initial weights, which are copied.
     *
     * @param network its composites without a LibTorch form are expanded
     * @param initial one tensor per parameter of the graph; more are ignored
     * @param deviceId {@code cpu} or {@code cuda:0}
     * @throws TeleWorldException of category USER if a weight is missing or has another shape
     */
    public TorchModule(Graph network, Weights initial, String deviceId, Arithmetic arithmetic) {
        TorchNative.load();
        Graph graph = Lowering.expanded(network);
        if (!graph.states().isEmpty()) {
            throw new IllegalArgumentException("graph " + graph.name() + " has states "
                    + graph.states().keySet() + "; only graphs without states can be trained");
        }
        this.graph = graph;
        this.deviceId = deviceId;
        this.arithmetic = arithmetic;
        this.executor = new GraphExecutor(graph, arithmetic, deviceId);
        graph.parameters().forEach((name, value) -> {
            Tensor t = parameter(initial, name, value, deviceId);
            t.set_requires_grad(true);
            parameters.put(name, t);
            byValue.put(value, t);
        });
    }

    /** As the other constructor, with the weights in row-major arrays. */
    public static TorchModule of(Graph graph, Map<String, float[]> initial, String deviceId, Arithmetic arithmetic) {
        Map<String, HostTensor> tensors = new TreeMap<>();
        graph.parameters().forEach((name, value) -> {
            float[] w = initial.get(name);
            if (w != null) {
                tensors.put(name, HostTensor.ofFloats(w, value.shape().known()));
            }
        });
        return new TorchModule(graph, Weights.of(tensors), deviceId, arithmetic);
    }

    static Tensor parameter(Weights weights, String name, Value value, String deviceId) {
        if (!weights.names().contains(name)) {
            throw new TeleWorldException(TeleWorldException.Category.USER, "weight " + name + " is missing");
        }
        long[] shape = weights.get(name).shape();
        if (!Arrays.equals(shape, value.shape().known())) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    "weight " + name + " has shape " + Arrays.toString(shape) + "; the graph needs " + value.shape());
        }
        try (PointerScope s = new PointerScope()) {
            return TorchTensors.keep(TorchTensors.to(TorchTensors.weight(weights, name), deviceId));
        }
    }

    public Graph graph() {
        return graph;
    }

    public String deviceId() {
        return deviceId;
    }

    public Arithmetic arithmetic() {
        return arithmetic;
    }

    /** The trainable tensors by name, fp32 leaves; owned by this module. */
    public Map<String, Tensor> parameters() {
        return Collections.unmodifiableMap(parameters);
    }

    /** The number of trainable elements. */
    public long parameterCount() {
        return parameters.values().stream().mapToLong(Tensor::numel).sum();
    }

    /**
     * Runs the graph and records it for the way back, unless {@link #inference} or a {@code NoGradGuard} switches that
     * off.
     *
     * @param inputs one tensor per input of the graph, on the module's device; borrowed
     * @return the outputs by name, owned by the innermost {@link PointerScope}
     * @throws IllegalArgumentException if an input is missing, unknown or does not fit
     */
    public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
        for (String name : inputs.keySet()) {
            if (!graph.inputs().containsKey(name)) {
                throw new IllegalArgumentException("input " + name + " is unknown; the graph has "
                        + graph.inputs().keySet());
            }
        }
        Map<String, Long> symbols = GraphExecutor.bind(graph, (name, value) -> {
            Tensor t = inputs.get(name);
            if (t == null) {
                throw new IllegalArgumentException("input " + name + " is missing; the graph declares " + value.type());
            }
            return TorchTensors.shape(t);
        });
        return executor.run(inputs, byValue, null, symbols, NO_STATES);
    }

    /** As {@link #forward}, without recording anything. */
    public Map<String, Tensor> inference(Map<String, Tensor> inputs) {
        try (AutoGradMode off = new AutoGradMode(false)) {
            return forward(inputs);
        }
    }

    static final GraphExecutor.StateAccess NO_STATES = new GraphExecutor.StateAccess() {
        @Override
        public Tensor read(State state) {
            throw new IllegalStateException("no state " + state.name());
        }

        @Override
        public void write(State state, Tensor value) {
            throw new IllegalStateException("no state " + state.name());
        }
    };

    /** Forgets all gradients; the next {@code backward()} starts from nothing. */
    public void zeroGradients() {
        try (PointerScope s = new PointerScope()) {
            for (Tensor p : parameters.values()) {
                p.mutable_grad().reset();
            }
        }
    }

    /** A copy of the parameters on the Java side. */
    public Map<String, HostTensor> weights() {
        Map<String, HostTensor> out = new LinkedHashMap<>();
        parameters.forEach((n, t) -> out.put(n, TorchTensors.toHost(t)));
        return out;
    }

    /** Overwrites parameters that the source has; others stay. Shapes must agree. */
    public void load(Weights source) {
        try (PointerScope s = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            parameters.forEach((name, t) -> {
                if (source.names().contains(name)) {
                    t.copy_(parameter(source, name, value(name), deviceId));
                }
            });
        }
    }

    private Value value(String name) {
        return Objects.requireNonNull(graph.parameters().get(name), name);
    }

    @Override
    public void close() {
        parameters.values().forEach(Tensor::close);
        parameters.clear();
        byValue.clear();
        executor.close();
    }
}
