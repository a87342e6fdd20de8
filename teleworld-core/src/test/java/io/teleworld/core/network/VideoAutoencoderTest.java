package io.teleworld.core.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Shape;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class VideoAutoencoderTest {

    private static final VideoAutoencoderConfig NANO = VideoAutoencoderConfig.nano();

    @Test
    void aStreamHasOneRegisterPerMemoryBlock() {
        Graph e = VideoAutoencoder.encoderGraph(NANO, 96, 176);
        Graph d = VideoAutoencoder.decoderGraph(NANO, 12, 22);
        assertThat(e.states()).hasSize(5);
        assertThat(d.states()).hasSize(6);
        assertThat(e.outputs().get("latents").shape().evaluate(Map.of("frames", 2L)))
                .containsExactly(2, 32, 12, 22);
        assertThat(d.outputs().get("frames").shape().evaluate(Map.of("frames", 2L)))
                .containsExactly(8, 3, 96, 176);
    }

    @Test
    void clipsHaveTheSameWeightsAndNoState() {
        Graph e = VideoAutoencoder.encoderClipGraph(NANO, 96, 176, 5);
        Graph d = VideoAutoencoder.decoderClipGraph(NANO, 12, 22, 5);
        assertThat(e.states()).isEmpty();
        assertThat(e.parameters().keySet())
                .isEqualTo(VideoAutoencoder.encoderGraph(NANO, 96, 176)
                        .parameters()
                        .keySet());
        assertThat(d.parameters().keySet())
                .isEqualTo(
                        VideoAutoencoder.decoderGraph(NANO, 12, 22).parameters().keySet());
        assertThat(e.outputs().get("latents").shape().evaluate(Map.of("batch", 3L)))
                .containsExactly(3, 5, 32, 12, 22);
        assertThat(d.outputs().get("frames").shape().evaluate(Map.of("batch", 3L)))
                .containsExactly(3, 20, 3, 96, 176);
    }

    @Test
    void thePublicCheckpointsNamesAndSize() {
        VideoAutoencoderConfig c = VideoAutoencoderConfig.taehv();
        Graph e = VideoAutoencoder.encoderGraph(c, 64, 64);
        Graph d = VideoAutoencoder.decoderGraph(c, 8, 8);
        assertThat(FlopCounter.parameters(e)).isEqualTo(1_470_928);
        assertThat(FlopCounter.parameters(d)).isEqualTo(9_844_611);
        assertThat(e.parameters()).containsKeys("encoder.0.bias", "encoder.2.conv.weight", "encoder.16.conv.4.bias");
        assertThat(d.parameters()).containsKeys("decoder.7.conv.weight", "decoder.20.weight", "decoder.22.bias");
        assertThat(d.parameters().get("decoder.19.conv.weight").shape()).isEqualTo(Shape.of(128, 64, 1, 1));
    }

    @Test
    void theShippedSizeIsAffordableOnACpu() {
        double encode = FlopCounter.count(VideoAutoencoder.encoderGraph(NANO, 96, 176), Map.of("frames", 1L)) / 4e9;
        double decode = FlopCounter.count(VideoAutoencoder.decoderGraph(NANO, 12, 22), Map.of("frames", 1L)) / 4e9;
        assertThat(encode).as("GFLOP per encoded frame").isBetween(0.1, 1.0);
        assertThat(decode).as("GFLOP per decoded frame").isBetween(0.3, 2.0);
    }

    @Test
    void anInitialisationDependsOnTheSeedOnly() {
        Map<String, float[]> w = VideoAutoencoder.initialise(NANO, 3);
        assertThat(w.keySet())
                .containsAll(
                        VideoAutoencoder.decoderGraph(NANO, 12, 22).parameters().keySet());
        assertThat(w.get("decoder.3.conv.0.weight"))
                .isEqualTo(VideoAutoencoder.initialise(NANO, 3).get("decoder.3.conv.0.weight"))
                .isNotEqualTo(VideoAutoencoder.initialise(NANO, 4).get("decoder.3.conv.0.weight"));
        assertThat(w.get("decoder.3.conv.0.bias")).containsOnly(0f);
    }

    @Test
    void aConfigurationSurvivesItsFile() {
        VideoAutoencoderConfig c = NANO.withLatentStatistics(
                java.util.Collections.nCopies(32, 0.5), java.util.Collections.nCopies(32, 2.0));
        assertThat(JsonConfig.read("config.json", json(JsonConfig.write(c)), NANO))
                .isEqualTo(c);
        assertThat(JsonConfig.read("config.json", json("{\"_class_name\": \"x\"}"), NANO))
                .isEqualTo(NANO);
    }

    @Test
    void aWrongConfigurationNamesTheKey() {
        assertThatThrownBy(() -> JsonConfig.read("vae/config.json", json("{\"patchsize\": 2}"), NANO))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("vae/config.json")
                .hasMessageContaining("'patchsize'");
        assertThatThrownBy(() -> JsonConfig.read("c", json("{\"patch_size\": 0}"), NANO))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("patch_size is 0; at least 1");
        assertThatThrownBy(() -> JsonConfig.read(
                        "c",
                        json("{\"encoder_stages\": [{\"width\":1,\"blocks\":1,\"space\":1,\"time\":1,\"tyme\":2}]}"),
                        NANO))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("tyme");
        assertThatThrownBy(() -> JsonConfig.read("c", json("{\"patch_size\": "), NANO))
                .isInstanceOf(ModelFormatException.class);
    }

    @Test
    void aPictureMustFitTheGrid() {
        assertThatThrownBy(() -> VideoAutoencoder.encoderGraph(NANO, 100, 176))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("multiples of 8");
    }

    private static InputStream json(String s) {
        return new ByteArrayInputStream(s.getBytes(StandardCharsets.UTF_8));
    }
}
