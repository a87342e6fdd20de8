package io.teleworld.core.network;

import static io.teleworld.core.network.Goldens.assertMaxRel;
import static io.teleworld.core.network.Goldens.compile;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What the golden files do not say; these are checked by {@code GoldenCheck}. */
final class WanAutoencoderTest {

    private static final WanAutoencoderConfig SMALL = new WanAutoencoderConfig(
            2, 2, List.of(1, 2, 2), 1, List.of(), List.of(true, false), 0, List.of(0.5, -0.25), List.of(2.0, 0.5));

    @Test
    void theFullSizeHasThePublishedNumberOfParameters() {
        WanAutoencoderConfig c = WanAutoencoderConfig.wan21();
        Map<String, Long> counts = new HashMap<>();
        for (Graph g : graphs(c)) {
            g.parameters()
                    .forEach((n, v) -> counts.put(n, v.shape().elementCount().known()));
        }
        assertThat(sum(counts, "encoder.")).isEqualTo(53_595_872);
        assertThat(sum(counts, "decoder.")).isEqualTo(73_295_331);
        assertThat(sum(counts, "")).isEqualTo(126_892_531);
        assertThat(c.spatialFactor()).isEqualTo(8);
        assertThat(c.temporalFactor()).isEqualTo(4);
    }

    private static List<Graph> graphs(WanAutoencoderConfig c) {
        int f = c.spatialFactor();
        return List.of(WanAutoencoder.encoderGraph(c, f, f, false), WanAutoencoder.decoderGraph(c, 1, 1, false));
    }

    private static long sum(Map<String, Long> counts, String prefix) {
        return counts.entrySet().stream()
                .filter(e -> e.getKey().startsWith(prefix))
                .mapToLong(Map.Entry::getValue)
                .sum();
    }

    @Test
    void namesTranslateThereAndBack() {
        for (WanAutoencoderConfig c : List.of(SMALL, WanAutoencoderConfig.wan21())) {
            WanAutoencoderKeys keys = new WanAutoencoderKeys(c);
            Set<String> originals = new HashSet<>();
            Set<String> names = new HashSet<>();
            graphs(c).forEach(g -> names.addAll(g.parameters().keySet()));
            for (String n : names) {
                String original = keys.toOriginal(n);
                assertThat(originals.add(original)).as(original).isTrue();
                assertThat(keys.toDiffusers(original)).isEqualTo(n);
            }
            assertThat(WanAutoencoderKeys.isOriginal(originals)).isTrue();
            assertThat(WanAutoencoderKeys.isOriginal(names)).isFalse();
        }
        WanAutoencoderKeys keys = new WanAutoencoderKeys(WanAutoencoderConfig.wan21());
        assertThat(keys.toDiffusers("decoder.upsamples.7.time_conv.weight"))
                .isEqualTo("decoder.up_blocks.1.upsamplers.0.time_conv.weight");
        assertThat(keys.toDiffusers("encoder.downsamples.3.residual.6.bias"))
                .isEqualTo("encoder.down_blocks.3.conv2.bias");
        assertThat(keys.toDiffusers("conv1.weight")).isEqualTo("quant_conv.weight");
        assertThatThrownBy(() -> keys.toDiffusers("encoder.tail.weight")).hasMessageContaining("encoder.tail.weight");
    }

    @Test
    void chunksDoNotChangeTheVideoAndAResetForgetsIt() {
        try (Scope scope = Scope.root("test")) {
            Weights w = drawn();
            Program first = compile(WanAutoencoder.decoderGraph(SMALL, 2, 3, true), only(w, 2, true));
            Program next = compile(WanAutoencoder.decoderGraph(SMALL, 2, 3, false), only(w, 2, false));
            float[] z = noise(2 * 4 * 6);
            try (WanAutoencoderStream s = new WanAutoencoderStream(first, next, scope)) {
                s.next(latents(z, 0, 1), scope);
                float[] whole = frames(s, latents(z, 1, 4), scope);
                s.reset();
                s.next(latents(z, 0, 1), scope);
                float[] one = frames(s, latents(z, 1, 2), scope);
                float[] two = frames(s, latents(z, 2, 4), scope);
                // [3,6,8,12] and its parts of 2 and 4 frames.
                assertThat(whole).hasSize(3 * 6 * 96);
                float[] joined = new float[whole.length];
                for (int c = 0; c < 3; c++) {
                    System.arraycopy(one, c * 2 * 96, joined, c * 6 * 96, 2 * 96);
                    System.arraycopy(two, c * 4 * 96, joined, (c * 6 + 2) * 96, 4 * 96);
                }
                assertMaxRel("joined", joined, whole, 1e-5);
                s.reset();
                assertThatThrownBy(() -> s.next(latents(z, 0, 2), scope)).isInstanceOf(IllegalArgumentException.class);
                assertThat(s.next(latents(z, 0, 1), scope)).containsOnlyKeys("frames", "unclipped");
            }
        }
    }

    @Test
    void sizesThatDoNotFitAreRefused() {
        assertThatThrownBy(() -> WanAutoencoder.encoderGraph(SMALL, 6, 8, true))
                .hasMessageContaining("6×8")
                .hasMessageContaining("multiples of 4");
        assertThatThrownBy(() -> new WanAutoencoderConfig(
                        2,
                        2,
                        List.of(1, 2),
                        1,
                        List.of(),
                        List.of(true, true),
                        0,
                        List.of(0.0, 0.0),
                        List.of(1.0, 1.0)))
                .hasMessageContaining("temperal_downsample");
    }

    private static float[] frames(WanAutoencoderStream s, HostTensor latents, Scope scope) {
        Tensor t = Objects.requireNonNull(s.next(latents, scope).get("unclipped"));
        return t.toFloatArray();
    }

    /** Latents from (inclusive) to (exclusive) of [2,4,2,3]. */
    private static HostTensor latents(float[] z, int from, int to) {
        int n = to - from;
        float[] v = new float[2 * n * 6];
        for (int c = 0; c < 2; c++) {
            System.arraycopy(z, (c * 4 + from) * 6, v, c * n * 6, n * 6);
        }
        return HostTensor.ofFloats(v, 1, 2, n, 2, 3);
    }

    private static Weights drawn() {
        Map<String, HostTensor> w = new HashMap<>();
        ParameterInit init = ParameterInit.empty()
                .with(".*(bias|gamma)", new ParameterInit.Rule.Normal(0.5))
                .with(".*", new ParameterInit.Rule.FanIn(1));
        Graph g = WanAutoencoder.decoderGraph(SMALL, 2, 3, false);
        init.draw(g, 5)
                .forEach((n, v) -> w.put(
                        n,
                        HostTensor.ofFloats(
                                v,
                                Objects.requireNonNull(g.parameters().get(n))
                                        .shape()
                                        .known())));
        return Weights.of(w);
    }

    private static Weights only(Weights w, int height, boolean first) {
        Map<String, HostTensor> out = new HashMap<>();
        WanAutoencoder.decoderGraph(SMALL, height, 3, first)
                .parameters()
                .keySet()
                .forEach(n -> out.put(n, w.get(n)));
        return Weights.of(out);
    }

    private static float[] noise(int n) {
        SplittableRandom random = new SplittableRandom(8);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) random.nextGaussian();
        }
        return v;
    }
}
