package io.teleworld.training.recipe;

import io.teleworld.tensor.HostTensor;
import io.teleworld.training.optim.AdamW;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.optim.OptimizerGroup;
import io.teleworld.training.optim.ParameterGroups;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** What objectives share that train a generator against a second network, told apart by prefixes. Stateless. */
final class OpposedNetworks {

    /** What the generator's parameters are called. */
    static final String GENERATOR = "generator.";

    private OpposedNetworks() {}

    /**
     * AdamW for both networks.
     *
     * @param opponent the prefix of the second network
     * @param factor the second network's learning rate over the generator's, positive
     */
    static Optimizer optimizer(Map<String, Tensor> parameters, String opponent, AdamW.Options adam, double factor) {
        return new OptimizerGroup()
                .add(ParameterGroups.adamW(ParameterGroups.select(parameters, n -> n.startsWith(GENERATOR)), adam), 1)
                .add(
                        ParameterGroups.adamW(ParameterGroups.select(parameters, n -> n.startsWith(opponent)), adam),
                        factor);
    }

    /** The generator's weights under the network's own names. */
    static Map<String, HostTensor> generator(Map<String, HostTensor> weights) {
        Map<String, HostTensor> own = new LinkedHashMap<>();
        weights.forEach((n, t) -> {
            if (n.startsWith(GENERATOR)) {
                own.put(n.substring(GENERATOR.length()), t);
            }
        });
        return own;
    }
}
