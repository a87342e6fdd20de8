package io.teleworld.training.recipe;

import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/** A tiny transformer and two segments of noise, for objectives that train a generator. */
final class TinyGenerator {

    static final int CHANNELS = 4;
    static final VideoTransformerConfig CONFIG = new VideoTransformerConfig(
            List.of(1, 2, 2),
            2,
            12,
            GuidanceConfig.BESIDE_TARGET.inputChannels(CHANNELS),
            CHANNELS,
            4,
            16,
            48,
            1,
            true,
            VideoTransformerConfig.RMS_ACROSS_HEADS,
            1e-6,
            null,
            null,
            64,
            null,
            1,
            2);

    private TinyGenerator() {}

    /** @param known the share of each cell that guidance knows */
    static LatentCache segments(Path folder, float known) throws IOException {
        LatentCache.Header shape = new LatentCache.Header(0, 10, CHANNELS, 4, 4, 2);
        SplittableRandom random = new SplittableRandom(1);
        try (LatentCache.Writer writer = new LatentCache.Writer(folder, shape)) {
            LatentCache.Segment segment = LatentCache.Segment.of(shape);
            for (int s = 0; s < 2; s++) {
                for (float[] latents : List.of(segment.target(), segment.context(), segment.guidance())) {
                    for (int i = 0; i < latents.length; i++) {
                        latents[i] = (float) random.nextGaussian();
                    }
                }
                Arrays.fill(segment.mask(), known);
                Arrays.fill(segment.weight(), 1);
                writer.append(segment);
            }
        }
        return LatentCache.open(folder);
    }

    static float[] ones() {
        float[] ones = new float[CHANNELS];
        Arrays.fill(ones, 1);
        return ones;
    }

    static Map<String, float[]> weights() {
        Map<String, float[]> w = new LinkedHashMap<>(TransformerObjective.initialise(CONFIG, 3));
        SplittableRandom random = new SplittableRandom(9);
        w.computeIfPresent("proj_out.weight", (n, v) -> {
            float[] out = new float[v.length];
            for (int i = 0; i < out.length; i++) {
                out[i] = (float) (0.1 * random.nextGaussian());
            }
            return out;
        });
        return w;
    }

    /** Weights whose velocity is larger by a constant, so that each step makes x0 too small. */
    static Map<String, float[]> biased(float by) {
        Map<String, float[]> w = weights();
        w.computeIfPresent("proj_out.bias", (n, v) -> {
            float[] out = v.clone();
            for (int i = 0; i < out.length; i++) {
                out[i] += by;
            }
            return out;
        });
        return w;
    }

    /** The gradient norms of an objective's networks after a loss, by prefix. */
    static Map<String, Double> gradients(Objective objective) {
        Map<String, Double> norms = new TreeMap<>();
        objective.parameters().forEach((name, p) -> {
            Tensor g = p.grad();
            double norm = g.defined() ? g.norm().item_float() : 0;
            norms.merge(name.substring(0, name.indexOf('.') + 1), norm, Double::sum);
        });
        return norms;
    }

    static void forgetGradients(Objective objective) {
        objective.parameters().values().forEach(p -> p.mutable_grad().reset());
    }

    static void train(Objective objective, Optimizer optimizer, int steps, double rate) {
        for (int step = 0; step < steps; step++) {
            try (PointerScope scope = new PointerScope()) {
                objective
                        .loss(new SplittableRandom(100 + step), new TreeMap<>())
                        .backward();
                optimizer.step(rate);
                forgetGradients(objective);
            }
        }
    }

    /** The mean output bias of the generator. */
    static double bias(Objective objective) {
        float[] bias = TorchTensors.toFloats(
                Objects.requireNonNull(objective.parameters().get("generator.proj_out.bias")));
        double sum = 0;
        for (float b : bias) {
            sum += b;
        }
        return sum / bias.length;
    }
}
