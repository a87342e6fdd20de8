package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.TrainingLoop;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class TrainResumeTest {

    private static final VideoTransformerConfig CONFIG = ModelSize.TINY.transformer();
    private static final LatentCache.Header SHAPE =
            new LatentCache.Header(0, 10, CONFIG.latentChannels(), 6, 10, CONFIG.maskChannels());
    private static final int STEPS = 12;

    @TempDir
    Path folder;

    private final StringWriter errors = new StringWriter();

    @BeforeEach
    void makeLatents() throws IOException {
        fill("train", 1, 3);
        fill("held", 2, 1);
        new LatentStatistics(Collections.nCopies(SHAPE.channels(), 0.0), Collections.nCopies(SHAPE.channels(), 1.0))
                .write(folder.resolve("latents"));
    }

    private void fill(String name, long seed, int segments) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        try (LatentCache.Writer writer =
                new LatentCache.Writer(folder.resolve("latents").resolve(name), SHAPE)) {
            for (int k = 0; k < segments; k++) {
                LatentCache.Segment s = LatentCache.Segment.of(SHAPE);
                for (float[] latents : new float[][] {s.target(), s.context(), s.guidance()}) {
                    for (int i = 0; i < latents.length; i++) {
                        latents[i] = (float) random.nextGaussian();
                    }
                }
                Arrays.fill(s.mask(), 1);
                Arrays.fill(s.weight(), 0.5f);
                writer.append(s);
            }
        }
    }

    private int train(Path out, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "transformer",
                "--size",
                "tiny",
                "--latents",
                folder.resolve("latents").toString(),
                "--out",
                out.toString(),
                "--layers",
                "1",
                "--steps",
                Integer.toString(STEPS),
                "--batch",
                "1",
                "--precision",
                "fp32",
                "--threads",
                "1",
                // After each step.
                "--evaluate-minutes",
                "1e-6"));
        arguments.addAll(List.of(more));
        return Cli.of(new Train()).setErr(new PrintWriter(errors, true)).execute(arguments.toArray(String[]::new));
    }

    @Test
    void aRunThatWasStoppedEndsWithTheSameWeights() throws InterruptedException {
        Path whole = folder.resolve("whole");
        Path stopped = folder.resolve("stopped");
        // What is on the disk at some moment is what a run leaves that is killed then.
        Thread thief = new Thread(() -> {
            Path checkpoint = whole.resolve(TrainingLoop.CHECKPOINT);
            try {
                while (!Files.exists(checkpoint)) {
                    Thread.sleep(1);
                }
                Files.createDirectories(stopped);
                Files.copy(checkpoint, stopped.resolve(TrainingLoop.CHECKPOINT));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        thief.start();
        try {
            assertThat(train(whole)).as("%s", errors).isEqualTo(Cli.OK);
        } finally {
            thief.interrupt();
            thief.join();
        }
        Path copy = stopped.resolve(TrainingLoop.CHECKPOINT);
        assertThat(copy).exists();
        int at = Integer.parseInt(Safetensors.open(copy).metadata().getOrDefault("step", "0"));
        assertThat(at).isBetween(1, STEPS - 1);
        float[] early = Safetensors.open(copy)
                .tensor("parameter.blocks.0.attn1.to_q.weight")
                .toFloatArray();

        assertThat(train(stopped, "--resume")).as("%s", errors).isEqualTo(Cli.OK);

        Map<String, float[]> expected = NetworkFile.read(whole, CONFIG).arrays();
        Map<String, float[]> actual = NetworkFile.read(stopped, CONFIG).arrays();
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        expected.forEach((name, values) -> assertThat(actual.get(name)).as(name).isEqualTo(values));
        Map<String, float[]> last = parameters(whole);
        parameters(stopped)
                .forEach((name, values) -> assertThat(values).as(name).isEqualTo(last.get(name)));
        assertThat(last.get("parameter.blocks.0.attn1.to_q.weight")).isNotEqualTo(early);
    }

    private static Map<String, float[]> parameters(Path run) {
        Safetensors file = Safetensors.open(run.resolve(TrainingLoop.CHECKPOINT));
        assertThat(file.metadata()).containsEntry("step", Integer.toString(STEPS));
        return file.names().stream()
                .filter(n -> n.startsWith("parameter."))
                .collect(java.util.stream.Collectors.toMap(
                        n -> n, n -> file.tensor(n).toFloatArray()));
    }

    @Test
    void withoutACheckpointThereIsNothingToResume() {
        assertThat(train(folder.resolve("none"), "--resume")).isEqualTo(CommandLine.ExitCode.USAGE);
        assertThat(errors.toString()).contains("--resume").contains(TrainingLoop.CHECKPOINT);
    }
}
