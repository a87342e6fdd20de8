package io.teleworld.training.recipe;

import static io.teleworld.training.recipe.TinyGenerator.biased;
import static io.teleworld.training.recipe.TinyGenerator.gradients;
import static io.teleworld.training.recipe.TinyGenerator.weights;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.plan.FrameChainPlanner;
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
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdversarialObjectiveTest {

    @TempDir
    Path folder;

    private LatentCache cache;

    /** Networks this small only lose by sharing an operator among threads. */
    @BeforeAll
    static void oneThread() {
        TorchNative.setThreads(1);
    }

    /** Guidance knows nothing, so only what {@code unknown} weighs holds the generator to the truth. */
    @BeforeEach
    void fillCache() throws IOException {
        cache = TinyGenerator.segments(folder, 0);
    }

    @AfterEach
    void closeCache() {
        cache.close();
    }

    private AdversarialObjective objective(
            Map<String, float[]> student, double adversarial, double unknown, int patience) {
        return new AdversarialObjective(
                TinyGenerator.CONFIG,
                GuidanceConfig.BESIDE_TARGET,
                List.of(new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0), new FrameChainPlanner().plan(0)),
                student,
                List.of(cache),
                cache,
                new float[TinyGenerator.CHANNELS],
                TinyGenerator.ones(),
                new AdversarialObjective.Options(2, adversarial, unknown, 1, 0.1, patience, List.of(1.0, 0.5)),
                5,
                "cpu",
                Arithmetic.FP32);
    }

    /** Gradient norms of the loss of one step. */
    private static Map<String, Double> gradientsOfStep(AdversarialObjective objective, int step) {
        try (PointerScope scope = new PointerScope()) {
            objective.loss(new SplittableRandom(step), new TreeMap<>()).backward();
            Map<String, Double> norms = gradients(objective);
            TinyGenerator.forgetGradients(objective);
            return norms;
        }
    }

    @Test
    void onlyTheDiscriminatorLearnsAtFirst() {
        try (AdversarialObjective objective = objective(weights(), 1, 1, 2)) {
            for (int step = 0; step < 4; step++) {
                Map<String, Double> norms = gradientsOfStep(objective, step);
                assertThat(norms.get("discriminator.")).isPositive();
                if (step < 2) {
                    assertThat(norms.get("generator.")).isZero();
                } else {
                    assertThat(norms.get("generator.")).isPositive();
                }
            }
        }
    }

    @Test
    void foolingTheDiscriminatorIsNotTheDiscriminatorsAim() {
        try (AdversarialObjective without = objective(weights(), 0, 1, 0);
                AdversarialObjective with = objective(weights(), 50, 1, 0)) {
            for (int step = 0; step < 3; step++) {
                Map<String, Double> a = gradientsOfStep(without, step);
                Map<String, Double> b = gradientsOfStep(with, step);
                assertThat(b.get("discriminator."))
                        .isCloseTo(a.get("discriminator."), within(1e-5 * a.get("discriminator.")));
                assertThat(b.get("generator.")).isNotCloseTo(a.get("generator."), within(1e-3 * a.get("generator.")));
            }
        }
    }

    /** Nothing but the discriminator tells this generator that its samples are shifted. */
    @Test
    void aShiftedGeneratorComesBack() {
        double unshifted = error(0, 1, 0);
        double before = error(2, 1, 0) - unshifted;
        assertThat(before).isGreaterThan(0.5);
        assertThat(error(2, 1, 100) - unshifted).isLessThan(0.5 * before);
        assertThat(error(2, 0, 40) - unshifted).isCloseTo(before, within(0.1 * before));
    }

    /** The mean squared error to the truth of a generator's samples after training. */
    private double error(float shift, double adversarial, int steps) {
        try (AdversarialObjective objective = objective(biased(shift), adversarial, 0, 20);
                Optimizer optimizer = AdversarialObjective.optimizer(objective.parameters(), 1)) {
            TinyGenerator.train(objective, optimizer, steps, 5e-3);
            return Objects.requireNonNull(objective.evaluate(folder, steps).get("unknown_error"));
        }
    }

    @Test
    void theGeneratorIsTheNetworkThatIsKept() {
        try (AdversarialObjective objective = objective(weights(), 1, 1, 0);
                AutoGradMode off = new AutoGradMode(false)) {
            Map<String, HostTensor> all = new TreeMap<>();
            objective.parameters().forEach((n, t) -> all.put(n, TorchTensors.toHost(t)));
            assertThat(objective.network(all).keySet()).isEqualTo(weights().keySet());
            assertThat(objective.evaluate(folder, 0))
                    .containsOnlyKeys("known_detail", "known_error", "unknown_detail", "unknown_error");
        }
    }

    @Test
    void optionsOutOfRangeAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AdversarialObjective.Options(1, -1, 0, 0, 0.1, 0, List.of(1.0)))
                .withMessageContaining("adversarial -1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AdversarialObjective.Options(1, 1, 0, 0, 0.1, 0, List.of(1.5)))
                .withMessageContaining("1.5");
    }
}
