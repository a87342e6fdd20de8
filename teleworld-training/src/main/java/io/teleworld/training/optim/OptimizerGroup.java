package io.teleworld.training.optim;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Several optimisers that step together, each with a factor on the learning rate. Confined to one thread. */
public final class OptimizerGroup implements Optimizer {

    private record Member(Optimizer optimizer, double rateFactor) {}

    private final List<Member> members = new ArrayList<>();

    /** Adds an optimiser, which this one closes; returns this. */
    public OptimizerGroup add(Optimizer optimizer, double rateFactor) {
        for (String name : optimizer.parameters().keySet()) {
            if (parameters().containsKey(name)) {
                throw new IllegalArgumentException("parameter " + name + " is in two groups");
            }
        }
        members.add(new Member(optimizer, rateFactor));
        return this;
    }

    @Override
    public void step(double learningRate) {
        members.forEach(m -> m.optimizer().step(learningRate * m.rateFactor()));
    }

    @Override
    public Map<String, Tensor> parameters() {
        Map<String, Tensor> out = new LinkedHashMap<>();
        members.forEach(m -> out.putAll(m.optimizer().parameters()));
        return out;
    }

    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> out = new LinkedHashMap<>();
        members.forEach(m -> out.putAll(m.optimizer().state()));
        return out;
    }

    @Override
    public long steps() {
        return members.isEmpty() ? 0 : members.get(0).optimizer().steps();
    }

    @Override
    public void restoreSteps(long steps) {
        members.forEach(m -> m.optimizer().restoreSteps(steps));
    }

    @Override
    public void close() {
        members.forEach(m -> m.optimizer().close());
    }
}
