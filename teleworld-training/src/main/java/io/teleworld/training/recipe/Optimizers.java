package io.teleworld.training.recipe;

import io.teleworld.training.optim.AdamW;
import io.teleworld.training.optim.Muon;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.optim.OptimizerGroup;
import io.teleworld.training.optim.ParameterGroups;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** The optimiser of each network: Muon for hidden matrices and kernels, AdamW at half the rate for the rest. Stateless. */
public final class Optimizers {

    /** Peak learning rate of the autoencoder. */
    public static final double AUTOENCODER_RATE = 1.2e-3;
    /** Peak learning rate of the geometry net. */
    public static final double GEOMETRY_RATE = 1.5e-3;
    /** Peak learning rate of super-resolution. */
    public static final double SUPER_RESOLUTION_RATE = 1e-3;
    /** Peak learning rate of the transformer. */
    public static final double TRANSFORMER_RATE = 2e-3;

    private static final double CONVOLUTION_DECAY = 0.1;
    private static final double ADAM_FACTOR = 0.5;

    /** Share of the rate for what an earlier stage has trained. */
    private static final double TRAINED_BEFORE = 0.1;

    private Optimizers() {}

    /** For the autoencoder: all but the encoder's first and the decoder's last convolution count as hidden. */
    public static Optimizer autoencoder(Map<String, Tensor> parameters) {
        int last = parameters.keySet().stream()
                .filter(n -> n.startsWith("decoder."))
                .mapToInt(n -> Integer.parseInt(n.substring(8, n.indexOf('.', 8))))
                .max()
                .orElseThrow(() -> new IllegalArgumentException("there is no decoder among " + parameters.keySet()));
        return ParameterGroups.muonAndAdamW(
                parameters,
                n -> !n.startsWith("encoder.0.") && !n.startsWith("decoder." + last + "."),
                Muon.Options.DEFAULT.withWeightDecay(CONVOLUTION_DECAY),
                AdamW.Options.DEFAULT,
                ADAM_FACTOR);
    }

    /**
     * For the geometry net: all but stem and heads count as hidden.
     *
     * @param newAttention whether attention was added to trained convolutions, which then take a small share of the rate
     */
    public static Optimizer geometry(Map<String, Tensor> parameters, boolean newAttention) {
        Map<String, Tensor> attention = ParameterGroups.select(parameters, n -> n.startsWith("attention."));
        Map<String, Tensor> convolutions = ParameterGroups.select(parameters, n -> !n.startsWith("attention."));
        Optimizer old = ParameterGroups.muonAndAdamW(
                convolutions,
                n -> !n.startsWith("stem") && !n.startsWith("head"),
                Muon.Options.DEFAULT.withWeightDecay(CONVOLUTION_DECAY),
                AdamW.Options.DEFAULT,
                ADAM_FACTOR);
        if (attention.isEmpty()) {
            return old;
        }
        return new OptimizerGroup()
                .add(
                        ParameterGroups.muonAndAdamW(
                                attention,
                                n -> !n.startsWith("attention.rays.0."),
                                Muon.Options.DEFAULT.withWeightDecay(CONVOLUTION_DECAY),
                                AdamW.Options.DEFAULT,
                                ADAM_FACTOR),
                        1)
                .add(old, newAttention ? TRAINED_BEFORE : 1);
    }

    /** For super-resolution: all but the first projection, the modulation and the decoder's last layer count as hidden. */
    public static Optimizer superResolution(Map<String, Tensor> parameters) {
        int last = parameters.keySet().stream()
                .filter(n -> n.startsWith("decoder.decoder."))
                .mapToInt(n -> Integer.parseInt(n.substring(16, n.indexOf('.', 16))))
                .max()
                .orElseThrow(() -> new IllegalArgumentException("there is no decoder among " + parameters.keySet()));
        return ParameterGroups.muonAndAdamW(
                parameters,
                n -> !n.startsWith("projection.conv1.")
                        && !n.startsWith("transformer.condition_embedder.")
                        && !n.contains("scale_shift")
                        && !n.startsWith("decoder.decoder." + last + "."),
                Muon.Options.DEFAULT.withWeightDecay(CONVOLUTION_DECAY),
                AdamW.Options.DEFAULT,
                ADAM_FACTOR);
    }

    /** For the transformer: the matrices of its blocks count as hidden. */
    public static Optimizer transformer(Map<String, Tensor> parameters) {
        return ParameterGroups.muonAndAdamW(
                parameters,
                n -> n.startsWith("blocks.") && !n.contains("scale_shift"),
                Muon.Options.DEFAULT,
                AdamW.Options.DEFAULT,
                ADAM_FACTOR);
    }
}
