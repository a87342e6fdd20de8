package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.graph.Value;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.recipe.NetworkFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From a network that sees each picture by itself to one with attention over keyframes. */
class TrainGeometryTest {

    @TempDir
    Path folder;

    private final StringWriter errors = new StringWriter();

    private int train(Path out, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "geometry",
                "--size",
                "tiny",
                "--worlds",
                "rooms",
                "--rooms",
                "2",
                "--clips",
                "3",
                "--held-clips",
                "1"));
        arguments.addAll(List.of("--batch", "1", "--precision", "fp32", "--threads", "1", "--out", out.toString()));
        arguments.addAll(List.of(more));
        if (!arguments.contains("--steps")) {
            arguments.addAll(List.of("--steps", "2"));
        }
        return Cli.of(new Train()).setErr(new PrintWriter(errors, true)).execute(arguments.toArray(String[]::new));
    }

    @Test
    void attentionIsAddedToATrainedNetwork() {
        Path still = folder.resolve("still");
        assertThat(train(still)).as("%s", errors).isEqualTo(Cli.OK);
        GeometryNetConfig tiny = ModelSize.TINY.geometry();
        NetworkFile<GeometryNetConfig> before = NetworkFile.read(still, tiny);
        assertThat(before.config()).isEqualTo(tiny);

        Path attentive = folder.resolve("attentive");
        assertThat(train(attentive, "--weights", still.toString(), "--keyframes", "3", "--lr", "1e-4"))
                .as("%s", errors)
                .isEqualTo(Cli.OK);
        NetworkFile<GeometryNetConfig> after = NetworkFile.read(attentive, tiny);
        assertThat(after.config()).isEqualTo(tiny.withAttention(4, 4, 2));
        assertThat(after.weights().keySet())
                .isEqualTo(GeometryNet.initialise(after.config(), 1).keySet());
        // What was there has moved a little, what is new has begun to learn.
        Map<String, float[]> weights = after.arrays();
        assertThat(weights.get("stem.weight"))
                .containsExactly(before.arrays().get("stem.weight"), within(1e-3f))
                .isNotEqualTo(before.arrays().get("stem.weight"));
        assertThat(weights.get("attention.3.to_out.weight")).isNotEqualTo(new float[32 * 32]);

        // Attention goes on without being asked for, and cannot be taken away.
        Path more = folder.resolve("more");
        assertThat(train(more, "--weights", attentive.toString()))
                .as("%s", errors)
                .isEqualTo(Cli.OK);
        assertThat(NetworkFile.read(more, tiny).config()).isEqualTo(after.config());
        assertThat(train(more, "--weights", attentive.toString(), "--keyframes", "1"))
                .isNotEqualTo(Cli.OK);
        assertThat(errors.toString()).contains("--keyframes");
    }

    @Test
    void aNetworkForStartPicturesIsJudgedUpToScale() {
        Path still = folder.resolve("still");
        assertThat(train(still)).as("%s", errors).isEqualTo(Cli.OK);
        Path start = folder.resolve("start");
        assertThat(train(start, "--start", "--weights", still.toString(), "--steps", "12", "--lr", "3e-3"))
                .as("%s", errors)
                .isEqualTo(Cli.OK);
        GeometryNetConfig tiny = ModelSize.TINY.geometry();
        NetworkFile<GeometryNetConfig> net = NetworkFile.read(start, tiny);
        assertThat(net.config()).isEqualTo(tiny.withAttention(8, 4, 1));
        assertThat(net.arrays().get("attention.7.to_out.weight")).isNotEqualTo(new float[32 * 32]);
        // Nothing is known of a start picture, and it is clean.
        assertThat(train(start, "--start", "--keyframes", "3")).isNotEqualTo(Cli.OK);
        assertThat(errors.toString()).contains("--start", "--keyframes");
    }

    @Test
    void picturesMayGoThroughTheAutoencoderFirst() throws IOException {
        VideoAutoencoderConfig sizes = ModelSize.TINY.autoencoder();
        Map<String, HostTensor> weights = new HashMap<>();
        Map<String, Value> shapes = new HashMap<>(
                VideoAutoencoder.encoderClipGraph(sizes, 48, 80, 1).parameters());
        shapes.putAll(VideoAutoencoder.decoderClipGraph(sizes, 12, 20, 1).parameters());
        VideoAutoencoder.initialise(sizes, 3)
                .forEach((n, w) -> weights.put(
                        n,
                        HostTensor.ofFloats(
                                w, Objects.requireNonNull(shapes.get(n)).shape().evaluate(Map.of()))));
        Path codec = folder.resolve("codec");
        new NetworkFile<>(sizes, weights).write(codec.resolve(NetworkFile.NAME), Map.of());
        Path plain = folder.resolve("plain");
        Path decoded = folder.resolve("decoded");
        assertThat(train(plain)).as("%s", errors).isEqualTo(Cli.OK);
        assertThat(train(decoded, "--autoencoder", codec.toString(), "--decoded", "1"))
                .as("%s", errors)
                .isEqualTo(Cli.OK);
        GeometryNetConfig tiny = ModelSize.TINY.geometry();
        assertThat(NetworkFile.read(decoded, tiny).arrays().get("stem.weight"))
                .isNotEqualTo(NetworkFile.read(plain, tiny).arrays().get("stem.weight"));
        assertThat(train(decoded, "--autoencoder", codec.toString(), "--decoded", "2"))
                .isNotEqualTo(Cli.OK);
        assertThat(errors.toString()).contains("--decoded is 2.0");
    }
}
