package io.teleworld.training.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchNative;
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
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DistributionMatchingObjectiveTest {

    private static final int CHANNELS = 4;
    private static final VideoTransformerConfig CONFIG = new VideoTransformerConfig(
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

    @TempDir
    Path folder;

    private LatentCache cache;

    /** Networks this small only lose by sharing an operator among threads. */
    @BeforeAll
    static void oneThread() {
        TorchNative.setThreads(1);
    }

    @BeforeEach
    void fillCache() throws IOException {
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
                Arrays.fill(segment.mask(), 0.5f);
                Arrays.fill(segment.weight(), 1);
                writer.append(segment);
            }
        }
        cache = LatentCache.open(folder);
    }

    @AfterEach
    void closeCache() {
        cache.close();
    }

    private static Map<String, float[]> weights() {
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
    private static Map<String, float[]> biased(float by) {
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

    private DistributionMatchingObjective objective(Map<String, float[]> student, double guidance, double regression) {
        float[] ones = new float[CHANNELS];
        Arrays.fill(ones, 1);
        return new DistributionMatchingObjective(
                CONFIG,
                GuidanceConfig.BESIDE_TARGET,
                new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0),
                student,
                weights(),
                List.of(cache),
                cache,
                new float[CHANNELS],
                ones,
                new DistributionMatchingObjective.Options(2, 2, guidance, regression, 1, List.of(1.0, 0.5)),
                "cpu",
                Arithmetic.FP32);
    }

    /** The gradient norms of generator and critic after a loss, by prefix. */
    private static Map<String, Double> gradients(DistributionMatchingObjective objective) {
        Map<String, Double> norms = new TreeMap<>();
        objective.parameters().forEach((name, p) -> {
            Tensor g = p.grad();
            double norm = g.defined() ? g.norm().item_float() : 0;
            norms.merge(name.substring(0, name.indexOf('.') + 1), norm, Double::sum);
        });
        return norms;
    }

    @Test
    void aCriticThatEqualsTheTeacherLeavesTheGeneratorAlone() {
        int generatorLosses = 0;
        int criticLosses = 0;
        try (DistributionMatchingObjective objective = objective(biased(1), 0, 0)) {
            for (int step = 0; step < 12; step++) {
                Map<String, Double> metrics = new TreeMap<>();
                try (PointerScope scope = new PointerScope()) {
                    objective.loss(new SplittableRandom(step), metrics).backward();
                    Map<String, Double> norms = gradients(objective);
                    if (metrics.containsKey("generator")) {
                        generatorLosses++;
                        assertThat(norms.get("generator.")).isCloseTo(0, within(1e-9));
                        assertThat(norms.get("critic.")).isZero();
                    } else {
                        criticLosses++;
                        assertThat(metrics).containsOnlyKeys("critic");
                        assertThat(norms.get("generator.")).isZero();
                        assertThat(norms.get("critic.")).isPositive();
                    }
                    objective
                            .parameters()
                            .values()
                            .forEach(p -> p.mutable_grad().reset());
                }
            }
        }
        assertThat(generatorLosses).isPositive();
        assertThat(criticLosses).isGreaterThan(generatorLosses);
    }

    /** The mean of what the generator makes, over held-out segments, by its biased output. */
    @Test
    void aBiasedGeneratorFindsBackToItsTeacher() {
        double left = bias(60);
        assertThat(bias(0)).isCloseTo(0.5, within(1e-6));
        assertThat(left).isLessThan(0.3);
    }

    private double bias(int steps) {
        try (DistributionMatchingObjective objective = objective(biased(0.5f), 0, 0);
                Optimizer optimizer = DistributionMatchingObjective.optimizer(objective.parameters(), 2)) {
            for (int step = 0; step < steps; step++) {
                try (PointerScope scope = new PointerScope()) {
                    objective
                            .loss(new SplittableRandom(100 + step), new TreeMap<>())
                            .backward();
                    optimizer.step(0.05);
                    objective
                            .parameters()
                            .values()
                            .forEach(p -> p.mutable_grad().reset());
                }
            }
            float[] bias = TorchTensors.toFloats(
                    Objects.requireNonNull(objective.parameters().get("generator.proj_out.bias")));
            double sum = 0;
            for (float b : bias) {
                sum += b;
            }
            return sum / bias.length;
        }
    }

    @Test
    void regressionHoldsWhatGuidanceKnows() {
        try (DistributionMatchingObjective objective = objective(weights(), 1, 1)) {
            Map<String, Double> metrics = new TreeMap<>();
            for (int step = 0; !metrics.containsKey("regression"); step++) {
                try (PointerScope scope = new PointerScope()) {
                    Tensor loss = objective.loss(new SplittableRandom(step), metrics);
                    if (metrics.containsKey("regression")) {
                        loss.backward();
                        assertThat(gradients(objective).get("generator.")).isPositive();
                    }
                }
            }
            assertThat(metrics.get("regression")).isPositive();
        }
    }

    @Test
    void theGeneratorIsTheNetworkThatIsKept() {
        try (DistributionMatchingObjective objective = objective(weights(), 0, 0);
                AutoGradMode off = new AutoGradMode(false)) {
            Map<String, HostTensor> all = new TreeMap<>();
            objective.parameters().forEach((n, t) -> all.put(n, TorchTensors.toHost(t)));
            assertThat(objective.network(all).keySet()).isEqualTo(weights().keySet());
            Map<String, Double> figures = objective.evaluate(folder, 0);
            assertThat(figures).containsOnlyKeys("known_error", "unknown_error", "unknown_detail");
            assertThat(figures.values()).allMatch(v -> v > 0);
        }
    }

    @Test
    void optionsOutOfRangeAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DistributionMatchingObjective.Options(1, 0, 0, 0, 1, List.of(1.0)))
                .withMessageContaining("critic updates 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DistributionMatchingObjective.Options(1, 5, 0, 0, 1, List.of(1.5)))
                .withMessageContaining("1.5");
    }
}
