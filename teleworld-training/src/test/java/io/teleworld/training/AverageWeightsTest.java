package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.recipe.NetworkFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AverageWeightsTest {

    private static final VideoTransformerConfig CONFIG = ModelSize.TINY.transformer();

    @TempDir
    Path folder;

    private final SplittableRandom random = new SplittableRandom();
    private final StringWriter errors = new StringWriter();

    private float[] write(String name, VideoTransformerConfig config, long... shape) throws IOException {
        float[] values = new float[Math.toIntExact(HostTensor.elementCount(shape))];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        new NetworkFile<>(config, Map.of("w", HostTensor.ofFloats(values, shape)))
                .write(folder.resolve(name).resolve(NetworkFile.NAME), Map.of());
        return values;
    }

    private String at(String name) {
        return folder.resolve(name).toString();
    }

    private int run(String... args) {
        return Cli.of(new Train())
                .setOut(new PrintWriter(new StringWriter()))
                .setErr(new PrintWriter(errors, true))
                .execute(args);
    }

    @Test
    void sharesAreDividedByTheirSum() throws IOException {
        float[] a = write("a", CONFIG, 2, 3);
        float[] b = write("b", CONFIG, 2, 3);
        assertThat(run("average", at("a"), at("b"), "--shares", "1,3", "--out", at("out")))
                .isZero();
        NetworkFile<VideoTransformerConfig> out = NetworkFile.read(folder.resolve("out"), CONFIG);
        assertThat(out.config()).isEqualTo(CONFIG);
        float[] mean = out.arrays().get("w");
        assertThat(mean).hasSize(6);
        for (int i = 0; i < 6; i++) {
            assertThat(mean[i]).isCloseTo(0.25f * a[i] + 0.75f * b[i], within(1e-6f));
        }
    }

    @Test
    void whatDoesNotFitIsNamed() throws IOException {
        write("a", CONFIG, 2, 3);
        write("b", CONFIG, 3, 2);
        write("c", CONFIG.withLayers(9), 2, 3);
        assertThat(run("average", at("a"), at("b"), "--out", at("out"))).isEqualTo(2);
        assertThat(errors.toString()).contains("w of network 1", "[3, 2]", "[2, 3]");
        assertThat(run("average", at("a"), at("c"), "--out", at("out"))).isEqualTo(2);
        assertThat(errors.toString()).contains("network 1 has the sizes");
        assertThat(run("average", at("a"), at("a"), "--shares", "1,0", "--out", at("out")))
                .isEqualTo(2);
        assertThat(errors.toString()).contains("[1.0, 0.0]", "positive share");
        assertThat(run("average", at("a"), at("a"), "--network", "vae")).isEqualTo(2);
        assertThat(errors.toString()).contains("--network is vae", "super-resolution");
        assertThat(folder.resolve("out")).doesNotExist();
    }
}
