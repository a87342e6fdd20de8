package io.teleworld.training.optim;

import io.teleworld.tensor.HostTensor;
import io.teleworld.training.torch.TorchTensors;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The moving average of parameters: a ← d·a + (1−d)·p with d = min(decay, (1+n)/(10+n)) at the n-th update, so that the
 * start is forgotten fast. Confined to one thread; the owner closes it.
 */
public final class ExponentialMovingAverage implements AutoCloseable {

    private final Map<String, Tensor> parameters;
    private final Map<String, Tensor> averages = new LinkedHashMap<>();
    private final double decay;
    private long updates;

    /**
     * Starts at the parameters' values.
     *
     * @param parameters borrowed
     * @param decay in [0, 1)
     */
    public ExponentialMovingAverage(Map<String, Tensor> parameters, double decay) {
        if (!(decay >= 0 && decay < 1)) {
            throw new IllegalArgumentException("decay is " + decay + "; allowed is [0, 1)");
        }
        this.parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        this.decay = decay;
        try (PointerScope s = new PointerScope()) {
            parameters.forEach(
                    (n, p) -> averages.put(n, TorchTensors.keep(p.detach().clone())));
        }
    }

    /** Takes in the parameters as they are now. */
    public void update() {
        double d = Math.min(decay, (1.0 + updates) / (10.0 + updates));
        updates++;
        try (PointerScope s = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            Scalar weight = new Scalar(1 - d);
            averages.forEach((n, a) -> a.lerp_(parameter(n), weight));
        }
    }

    /**
     * Puts the averages in the parameters' place until the result is closed, which puts the parameters back. No training
     * step may happen in between.
     */
    public Swap swapIn() {
        swap();
        return this::swap;
    }

    /** Ends {@link #swapIn}. */
    public interface Swap extends AutoCloseable {
        @Override
        void close();
    }

    private void swap() {
        try (PointerScope s = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            averages.forEach((n, a) -> {
                Tensor p = parameter(n);
                Tensor old = p.clone();
                p.copy_(a);
                a.copy_(old);
                old.close();
            });
        }
    }

    private Tensor parameter(String name) {
        Tensor p = parameters.get(name);
        if (p == null) {
            throw new IllegalStateException("parameter " + name + " is unknown");
        }
        return p.detach();
    }

    /** The averages by name, owned by this object. */
    public Map<String, Tensor> averages() {
        return Collections.unmodifiableMap(averages);
    }

    /** A copy of the averages on the Java side. */
    public Map<String, HostTensor> weights() {
        Map<String, HostTensor> out = new LinkedHashMap<>();
        averages.forEach((n, t) -> out.put(n, TorchTensors.toHost(t)));
        return out;
    }

    /** How many updates were made. */
    public long updates() {
        return updates;
    }

    /** Sets the number of updates made, after {@link #averages()} has been filled from a checkpoint. */
    public void restoreUpdates(long newUpdates) {
        updates = newUpdates;
    }

    @Override
    public void close() {
        averages.values().forEach(Tensor::close);
        averages.clear();
    }
}
