package io.teleworld.training.recipe;

import static io.teleworld.training.recipe.TinyGenerator.biased;
import static io.teleworld.training.recipe.TinyGenerator.gradients;
import static io.teleworld.training.recipe.TinyGenerator.weights;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchNative;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
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
        cache = TinyGenerator.segments(folder, 0.5f);
    }

    @AfterEach
    void closeCache() {
        cache.close();
    }

    private DistributionMatchingObjective objective(Map<String, float[]> student, double guidance, double regression) {
        return new DistributionMatchingObjective(
                TinyGenerator.CONFIG,
                GuidanceConfig.BESIDE_TARGET,
                new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0),
                student,
                weights(),
                List.of(cache),
                cache,
                new float[TinyGenerator.CHANNELS],
                TinyGenerator.ones(),
                new DistributionMatchingObjective.Options(2, 2, guidance, regression, 1, List.of(1.0, 0.5)),
                "cpu",
                Arithmetic.FP32);
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
                    TinyGenerator.forgetGradients(objective);
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
            TinyGenerator.train(objective, optimizer, steps, 0.05);
            return TinyGenerator.bias(objective);
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
            assertThat(figures).containsOnlyKeys("known_detail", "known_error", "unknown_detail", "unknown_error");
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
