package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.training.data.EnlargementClip;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.recipe.Optimizers;
import io.teleworld.training.recipe.SuperResolutionObjective;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchNative;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SuperResolutionObjectiveTest {

    private static final SuperResolutionConfig CONFIG = ModelSize.TINY.superResolution();
    private static final int SIDE = 16;
    private static final int FRAMES = 5;

    @TempDir
    Path folder;

    /** Networks this small only lose by sharing an operator among threads. */
    @BeforeAll
    static void oneThread() {
        TorchNative.setThreads(1);
    }

    /** Hard edges that move by a large pixel per frame, which bicubic enlargement blurs. */
    private static EnlargementClip stripes() {
        int side = SIDE * CONFIG.scale();
        byte[] large = new byte[3 * FRAMES * side * side];
        for (int i = 0; i < large.length; i++) {
            int x = i / 3 % side;
            int frame = i / (3 * side * side);
            large[i] = (byte) ((x + frame) % 8 < 4 ? 20 : 230);
        }
        byte[] small = EnlargementClip.reduced(large, FRAMES, side, side, CONFIG.scale());
        return new EnlargementClip(FRAMES, SIDE, SIDE, CONFIG.scale(), large, small, small.clone());
    }

    private static SuperResolutionObjective objective() {
        EnlargementClip clip = stripes();
        return new SuperResolutionObjective(
                CONFIG,
                SuperResolutionNet.initialise(CONFIG, 4),
                random -> clip,
                List.of(clip),
                2,
                SIDE,
                SIDE,
                1,
                0.5,
                "cpu",
                Arithmetic.FP32);
    }

    private Map<String, Double> evaluated(SuperResolutionObjective objective, int step) {
        try (AutoGradMode off = new AutoGradMode(false)) {
            return objective.evaluate(folder, step);
        }
    }

    @Test
    void startsAtBicubicAndLearnsEdges() {
        try (SuperResolutionObjective objective = objective();
                Optimizer optimizer = Optimizers.superResolution(objective.parameters())) {
            Map<String, Double> before = evaluated(objective, 0);
            assertThat(before.get("held_gain")).isCloseTo(0, within(0.01));
            for (int step = 0; step < 60; step++) {
                try (PointerScope scope = new PointerScope()) {
                    objective.loss(new SplittableRandom(step), new TreeMap<>()).backward();
                    optimizer.step(2e-3);
                    objective
                            .parameters()
                            .values()
                            .forEach(p -> p.mutable_grad().reset());
                }
            }
            Map<String, Double> after = evaluated(objective, 60);
            assertThat(after.get("held_bicubic")).isEqualTo(before.get("held_bicubic"));
            assertThat(after.get("held_gain")).isGreaterThan(1);
            // Both halves of the samples are the same pictures here.
            assertThat(after.get("held_gain_decoded")).isEqualTo(after.get("held_gain"));
            assertThat(Files.exists(folder.resolve("super-resolution-60.png"))).isTrue();
        }
    }
}
