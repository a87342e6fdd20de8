package io.teleworld.training.optim;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.bytedeco.pytorch.Tensor;

/** Sorts parameters by the way they should be trained. Stateless. */
public final class ParameterGroups {

    private ParameterGroups() {}

    /** The parameters whose names a predicate accepts. */
    public static Map<String, Tensor> select(Map<String, Tensor> parameters, Predicate<String> names) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        parameters.forEach((n, t) -> {
            if (names.test(n)) {
                out.put(n, t);
            }
        });
        return out;
    }

    /**
     * AdamW for everything; decay only acts on parameters with two or more axes, so that biases, norm scales and
     * modulation vectors of rank 1 are free.
     */
    public static Optimizer adamW(Map<String, Tensor> parameters, AdamW.Options options) {
        return new OptimizerGroup()
                .add(new AdamW(select(parameters, n -> isMatrix(parameters, n)), options), 1)
                .add(new AdamW(select(parameters, n -> !isMatrix(parameters, n)), options.withWeightDecay(0)), 1);
    }

    /**
     * Muon for the weight matrices and convolution kernels of hidden layers, AdamW for the rest.
     *
     * @param hidden accepts the names of layers between the first and the last one; parameters with fewer than two axes
     *     larger than 1 go to AdamW whatever it says
     * @param adamFactor factor on the learning rate of AdamW's part
     */
    public static Optimizer muonAndAdamW(
            Map<String, Tensor> parameters,
            Predicate<String> hidden,
            Muon.Options muon,
            AdamW.Options adam,
            double adamFactor) {
        Predicate<String> orthogonal = n -> hidden.test(n) && isMatrix(parameters, n);
        Map<String, Tensor> rest = select(parameters, orthogonal.negate());
        return new OptimizerGroup()
                .add(new Muon(select(parameters, orthogonal), muon), 1)
                .add(new AdamW(select(rest, n -> isMatrix(rest, n)), adam), adamFactor)
                .add(new AdamW(select(rest, n -> !isMatrix(rest, n)), adam.withWeightDecay(0)), adamFactor);
    }

    /** Whether the first axis and the product of the others exceed 1. */
    private static boolean isMatrix(Map<String, Tensor> parameters, String name) {
        Tensor t = parameters.get(name);
        return t != null && t.dim() >= 2 && t.size(0) > 1 && t.numel() / t.size(0) > 1;
    }
}
