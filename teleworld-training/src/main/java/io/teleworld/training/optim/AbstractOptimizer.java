package io.teleworld.training.optim;

import io.teleworld.training.torch.TorchTensors;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Walks over parameters that have gradients, with recording switched off. */
abstract class AbstractOptimizer implements Optimizer {

    private final Map<String, Tensor> parameters;
    private final Map<String, Tensor> state = new LinkedHashMap<>();
    private long steps;

    AbstractOptimizer(Map<String, Tensor> parameters) {
        this.parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
    }

    /** A state tensor of zeros like a parameter. */
    final Tensor newState(String name, Tensor parameter) {
        try (PointerScope s = new PointerScope()) {
            Tensor t = TorchTensors.keep(torch.zeros_like(parameter.detach()));
            state.put(name, t);
            return t;
        }
    }

    /** Changes one parameter; temporaries belong to a scope of the caller. */
    abstract void update(String name, Tensor parameter, Tensor gradient, double learningRate, long step);

    @Override
    public final void step(double learningRate) {
        if (!(learningRate >= 0)) {
            throw new IllegalArgumentException("learning rate is " + learningRate + "; it must not be negative");
        }
        steps++;
        try (AutoGradMode off = new AutoGradMode(false)) {
            parameters.forEach((name, p) -> {
                try (PointerScope s = new PointerScope()) {
                    Tensor g = p.grad();
                    if (g.defined()) {
                        update(name, p.detach(), g, learningRate, steps);
                    }
                }
            });
        }
    }

    @Override
    public final Map<String, Tensor> parameters() {
        return parameters;
    }

    @Override
    public final Map<String, Tensor> state() {
        return Collections.unmodifiableMap(state);
    }

    @Override
    public final long steps() {
        return steps;
    }

    @Override
    public final void restoreSteps(long newSteps) {
        if (newSteps < 0) {
            throw new IllegalArgumentException("steps is " + newSteps + "; it must not be negative");
        }
        steps = newSteps;
    }

    @Override
    public final void close() {
        state.values().forEach(Tensor::close);
        state.clear();
    }
}
