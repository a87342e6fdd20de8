package io.teleworld.training.optim;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019): with g the
 * gradient, m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← p(1 − λ·rate) − rate·m̂/(√v̂ + ε), hats being the corrections
 * 1/(1−βᵗ) of the start at zero.
 */
public final class AdamW extends AbstractOptimizer {

    /**
     * Settings. Immutable.
     *
     * @param beta1 memory of the first moment, in [0, 1)
     * @param beta2 memory of the second moment, in [0, 1)
     * @param epsilon positive
     * @param weightDecay λ, not negative
     */
    public record Options(double beta1, double beta2, double epsilon, double weightDecay) {

        /** β = (0.9, 0.99), ε = 1e−8, no decay. */
        public static final Options DEFAULT = new Options(0.9, 0.99, 1e-8, 0);

        public Options {
            if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) {
                throw new IllegalArgumentException("betas are " + beta1 + " and " + beta2 + "; allowed is [0, 1)");
            }
            if (!(epsilon > 0) || !(weightDecay >= 0)) {
                throw new IllegalArgumentException("epsilon is " + epsilon + " (must be positive), weight decay "
                        + weightDecay + " (must not be negative)");
            }
        }

        public Options withWeightDecay(double lambda) {
            return new Options(beta1, beta2, epsilon, lambda);
        }
    }

    private final Options options;
    private final Map<String, Tensor> first = new HashMap<>();
    private final Map<String, Tensor> second = new HashMap<>();

    public AdamW(Map<String, Tensor> parameters, Options options) {
        super(parameters);
        this.options = options;
        parameters.forEach((name, p) -> {
            first.put(name, newState("adam.m." + name, p));
            second.put(name, newState("adam.v." + name, p));
        });
    }

    @Override
    void update(String name, Tensor p, Tensor g, double rate, long step) {
        Tensor m = first.get(name);
        Tensor v = second.get(name);
        if (m == null || v == null) {
            throw new IllegalStateException("parameter " + name + " is unknown");
        }
        if (options.weightDecay() > 0) {
            p.mul_(new Scalar(1 - rate * options.weightDecay()));
        }
        m.lerp_(g, new Scalar(1 - options.beta1()));
        v.mul_(new Scalar(options.beta2())).addcmul_(g, g, new Scalar(1 - options.beta2()));
        double correction1 = 1 - Math.pow(options.beta1(), (double) step);
        double correction2 = 1 - Math.pow(options.beta2(), (double) step);
        Tensor denominator = v.sqrt().div_(new Scalar(Math.sqrt(correction2))).add_(new Scalar(options.epsilon()));
        p.addcdiv_(m, denominator, new Scalar(-rate / correction1));
    }
}
