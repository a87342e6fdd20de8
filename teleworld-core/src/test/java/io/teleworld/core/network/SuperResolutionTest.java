package io.teleworld.core.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.TinyModel;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.WindowTransformer.Attention;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class SuperResolutionTest {

    private static final SuperResolutionConfig SMALL = TinyModel.SUPER_RESOLUTION;
    private static final int H = 16;
    private static final int W = 32;
    private static final int FRAME = 3 * H * W;

    private final Scope scope = Scope.root("test");

    @AfterEach
    void close() {
        scope.close();
    }

    private static float[] video(int frames) {
        SplittableRandom random = new SplittableRandom(5);
        float[] v = new float[frames * FRAME];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) random.nextDouble(-1, 1);
        }
        return v;
    }

    private Program program(Graph graph) {
        return Goldens.compile(graph, Weights.of(TinyModel.randomWeights(4, graph)));
    }

    private float[] streamed(StreamingSuperResolver stream, float[] video, int... chunks) {
        float[] out = new float[video.length * 4];
        int at = 0;
        for (int n : chunks) {
            float[] some = Arrays.copyOfRange(video, at * FRAME, (at + n) * FRAME);
            Tensor large = stream.upscale(HostTensor.ofFloats(some, n, 3, H, W), scope);
            assertThat(large.shape()).containsExactly(n, 3, 2 * H, 2 * W);
            System.arraycopy(large.toFloatArray(), 0, out, at * FRAME * 4, n * FRAME * 4);
            at += n;
        }
        stream.reset();
        return out;
    }

    @Test
    void chunksGiveWhatTheWholeGives() {
        float[] video = video(17);
        Program p = program(SuperResolutionNet.streamGraph(SMALL, H, W, Attention.NEIGHBOURS));
        try (StreamingSuperResolver stream = new StreamingSuperResolver(SMALL, p, scope)) {
            float[] whole = streamed(stream, video, 17);
            assertThat(streamed(stream, video, 5, 4, 4, 4)).isEqualTo(whole);
            assertThat(streamed(stream, video, 1, 8, 4, 4)).isEqualTo(whole);
            // The clip that training sees, whose first frame stands four times.
            float[] clip = new float[20 * FRAME];
            for (int t = 0; t < 20; t++) {
                System.arraycopy(video, Math.max(0, t - 3) * FRAME, clip, t * FRAME, FRAME);
            }
            Program clips = program(SuperResolutionNet.clipGraph(SMALL, H, W, 5, Attention.NEIGHBOURS));
            float[] all = run(clips, Map.of("frames", HostTensor.ofFloats(clip, 1, 20, 3, H, W)), "enlarged");
            for (int i = 0; i < whole.length; i++) {
                float v = all[3 * FRAME * 4 + i];
                assertThat(whole[i]).isCloseTo(Math.max(-1, Math.min(1, v)), offset(2e-5f));
            }
        }
    }

    @Test
    void laterFramesDependOnTheFirst() {
        Program p = program(SuperResolutionNet.streamGraph(SMALL, H, W, Attention.NEIGHBOURS));
        float[] video = video(9);
        float[] other = video.clone();
        for (int i = 0; i < FRAME; i++) {
            other[i] = -other[i];
        }
        try (StreamingSuperResolver stream = new StreamingSuperResolver(SMALL, p, scope)) {
            float[] a = streamed(stream, video, 9);
            float[] b = streamed(stream, other, 9);
            assertThat(Arrays.copyOfRange(a, 5 * 4 * FRAME, 9 * 4 * FRAME))
                    .isNotEqualTo(Arrays.copyOfRange(b, 5 * 4 * FRAME, 9 * 4 * FRAME));
        }
    }

    @Test
    void sparseAttentionIsDenseAttentionUnderItsMask() {
        float[] video = video(13);
        float[][] results = new float[2][];
        for (Attention attention : Attention.values()) {
            Program p = program(SuperResolutionNet.streamGraph(SMALL, H, W, attention));
            try (StreamingSuperResolver stream = new StreamingSuperResolver(SMALL, p, scope)) {
                results[attention.ordinal()] = streamed(stream, video, 13);
            }
        }
        for (int i = 0; i < results[0].length; i++) {
            assertThat(results[0][i]).isCloseTo(results[1][i], offset(1e-6f));
        }
    }

    @Test
    void aHeadKeepsTheBestPairsOfEachSlab() {
        for (double keep : new double[] {0.5, 1.5, 3, 100}) {
            SuperResolutionConfig.Transformer t = transformer(keep, 3);
            Graph graph = WindowTransformer.graph(t, 8, 16, 1, 4, Attention.EVERYTHING);
            Map<String, Value> probes = new HashMap<>();
            for (Node n : graph.nodes()) {
                if (n.op() instanceof Op.WindowAttention) {
                    probes.put("kept." + probes.size(), n.inputs().get(3));
                }
            }
            assertThat(probes).hasSize(2);
            Program p = program(graph.withOutputs(probes));
            int slabs = 2;
            float[] tokens = new float[slabs * 32 * 12];
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < tokens.length; i++) {
                tokens[i] = (float) random.nextGaussian();
            }
            Map<String, HostTensor> in = Map.of(
                    "tokens.0", HostTensor.ofFloats(tokens, 1, slabs * 32L, 12),
                    "positions", HostTensor.ofFloats(new float[] {0, 1}, 2));
            int windows = 8;
            int allowed = 0;
            for (boolean near : WindowTransformer.localMask(2, 4, 3)) {
                allowed += near ? slabs : 0;
            }
            for (String name : probes.keySet()) {
                boolean[] kept = booleans(p, in, name);
                // [slabs, windows, heads, windows·slabs]
                int row = windows * slabs;
                for (int s = 0; s < slabs; s++) {
                    for (int head = 0; head < 2; head++) {
                        int count = 0;
                        for (int q = 0; q < windows; q++) {
                            int from = ((s * windows + q) * 2 + head) * row;
                            for (int k = 0; k < row; k++) {
                                count += kept[from + k] ? 1 : 0;
                            }
                        }
                        assertThat(count)
                                .as("pairs of head %d, slab %d, keep %s", head, s, keep)
                                .isEqualTo(Math.min(t.pairs(windows), allowed));
                    }
                }
            }
        }
    }

    private static SuperResolutionConfig.Transformer transformer(double keep, int range) {
        return new SuperResolutionConfig.Transformer(
                2, 2, 6, null, 3, 12, 2, 8, null, 1e-6, List.of(1, 2, 2), range, keep, 2);
    }

    @Test
    void theLocalMaskSlidesAndIsCutAtTheBorder() {
        boolean[] odd = WindowTransformer.localMask(3, 3, 3);
        assertThat(count(odd, 0, 9)).isEqualTo(4);
        assertThat(count(odd, 4, 9)).isEqualTo(9);
        boolean[] even = WindowTransformer.localMask(1, 6, 4);
        assertThat(Arrays.copyOfRange(booleans(even), 12, 18)).containsExactly(1, 1, 1, 1, 0, 0);
    }

    private static int[] booleans(boolean[] mask) {
        int[] out = new int[mask.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = mask[i] ? 1 : 0;
        }
        return out;
    }

    private static int count(boolean[] mask, int row, int n) {
        int c = 0;
        for (int i = 0; i < n; i++) {
            c += mask[row * n + i] ? 1 : 0;
        }
        return c;
    }

    @Test
    void bicubicEnlargementKeepsConstantsAndRamps() {
        Program p = Goldens.compile(SuperResolutionNet.bicubicGraph(2, 8, 8), Weights.of(Map.of()));
        float[] v = new float[3 * 64];
        for (int i = 0; i < 64; i++) {
            v[i] = 0.25f;
            v[64 + i] = -0.5f + 0.1f * (i % 8);
            v[128 + i] = -0.5f + 0.1f * (i / 8);
        }
        float[] out = run(p, Map.of("frames", HostTensor.ofFloats(v, 1, 3, 8, 8)), "enlarged");
        for (int y = 4; y < 12; y++) {
            for (int x = 4; x < 12; x++) {
                int i = y * 16 + x;
                assertThat(out[i]).isCloseTo(0.25f, offset(1e-6f));
                assertThat(out[256 + i]).isCloseTo(-0.5f + 0.1f * ((x + 0.5f) / 2 - 0.5f), offset(1e-6f));
                assertThat(out[512 + i]).isCloseTo(-0.5f + 0.1f * ((y + 0.5f) / 2 - 0.5f), offset(1e-6f));
            }
        }
    }

    @Test
    void trainingBeginsNearTheBicubicEnlargement() {
        Graph graph = SuperResolutionNet.clipGraph(SMALL, H, W, 1, Attention.NEIGHBOURS);
        Map<String, float[]> start = SuperResolutionNet.initialise(SMALL, 3);
        Map<String, HostTensor> weights = new HashMap<>();
        graph.parameters()
                .forEach((n, v) -> weights.put(
                        n,
                        HostTensor.ofFloats(
                                Objects.requireNonNull(start.get(n), n),
                                v.shape().known())));
        float[] video = video(4);
        float[] own = run(
                Goldens.compile(graph, Weights.of(weights)),
                Map.of("frames", HostTensor.ofFloats(video, 1, 4, 3, H, W)),
                "enlarged");
        float[] plain = run(
                Goldens.compile(SuperResolutionNet.bicubicGraph(2, H, W), Weights.of(Map.of())),
                Map.of("frames", HostTensor.ofFloats(video, 4, 3, H, W)),
                "enlarged");
        double difference = 0;
        for (int i = 0; i < own.length; i++) {
            difference += Math.abs(Math.max(-1, Math.min(1, own[i])) - plain[i]) / own.length;
        }
        assertThat(difference).isBetween(1e-6, 0.1);
    }

    /** Of cells that are as large as one small pixel, and of cells that are as large as four. */
    @Test
    void aDecoderThatSaysNothingLeavesTheBicubicEnlargement() {
        leavesTheBicubicEnlargement(SMALL);
        List<Stage> flat = List.of(new Stage(5, 1, 1, 4), new Stage(4, 1, 1, 1));
        leavesTheBicubicEnlargement(new SuperResolutionConfig(
                2,
                SMALL.projection(),
                SMALL.transformer(),
                new SuperResolutionConfig.Decoder(2, flat, 4, false, 4, 0),
                true,
                ColourCorrection.Method.NONE));
    }

    private void leavesTheBicubicEnlargement(SuperResolutionConfig config) {
        Graph graph = SuperResolutionNet.clipGraph(config, H, W, 1, Attention.NEIGHBOURS);
        Map<String, float[]> start = SuperResolutionNet.initialise(config, 3);
        String last = "decoder.decoder." + SuperResolutionNet.lastLayer(config) + ".";
        Map<String, HostTensor> weights = new HashMap<>();
        graph.parameters().forEach((n, v) -> {
            float[] values = Objects.requireNonNull(start.get(n), n);
            long[] shape = v.shape().known();
            weights.put(n, HostTensor.ofFloats(n.startsWith(last) ? new float[values.length] : values, shape));
        });
        assertThat(weights).containsKey(last + "weight");
        float[] video = video(4);
        float[] own = run(
                Goldens.compile(graph, Weights.of(weights)),
                Map.of("frames", HostTensor.ofFloats(video, 1, 4, 3, H, W)),
                "enlarged");
        float[] plain = run(
                Goldens.compile(SuperResolutionNet.bicubicGraph(2, H, W), Weights.of(Map.of())),
                Map.of("frames", HostTensor.ofFloats(video, 4, 3, H, W)),
                "enlarged");
        assertThat(own).hasSameSizeAs(plain);
        for (int i = 0; i < own.length; i++) {
            assertThat(Math.max(-1, Math.min(1, own[i]))).isCloseTo(plain[i], within(1e-5f));
        }
    }

    @Test
    void theShippedSizeIsAffordableOnACpu() {
        Graph g = SuperResolutionNet.streamGraph(SuperResolutionConfig.nano(), 96, 176, Attention.NEIGHBOURS);
        assertThat(FlopCounter.count(g, Map.of("visible_slabs", 2L)) / 4e9)
                .as("GFLOP per frame")
                .isBetween(1.0, 3.0);
        assertThat(FlopCounter.parameters(g)).isBetween(1_000_000L, 2_000_000L);
    }

    @Test
    void coloursAreTakenOver() {
        float[] v = video(1);
        float[] reference = video(2);
        for (ColourCorrection.Method method :
                List.of(ColourCorrection.Method.STATISTICS, ColourCorrection.Method.WAVELET)) {
            Program p = Goldens.compile(ColourCorrection.graph(method, H, W), Weights.of(Map.of()));
            float[] other = Arrays.copyOfRange(reference, FRAME, 2 * FRAME);
            for (int i = 0; i < FRAME; i++) {
                other[i] = 0.3f + 0.1f * other[i];
            }
            float[] out = run(
                    p,
                    Map.of(
                            "frames", HostTensor.ofFloats(v, 1, 3, H, W),
                            "reference", HostTensor.ofFloats(other, 1, 3, H, W)),
                    "corrected");
            double mean = 0;
            for (float x : out) {
                mean += x / out.length;
            }
            assertThat(mean).as(method.name()).isBetween(0.2, 0.4);
        }
    }

    @Test
    void chunksOfOtherSizesAreRefused() {
        Program p = program(SuperResolutionNet.streamGraph(SMALL, H, W, Attention.NEIGHBOURS));
        try (StreamingSuperResolver stream = new StreamingSuperResolver(SMALL, p, scope)) {
            HostTensor four = HostTensor.ofFloats(video(4), 4, 3, H, W);
            assertThatThrownBy(() -> stream.upscale(four, scope)).hasMessageContaining("1+4k in the first call");
            stream.upscale(HostTensor.ofFloats(video(1), 1, 3, H, W), scope);
            assertThatThrownBy(() -> stream.upscale(HostTensor.ofFloats(video(5), 5, 3, H, W), scope))
                    .hasMessageContaining("4k with k ≥ 1");
        }
    }

    @Test
    void sizesThatDoNotFitAreRefused() {
        SuperResolutionConfig n = SuperResolutionConfig.nano();
        assertThatThrownBy(() -> SuperResolutionNet.streamGraph(n, 90, 176, Attention.NEIGHBOURS))
                .hasMessageContaining("multiples of 32×16");
        assertThatThrownBy(() -> new SuperResolutionConfig(
                        3, n.projection(), n.transformer(), n.decoder(), true, ColourCorrection.Method.NONE))
                .hasMessageContaining("enlarges by 8");
        assertThatThrownBy(
                        () -> new SuperResolutionConfig.Decoder(4, List.of(new Stage(8, 1, 2, 2)), 8, false, 4, null))
                .hasMessageContaining("2 frames of a latent");
        assertThatThrownBy(() -> transformer(0, 3)).hasMessageContaining("keep is 0");
    }

    @Test
    void aConfigurationSurvivesJson() {
        for (SuperResolutionConfig c : List.of(SuperResolutionConfig.nano(), SMALL)) {
            byte[] json = JsonConfig.write(c).getBytes(StandardCharsets.UTF_8);
            assertThat(JsonConfig.read("c", new ByteArrayInputStream(json), SuperResolutionConfig.nano()))
                    .isEqualTo(c);
        }
    }

    private float[] run(Program p, Map<String, HostTensor> in, String output) {
        return result(p, in, output).toFloatArray();
    }

    private boolean[] booleans(Program p, Map<String, HostTensor> in, String output) {
        ByteBuffer bytes = result(p, in, output).hostBuffer();
        boolean[] b = new boolean[bytes.remaining()];
        for (int i = 0; i < b.length; i++) {
            b[i] = bytes.get(i) != 0;
        }
        return b;
    }

    private Tensor result(Program p, Map<String, HostTensor> in, String output) {
        return Objects.requireNonNull(
                p.run(in, p.newState(scope), RunOptions.DEFAULT, scope).get(output), output);
    }
}
