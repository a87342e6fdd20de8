package io.teleworld.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.tensor.DType;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingCheckpointTest {

    @TempDir
    Path folder;

    /** One run of a recipe in miniature: everything random comes from the seed and the step. */
    private static final class Run implements AutoCloseable {
        final TorchModule module;
        final Optimizer optimizer;
        final ExponentialMovingAverage average;
        final LossHistory history = new LossHistory();
        final TrainingCheckpoint checkpoint;

        Run(int width) {
            GraphBuilder b = new GraphBuilder("net");
            var h = b.linear(
                    b.input("x", DType.F32, Dim.symbol("n"), Dim.of(4)),
                    b.parameter("up.weight", width, 4),
                    b.parameter("up.bias", width));
            b.output("y", b.linear(b.geluTanh(h), b.parameter("down.weight", 3, width), null));
            Graph g = b.build();
            Map<String, float[]> w = new TreeMap<>();
            g.parameters()
                    .forEach((n, v) -> w.put(n, noise(n.hashCode(), (int)
                            v.shape().elementCount().known())));
            module = TorchModule.of(g, w, "cpu", Arithmetic.FP32);
            optimizer = ParameterGroups.muonAndAdamW(
                    module.parameters(),
                    n -> n.startsWith("up."),
                    Muon.Options.DEFAULT.withWeightDecay(0.01),
                    AdamW.Options.DEFAULT,
                    1);
            average = new ExponentialMovingAverage(module.parameters(), 0.9);
            checkpoint = new TrainingCheckpoint(module.parameters(), optimizer, average, history);
        }

        void train(long from, long to) {
            LearningRate rate = LearningRate.cosine(0.02, 0, 20).withWarmUp(3);
            for (long step = from; step < to; step++) {
                try (PointerScope scope = new PointerScope()) {
                    Tensor x = TorchTensors.ofFloats(noise(100 + step, 20), 5, 4);
                    Tensor target = TorchTensors.ofFloats(noise(900 + step, 15), 5, 3);
                    Tensor loss = torch.mse_loss(module.forward(Map.of("x", x)).get("y"), target);
                    loss.backward();
                    history.add("loss", step, TorchTensors.item(loss));
                    history.add(
                            "norm",
                            step,
                            GradientClipping.globalNorm(module.parameters().values(), 1));
                    optimizer.step(rate.at(step));
                    average.update();
                    module.zeroGradients();
                }
            }
        }

        @Override
        public void close() {
            average.close();
            optimizer.close();
            module.close();
        }
    }

    @Test
    void resumedRunEqualsUninterruptedRunBitForBit() {
        Path file = folder.resolve("deep/run.safetensors");
        try (Run whole = new Run(6);
                Run first = new Run(6);
                Run second = new Run(6)) {
            whole.train(0, 20);
            first.train(0, 11);
            first.checkpoint.save(file, new TrainingCheckpoint.Position(11, 55, 1.5, 7, "{\"width\":6}"));
            second.train(0, 3);
            TrainingCheckpoint.Position at = second.checkpoint.resume(file);
            assertThat(at).isEqualTo(new TrainingCheckpoint.Position(11, 55, 1.5, 7, "{\"width\":6}"));
            second.train(at.step(), 20);
            whole.module
                    .weights()
                    .forEach((n, t) -> assertThat(second.module.weights().get(n).toFloatArray())
                            .as(n)
                            .isEqualTo(t.toFloatArray()));
            whole.average
                    .weights()
                    .forEach(
                            (n, t) -> assertThat(second.average.weights().get(n).toFloatArray())
                                    .as(n)
                                    .isEqualTo(t.toFloatArray()));
            assertThat(second.history.names()).containsExactly("loss", "norm");
            assertThat(second.history.points("loss")).isEqualTo(whole.history.points("loss"));
            assertThat(TrainingCheckpoint.weights(file, true).keySet())
                    .isEqualTo(whole.module.weights().keySet());
        }
    }

    @Test
    void foreignAndDamagedFilesChangeNothing() throws IOException {
        Path file = folder.resolve("run.safetensors");
        try (Run run = new Run(6);
                Run other = new Run(7)) {
            run.train(0, 2);
            run.checkpoint.save(file, new TrainingCheckpoint.Position(2, 10, 1, 7, "{}"));
            float[] before = other.module.weights().get("up.weight").toFloatArray();
            assertThatThrownBy(() -> other.checkpoint.resume(file))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("[6");
            assertThat(other.module.weights().get("up.weight").toFloatArray()).isEqualTo(before);
            byte[] bytes = Files.readAllBytes(file);
            Path cut = Files.write(folder.resolve("cut"), java.util.Arrays.copyOf(bytes, bytes.length / 2));
            assertThatThrownBy(() -> run.checkpoint.resume(cut)).isInstanceOf(ModelFormatException.class);
            assertThat(Files.list(folder).map(p -> p.getFileName().toString()))
                    .as("no temporary file stays")
                    .containsExactlyInAnyOrder("run.safetensors", "cut");
        }
    }

    private static float[] noise(long seed, int n) {
        SplittableRandom r = new SplittableRandom(seed);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) r.nextDouble(-1, 1);
        }
        return v;
    }
}
