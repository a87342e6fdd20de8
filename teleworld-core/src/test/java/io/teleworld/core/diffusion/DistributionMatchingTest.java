package io.teleworld.core.diffusion;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What the golden files do not say; these are checked by {@code GoldenCheck}. */
final class DistributionMatchingTest {

    private final DistributionMatching dmd = new DistributionMatching(new FlowMatchScheduler(1000, 5), 3, 20, 980);

    @Test
    void theHandComputedExample() {
        double[] g =
                DistributionMatching.direction(new float[] {1, 2}, new float[] {0.5f, 1}, new float[] {0.8f, 1.4f}, 1);
        assertThat(g).containsExactly(new double[] {0.4, 0.5333333}, within(1e-6));
        DistributionMatching.Loss loss = DistributionMatching.generator(g);
        assertThat(loss.value()).isCloseTo(0.1111111, within(1e-6));
        assertThat(loss.gradient()).containsExactly(new double[] {0.2, 0.2666667}, within(1e-6));
    }

    @Test
    void nothingToLearnGivesNoGradientAndNoNaN() {
        double[] g = DistributionMatching.direction(new float[] {1, 1}, new float[] {1, 1}, new float[] {1, 2}, 1);
        assertThat(g).containsOnly(0);
        assertThat(DistributionMatching.generator(g, false, false).value()).isZero();
    }

    @Test
    void theCriticsGradientIsThatOfItsLoss() {
        SplittableRandom random = new SplittableRandom(4);
        float[] x = draw(random, 12);
        float[] noise = draw(random, 12);
        float[] clean = draw(random, 12);
        double[] t = {dmd.timestep(250), dmd.timestep(700)};
        float[] noised = dmd.noised(x, noise, t);
        double[] gradient = dmd.critic(x, noise, noised, clean, t).gradient();
        for (int i = 0; i < clean.length; i++) {
            float before = clean[i];
            double h = 1.0 / 256;
            clean[i] = (float) (before + h);
            double up = dmd.critic(x, noise, noised, clean, t).value();
            clean[i] = (float) (before - h);
            double down = dmd.critic(x, noise, noised, clean, t).value();
            clean[i] = before;
            assertThat(gradient[i]).isCloseTo((up - down) / (2 * h), within(1e-4));
        }
    }

    @Test
    void aPerfectCriticHasNoLoss() {
        float[] x = {0.5f, -1};
        float[] noise = {1, 0.25f};
        double t = dmd.timestep(400);
        DistributionMatching.Loss loss = dmd.critic(x, noise, dmd.noised(x, noise, t), x, t);
        assertThat(loss.value()).isLessThan(1e-12);
    }

    @Test
    void limitsAndLengthsAreChecked() {
        FlowMatchScheduler s = new FlowMatchScheduler(1000, 5);
        assertThatThrownBy(() -> new DistributionMatching(s, 3, 980, 20)).hasMessageContaining("980");
        assertThatThrownBy(() -> dmd.noised(new float[3], new float[3], 1, 2)).hasMessageContaining("3 elements");
    }

    private static float[] draw(SplittableRandom random, int n) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) random.nextGaussian();
        }
        return v;
    }
}
