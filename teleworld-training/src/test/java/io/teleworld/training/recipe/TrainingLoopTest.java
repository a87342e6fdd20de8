package io.teleworld.training.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.optim.AdamW;
import io.teleworld.training.optim.ParameterGroups;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchNative;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingLoopTest {

    @TempDir
    Path folder;

    @BeforeAll
    static void oneThread() {
        TorchNative.setThreads(1);
    }

    /** Learns y = 2·x₀ − x₁ with one linear layer. */
    private static final class Toy implements Objective, AutoCloseable {
        final TorchModule net;

        Toy(int width) {
            GraphBuilder b = new GraphBuilder("toy");
            b.output(
                    "y",
                    b.linear(
                            b.input("x", DType.F32, Dim.symbol("n"), Dim.of(width)), b.parameter("w", 1, width), null));
            Graph g = b.build();
            net = TorchModule.of(g, Map.of("w", new float[width]), "cpu", Arithmetic.FP32);
        }

        @Override
        public Map<String, Tensor> parameters() {
            return net.parameters();
        }

        @Override
        public int batchSize() {
            return 8;
        }

        private Tensor loss(SplittableRandom random) {
            int width = (int) parameters().get("w").size(1);
            float[] x = new float[8 * width];
            float[] y = new float[8];
            for (int i = 0; i < 8; i++) {
                for (int k = 0; k < width; k++) {
                    x[i * width + k] = (float) random.nextGaussian();
                }
                y[i] = 2 * x[i * width] - x[i * width + 1];
            }
            Tensor out =
                    net.forward(Map.of("x", TorchTensors.ofFloats(x, 8, width))).get("y");
            return torch.mse_loss(out, TorchTensors.ofFloats(y, 8, 1));
        }

        @Override
        public Tensor loss(SplittableRandom random, Map<String, Double> metrics) {
            metrics.put("extra", 1.0);
            return loss(random);
        }

        @Override
        public Map<String, Double> evaluate(Path into, long step) {
            return Map.of("error", TorchTensors.item(loss(new SplittableRandom(99))));
        }

        @Override
        public void close() {
            net.close();
        }
    }

    private TrainingLoop.Settings settings(String name, long steps) {
        return new TrainingLoop.Settings(
                folder.resolve(name), steps, Duration.ofDays(1), 0.05, 5, 1.0, 0.9, Duration.ofDays(1), 7);
    }

    private static TrainingLoop loop(TrainingLoop.Settings settings, Toy toy) {
        // A clock that stands still: only steps count.
        return new TrainingLoop(settings, toy, p -> ParameterGroups.adamW(p, AdamW.Options.DEFAULT), () -> 0);
    }

    @Test
    void learnsAndLeavesCurvesAndAveragedWeights() {
        Map<String, Double> figures = new LinkedHashMap<>();
        Map<String, HostTensor> weights = new LinkedHashMap<>();
        try (Toy toy = new Toy(3)) {
            double before = toy.evaluate(folder, 0).get("error");
            long steps = loop(settings("run", 150), toy).run((step, w, f) -> {
                weights.putAll(w);
                figures.putAll(f);
            });
            assertThat(steps).isEqualTo(150);
            assertThat(figures.get("error")).isLessThan(0.05 * before);
        }
        assertThat(weights.get("w").toFloatArray()[0]).isBetween(1.7f, 2.1f);
        assertThat(folder.resolve("run/curves-training.png")).isNotEmptyFile();
        assertThat(folder.resolve("run/curves-evaluation.png")).isNotEmptyFile();
        assertThat(folder.resolve("run").resolve(TrainingLoop.CHECKPOINT)).isNotEmptyFile();
    }

    @Test
    void resumedRunEqualsOneThatWasNeverInterrupted() throws Exception {
        // Evaluations 10 steps apart: each look at the clock counts as a second.
        List<float[]> ends = new ArrayList<>();
        Path middle = folder.resolve("middle.safetensors");
        try (Toy toy = new Toy(3)) {
            long[] now = {0};
            TrainingLoop.Settings often = new TrainingLoop.Settings(
                    folder.resolve("whole"), 40, Duration.ofDays(1), 0.05, 5, 1.0, 0.9, Duration.ofNanos(55), 7);
            new TrainingLoop(often, toy, p -> ParameterGroups.adamW(p, AdamW.Options.DEFAULT), () -> now[0]++)
                    .run((step, w, f) -> {
                        Path checkpoint = folder.resolve("whole").resolve(TrainingLoop.CHECKPOINT);
                        if (Files.exists(checkpoint) && !Files.exists(middle)) {
                            // The state of the evaluation before this one.
                            Files.copy(checkpoint, middle);
                        }
                    });
            ends.add(TorchTensors.toFloats(toy.parameters().get("w")));
        }
        assertThat(middle).exists();
        try (Toy toy = new Toy(3)) {
            long steps = loop(settings("rest", 40), toy).resume(middle, (step, w, f) -> {});
            assertThat(steps).isEqualTo(40);
            ends.add(TorchTensors.toFloats(toy.parameters().get("w")));
        }
        assertThat(ends.get(1)).containsExactly(ends.get(0));
    }

    @Test
    void anotherNetworksCheckpointIsRefused() {
        try (Toy toy = new Toy(3)) {
            loop(settings("three", 2), toy).run((step, w, f) -> {});
        }
        try (Toy toy = new Toy(4)) {
            TrainingLoop four = loop(settings("four", 2), toy);
            assertThatThrownBy(() ->
                            four.resume(folder.resolve("three").resolve(TrainingLoop.CHECKPOINT), (step, w, f) -> {}))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("shape");
        }
    }

    @Test
    void settingsAreChecked() {
        assertThatThrownBy(() -> settings("none", 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("steps are 0");
    }
}
