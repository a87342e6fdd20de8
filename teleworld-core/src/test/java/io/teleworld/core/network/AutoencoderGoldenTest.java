package io.teleworld.core.network;

import static io.teleworld.core.network.Goldens.assertMaxRel;
import static io.teleworld.core.network.Goldens.compile;
import static io.teleworld.core.network.Goldens.weights;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class AutoencoderGoldenTest {

    /** The shipped structure at small widths, with statistics of latents. */
    private static final VideoAutoencoderConfig SMALL = new VideoAutoencoderConfig(
                    3,
                    4,
                    2,
                    6,
                    java.util.List.of(new Stage(6, 1, 1, 2), new Stage(8, 1, 2, 2), new Stage(10, 1, 2, 1)),
                    java.util.List.of(new Stage(10, 1, 2, 1), new Stage(8, 1, 2, 2), new Stage(6, 1, 1, 2)),
                    6,
                    false,
                    Grouping.CAUSAL,
                    java.util.List.of(),
                    java.util.List.of())
            .withLatentStatistics(Collections.nCopies(4, 0.25), Collections.nCopies(4, 0.5));

    private static final int PIXELS = 3 * 16 * 24;
    private static final int LATENT = 4 * 2 * 3;

    private final Scope scope = Scope.root("test");

    @AfterEach
    void close() {
        scope.close();
    }

    @Test
    void decodingFollowsTaehv() throws IOException {
        Safetensors g = Goldens.open("taehv_tiny");
        VideoAutoencoderConfig c = VideoAutoencoderConfig.taehv(8, 16, 12, 8, 8);
        Weights w = weights(g, "weights.");
        Program p = compile(VideoAutoencoder.decoderGraph(c, 3, 4), only(w, "decoder."));
        float[] expected = g.tensor("out.decode.video").toFloatArray();
        float[] latents = g.tensor("in.latents").toFloatArray();
        try (StreamingDecoder d = new StreamingDecoder(c, p, scope)) {
            Tensor whole = d.decode(HostTensor.ofFloats(latents, 3, 16, 3, 4), scope);
            assertThat(whole.shape()).containsExactly(9, 3, 24, 32);
            assertMaxRel("whole", whole.toFloatArray(), expected, 1e-4);
            d.reset();
            float[] streamed = new float[expected.length];
            int at = 0;
            for (int k = 0; k < 3; k++) {
                float[] one = Arrays.copyOfRange(latents, k * 192, (k + 1) * 192);
                Tensor part = d.decode(HostTensor.ofFloats(one, 1, 16, 3, 4), scope);
                assertThat(part.shape()[0]).isEqualTo(k == 0 ? 1 : 4);
                System.arraycopy(part.toFloatArray(), 0, streamed, at, Math.toIntExact(part.elementCount()));
                at += Math.toIntExact(part.elementCount());
            }
            assertMaxRel("streamed", streamed, whole.toFloatArray(), 1e-5);
        }
    }

    @Test
    void encodingFollowsTaehv() throws IOException {
        Safetensors g = Goldens.open("taehv_tiny");
        VideoAutoencoderConfig c = VideoAutoencoderConfig.taehv(8, 16, 12, 8, 8);
        Program p = compile(VideoAutoencoder.encoderGraph(c, 24, 32), only(weights(g, "weights."), "encoder."));
        float[] video = g.tensor("in.video").toFloatArray();
        int frame = 3 * 24 * 32;
        float[] padded = Arrays.copyOf(video, 12 * frame);
        for (int f = 9; f < 12; f++) {
            System.arraycopy(video, 8 * frame, padded, f * frame, frame);
        }
        try (StreamingEncoder e = new StreamingEncoder(c, p, scope)) {
            float[] latents =
                    e.encode(HostTensor.ofFloats(padded, 12, 3, 24, 32), scope).toFloatArray();
            assertMaxRel("latents", latents, g.tensor("out.encode.latents").toFloatArray(), 1e-4);
        }
    }

    @Test
    void chunksDoNotChangeTheLatents() {
        Program p = compile(
                VideoAutoencoder.encoderGraph(SMALL, 16, 24), drawn(VideoAutoencoder.encoderGraph(SMALL, 16, 24)));
        float[] video = noise(13 * PIXELS, 1);
        try (StreamingEncoder e = new StreamingEncoder(SMALL, p, scope)) {
            float[] whole = e.encode(frames(video, 0, 13), scope).toFloatArray();
            assertThat(whole).hasSize(4 * LATENT);
            e.reset();
            float[] first = e.encode(frames(video, 0, 1), scope).toFloatArray();
            float[] second = e.encode(frames(video, 1, 9), scope).toFloatArray();
            float[] third = e.encode(frames(video, 9, 13), scope).toFloatArray();
            assertMaxRel("1 frame", first, Arrays.copyOf(whole, LATENT), 1e-5);
            assertMaxRel("8 frames", second, Arrays.copyOfRange(whole, LATENT, 3 * LATENT), 1e-5);
            assertMaxRel("4 frames", third, Arrays.copyOfRange(whole, 3 * LATENT, 4 * LATENT), 1e-5);
            assertThatThrownBy(() -> e.encode(frames(video, 0, 5), scope))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("[4k");
        }
    }

    @Test
    void aLatentStandsForItsFourFramesAndNoLaterOnes() {
        Program p = compile(
                VideoAutoencoder.encoderGraph(SMALL, 16, 24), drawn(VideoAutoencoder.encoderGraph(SMALL, 16, 24)));
        float[] video = noise(9 * PIXELS, 2);
        float[] changed = video.clone();
        for (int i = 5 * PIXELS; i < 6 * PIXELS; i++) {
            changed[i] += 1;
        }
        try (StreamingEncoder e = new StreamingEncoder(SMALL, p, scope)) {
            float[] a = e.encode(frames(video, 0, 9), scope).toFloatArray();
            e.reset();
            float[] b = e.encode(frames(changed, 0, 9), scope).toFloatArray();
            assertThat(Arrays.copyOf(b, 2 * LATENT)).isEqualTo(Arrays.copyOf(a, 2 * LATENT));
            assertThat(Arrays.copyOfRange(b, 2 * LATENT, 3 * LATENT))
                    .isNotEqualTo(Arrays.copyOfRange(a, 2 * LATENT, 3 * LATENT));
        }
    }

    @Test
    void clipsEqualStreams() {
        Graph stream = VideoAutoencoder.decoderGraph(SMALL, 2, 3);
        Weights w = drawn(stream);
        float[] latents = noise(2 * 3 * LATENT, 3);
        Program clip = compile(VideoAutoencoder.decoderClipGraph(SMALL, 2, 3, 3), w);
        Tensor both = Objects.requireNonNull(clip.run(
                        Map.of("latents", HostTensor.ofFloats(latents, 2, 3, 4, 2, 3)),
                        clip.newState(scope),
                        RunOptions.DEFAULT,
                        scope)
                .get("frames"));
        assertThat(both.shape()).containsExactly(2, 12, 3, 16, 24);
        float[] clips = both.toFloatArray();
        for (int i = 0; i < clips.length; i++) {
            clips[i] = Math.max(-1, Math.min(1, clips[i]));
        }
        Program p = compile(stream, w);
        try (StreamingDecoder d = new StreamingDecoder(SMALL, p, scope)) {
            for (int k = 0; k < 2; k++) {
                d.reset();
                float[] one = Arrays.copyOfRange(latents, k * 3 * LATENT, (k + 1) * 3 * LATENT);
                float[] video =
                        d.decode(HostTensor.ofFloats(one, 3, 4, 2, 3), scope).toFloatArray();
                assertMaxRel(
                        "clip " + k,
                        video,
                        Arrays.copyOfRange(clips, (k * 12 + 3) * PIXELS, (k + 1) * 12 * PIXELS),
                        1e-5);
            }
        }
    }

    @Test
    void statisticsNormaliseWhatTheEncoderGivesAndTheDecoderTakes() {
        VideoAutoencoderConfig bare = SMALL.withLatentStatistics(java.util.List.of(), java.util.List.of());
        Weights w = drawn(VideoAutoencoder.encoderGraph(SMALL, 16, 24));
        float[] video = noise(PIXELS, 4);
        float[] normalised = encodeOne(SMALL, w, video);
        float[] raw = encodeOne(bare, w, video);
        for (int i = 0; i < raw.length; i++) {
            raw[i] = (raw[i] - 0.25f) / 0.5f;
        }
        assertMaxRel("latents", normalised, raw, 1e-5);
    }

    private float[] encodeOne(VideoAutoencoderConfig c, Weights w, float[] video) {
        Program p = compile(VideoAutoencoder.encoderGraph(c, 16, 24), w);
        try (StreamingEncoder e = new StreamingEncoder(c, p, scope)) {
            return e.encode(frames(video, 0, 1), scope).toFloatArray();
        }
    }

    @Test
    void theGeometryNetAnswersWithinItsRanges() {
        GeometryNetConfig c = new GeometryNetConfig(5, 2, java.util.List.of(4, 6, 8), java.util.List.of(1, 1, 1), 8);
        Graph g = GeometryNet.graph(c, 16, 24);
        Map<String, float[]> values = GeometryNet.initialise(c, 9);
        Map<String, HostTensor> w = new HashMap<>();
        g.parameters()
                .forEach((n, v) -> w.put(
                        n,
                        HostTensor.ofFloats(
                                Objects.requireNonNull(values.get(n)), v.shape().known())));
        Program p = compile(g, Weights.of(w));
        Map<String, Tensor> out = p.run(
                Map.of("image", HostTensor.ofFloats(noise(2 * 5 * 16 * 24, 5), 2, 5, 16, 24)),
                p.newState(scope),
                RunOptions.DEFAULT,
                scope);
        for (String name : new String[] {"depth", "confidence", "dynamic"}) {
            assertThat(Objects.requireNonNull(out.get(name)).shape()).containsExactly(2, 1, 16, 24);
        }
        for (float d : Objects.requireNonNull(out.get("depth")).toFloatArray()) {
            assertThat(d).isBetween(0.05f, 20f);
        }
        for (float d : Objects.requireNonNull(out.get("confidence")).toFloatArray()) {
            assertThat(d).isGreaterThan(1f);
        }
    }

    private static HostTensor frames(float[] video, int from, int to) {
        return HostTensor.ofFloats(Arrays.copyOfRange(video, from * PIXELS, to * PIXELS), to - from, 3, 16, 24);
    }

    private static Weights drawn(Graph g) {
        ParameterInit init = ParameterInit.empty()
                .with(".*bias", new ParameterInit.Rule.Normal(0.1))
                .with(".*", new ParameterInit.Rule.FanIn(1.2));
        Map<String, HostTensor> w = new HashMap<>();
        init.draw(g, 11)
                .forEach((n, v) -> w.put(
                        n,
                        HostTensor.ofFloats(
                                v,
                                Objects.requireNonNull(g.parameters().get(n))
                                        .shape()
                                        .known())));
        return Weights.of(w);
    }

    private static Weights only(Weights w, String prefix) {
        Map<String, HostTensor> out = new HashMap<>();
        w.names().stream().filter(n -> n.startsWith(prefix)).forEach(n -> out.put(n, w.get(n)));
        return Weights.of(out);
    }

    private static float[] noise(int n, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) Math.tanh(random.nextGaussian());
        }
        return v;
    }
}
