package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.TransformerObjective;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class TrainFewStepTest {

    private static final VideoTransformerConfig CONFIG = ModelSize.TINY.transformer();
    private static final LatentCache.Header SHAPE =
            new LatentCache.Header(0, 10, CONFIG.latentChannels(), 6, 10, CONFIG.maskChannels());

    @TempDir
    Path folder;

    private final StringWriter errors = new StringWriter();

    @BeforeEach
    void makeInputs() throws IOException {
        fill(folder.resolve("latents/train"), 1);
        fill(folder.resolve("latents/held"), 2);
        fill(folder.resolve("rollouts/train"), 3);
        new LatentStatistics(Collections.nCopies(SHAPE.channels(), 0.0), Collections.nCopies(SHAPE.channels(), 1.0))
                .write(folder.resolve("latents"));
        Map<String, float[]> initial = TransformerObjective.initialise(CONFIG, 5);
        Graph graph = VideoTransformer.cachedGraph(CONFIG, SHAPE.height(), SHAPE.width(), 20);
        Map<String, HostTensor> weights = new LinkedHashMap<>();
        graph.parameters()
                .forEach((name, value) -> weights.put(
                        name,
                        HostTensor.ofFloats(
                                Objects.requireNonNull(initial.get(name)),
                                value.shape().known())));
        new NetworkFile<>(CONFIG, weights).write(folder.resolve("transformer/weights.safetensors"), Map.of());
    }

    private static void fill(Path cache, long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        try (LatentCache.Writer writer = new LatentCache.Writer(cache, SHAPE)) {
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

    private int run(String... arguments) {
        return Cli.of(new Train()).setErr(new PrintWriter(errors, true)).execute(arguments);
    }

    /** Trains on the folders that are here and checks that the weights are those of the same network, one of them changed. */
    private void trains(String changed, String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        for (String option : List.of("weights", "latents", "rollouts", "out")) {
            String name = option.equals("weights") ? "transformer" : option;
            all.addAll(List.of("--" + option, folder.resolve(name).toString()));
        }
        all.addAll(List.of("--size", "tiny", "--batch", "1", "--threads", "1", "--precision", "fp32"));
        int code = run(all.toArray(String[]::new));
        assertThat(errors.toString()).isEmpty();
        assertThat(code).isZero();
        NetworkFile<VideoTransformerConfig> before = NetworkFile.read(folder.resolve("transformer"), CONFIG);
        NetworkFile<VideoTransformerConfig> after = NetworkFile.read(folder.resolve("out"), CONFIG);
        assertThat(after.weights().keySet()).isEqualTo(before.weights().keySet());
        assertThat(after.arrays().get(changed)).isNotEqualTo(before.arrays().get(changed));
    }

    @Test
    void trainsOnBothKindsOfRecords() {
        trains("blocks.0.attn1.to_q.weight", "few-step", "--steps", "2");
    }

    @Test
    void distilsWithATeacher() {
        trains(
                "proj_out.weight",
                "distil",
                "--teacher",
                folder.resolve("transformer").toString(),
                "--critic-updates",
                "1",
                "--teacher-guidance",
                "1",
                "--sampling-steps",
                "1000,400",
                "--steps",
                "6");
    }

    @Test
    void sharpensAgainstADiscriminator() {
        trains("proj_out.weight", "adversarial", "--patience", "1", "--sampling-steps", "1000,400", "--steps", "3");
    }

    @Test
    void weightsMustBeNamed() {
        for (String command : new String[] {"few-step", "distil", "adversarial"}) {
            assertThat(run(command, "--size", "tiny")).isEqualTo(CommandLine.ExitCode.USAGE);
            assertThat(errors.toString()).contains("--weights is missing");
            errors.getBuffer().setLength(0);
        }
    }

    @Test
    void aTransformerNeedsItsStatistics() {
        assertThat(run("encode", "--transformer", "x")).isEqualTo(CommandLine.ExitCode.USAGE);
        assertThat(errors.toString()).contains("--statistics");
    }
}
