package io.teleworld.core.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.model.Checkpoint;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.TorchWriter;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The text encoder against the same arithmetic in plain loops and doubles, and its two namings. */
final class TextEncoderTest {

    private static final TextEncoderConfig CONFIG = new TextEncoderConfig(40, 10, 3, 6, 14, 2, 32, 128, 1e-6);

    @TempDir
    Path dir = Path.of("");

    private static Map<String, HostTensor> weights() {
        SplittableRandom random = new SplittableRandom(5);
        Map<String, HostTensor> out = new TreeMap<>();
        new TreeMap<>(TextEncoder.graph(CONFIG).parameters()).forEach((n, v) -> {
            float[] w = new float[(int) v.shape().elementCount().known()];
            for (int i = 0; i < w.length; i++) {
                w[i] = (float) ((n.contains("norm") ? 1 : 0) + 0.35 * random.nextGaussian());
            }
            out.put(n, HostTensor.ofFloats(w, v.shape().known()));
        });
        return out;
    }

    private static long[] text(int count, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        return random.longs(count, 0, CONFIG.vocabulary()).toArray();
    }

    private static float[] encode(Map<String, HostTensor> weights, long[] ids, int padded) {
        Program p = Goldens.compile(TextEncoder.graph(CONFIG), Weights.of(weights));
        boolean[] mask = new boolean[padded];
        Arrays.fill(mask, 0, ids.length, true);
        try (Scope scope = Scope.root("text")) {
            return Objects.requireNonNull(p.run(
                                    Map.of(
                                            "tokens", HostTensor.ofLongs(Arrays.copyOf(ids, padded), 1, padded),
                                            "mask", HostTensor.ofBooleans(mask, 1, padded),
                                            "buckets",
                                                    HostTensor.ofLongs(
                                                            TextEncoder.buckets(CONFIG, padded), padded, padded)),
                                    p.newState(scope),
                                    RunOptions.DEFAULT,
                                    scope)
                            .get("embeddings"))
                    .toFloatArray();
        }
    }

    @Test
    void itComputesWhatTheFormulasSay() {
        Map<String, HostTensor> w = weights();
        long[] ids = text(150, 1);
        double[][] expected = new Oracle(w).encode(ids);
        float[] actual = encode(w, ids, ids.length);
        for (int i = 0; i < expected.length; i++) {
            for (int c = 0; c < CONFIG.width(); c++) {
                assertThat((double) actual[i * CONFIG.width() + c])
                        .as("token %d channel %d", i, c)
                        .isCloseTo(expected[i][c], within(2e-4));
            }
        }
    }

    @Test
    void itFollowsTransformers() throws IOException {
        Safetensors g = Goldens.open("umt5_tiny");
        TextEncoderConfig config = new TextEncoderConfig(40, 20, 3, 6, 28, 2, 32, 128, 1e-6);
        Program p = Goldens.compile(TextEncoder.graph(config), Goldens.weights(g, "weights."));
        int n = 150;
        long[] classes = TextEncoder.buckets(config, 601);
        HostTensor expected = g.tensor("buckets");
        for (int relative = -600; relative <= 600; relative++) {
            int from = Math.max(0, -relative);
            assertThat(classes[from * 601 + from + relative])
                    .as("relative position %d", relative)
                    .isEqualTo(expected.hostBuffer().getLong(8 * (relative + 600)));
        }
        try (Scope scope = Scope.root("golden")) {
            float[] out = Objects.requireNonNull(p.run(
                                    Map.of(
                                            "tokens", g.tensor("in.tokens"),
                                            "mask", g.tensor("in.mask"),
                                            "buckets", HostTensor.ofLongs(TextEncoder.buckets(config, n), n, n)),
                                    p.newState(scope),
                                    RunOptions.DEFAULT,
                                    scope)
                            .get("embeddings"))
                    .toFloatArray();
            Goldens.assertMaxRel("embeddings", out, g.tensor("out.embeddings").toFloatArray(), 1e-4);
        }
    }

    @Test
    void paddingChangesNothingAndIsZero() {
        Map<String, HostTensor> w = weights();
        long[] ids = text(9, 2);
        float[] alone = encode(w, ids, 9);
        float[] padded = encode(w, ids, 20);
        for (int i = 0; i < padded.length; i++) {
            if (i < alone.length) {
                assertThat(padded[i]).isCloseTo(alone[i], within(1e-5f));
            } else {
                assertThat(padded[i]).isZero();
            }
        }
    }

    @Test
    void blocksOneByOneGiveTheWhole() {
        Map<String, HostTensor> w = weights();
        long[] ids = text(12, 3);
        float[] table = Objects.requireNonNull(w.get("shared.weight")).toFloatArray();
        float[] hidden = new float[ids.length * CONFIG.width()];
        for (int i = 0; i < ids.length; i++) {
            System.arraycopy(table, (int) ids[i] * CONFIG.width(), hidden, i * CONFIG.width(), CONFIG.width());
        }
        boolean[] mask = new boolean[ids.length];
        Arrays.fill(mask, true);
        for (int layer = 0; layer < CONFIG.layers(); layer++) {
            Graph g = TextEncoder.blocksGraph(CONFIG, layer, layer + 1);
            Program p = Goldens.compile(g, Weights.of(w));
            try (Scope scope = Scope.root("text")) {
                hidden = p.run(
                                Map.of(
                                        "hidden", HostTensor.ofFloats(hidden, 1, ids.length, CONFIG.width()),
                                        "mask", HostTensor.ofBooleans(mask, 1, ids.length),
                                        "buckets",
                                                HostTensor.ofLongs(
                                                        TextEncoder.buckets(CONFIG, ids.length),
                                                        ids.length,
                                                        ids.length)),
                                p.newState(scope),
                                RunOptions.DEFAULT,
                                scope)
                        .values()
                        .iterator()
                        .next()
                        .toFloatArray();
            }
        }
        assertThat(hidden).usingComparatorWithPrecision(1e-5f).containsExactly(encode(w, ids, ids.length));
        assertThatThrownBy(() -> TextEncoder.blocksGraph(CONFIG, 1, 3)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void placesFallIntoBuckets() {
        long[] b = TextEncoder.buckets(CONFIG, 300);
        // Own place, then one class each, then classes of growing width; behind is 16 more.
        assertThat(b[0]).isZero();
        assertThat(b[7]).isEqualTo(23);
        assertThat(b[7 * 300]).isEqualTo(7);
        int[] firstOfClass = {8, 12, 16, 23, 32, 46, 64, 91};
        for (int k = 0; k < firstOfClass.length; k++) {
            assertThat(b[firstOfClass[k]]).as("class %d", k).isEqualTo(24 + k);
            assertThat(b[firstOfClass[k] - 1]).isEqualTo(23 + k);
            assertThat(b[firstOfClass[k] * 300]).isEqualTo(8 + k);
        }
        assertThat(b[299]).isEqualTo(31);
        assertThat(b[299 * 300]).isEqualTo(15);
    }

    // ------------------------------------------------------------------------------------------ files

    @Test
    void bothNamingsAreRead() throws IOException {
        Map<String, HostTensor> w = weights();
        Path transformers = dir.resolve("a.safetensors");
        Map<String, HostTensor> twins = new TreeMap<>(w);
        twins.put(TextEncoderKeys.EMBEDDING_TWIN, Objects.requireNonNull(w.get("shared.weight")));
        Safetensors.write(transformers, twins, Map.of());
        Map<String, HostTensor> original = new TreeMap<>();
        w.forEach((n, t) -> original.put(TextEncoderKeys.toOriginal(n), t));
        assertThat(original).containsKeys("token_embedding.weight", "blocks.1.ffn.gate.0.weight", "norm.weight");
        Path wan = dir.resolve("models_t5_umt5-xxl-enc-bf16.pth");
        TorchWriter.write(wan, original);
        for (Path file : new Path[] {transformers, wan}) {
            Checkpoint c = Checkpoint.open(file);
            assertThat(c.kind()).isEqualTo(Checkpoint.Kind.TEXT_ENCODER);
            assertThat(c.layout()).isEqualTo(file == wan ? KeyLayouts.Layout.ORIGINAL : KeyLayouts.Layout.DIFFUSERS);
            assertThat(c.textEncoderConfig()).isEqualTo(CONFIG);
            c.weights().requireExactly(TextEncoder.graph(CONFIG));
            w.forEach((n, t) ->
                    assertThat(c.weights().get(n).toFloatArray()).as(n).isEqualTo(t.toFloatArray()));
        }
        original.remove("blocks.1.norm2.weight");
        TorchWriter.write(wan, original);
        assertThatThrownBy(() -> Checkpoint.open(wan).weights().requireExactly(TextEncoder.graph(CONFIG)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("1 missing: encoder.block.1.layer.1.layer_norm.weight");
        original.put("blocks.0.attn.surprise.weight", HostTensor.ofFloats(new float[1], 1));
        TorchWriter.write(wan, original);
        assertThatThrownBy(() -> Checkpoint.open(wan))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("1 unexpected: blocks.0.attn.surprise.weight");
    }

    @Test
    void theConfigurationOfTransformersIsRead() {
        String json = """
                {"architectures": ["UMT5EncoderModel"], "d_ff": 10240, "d_kv": 64, "d_model": 4096,
                 "dense_act_fn": "gelu_new", "feed_forward_proj": "gated-gelu", "is_gated_act": true,
                 "layer_norm_epsilon": 1e-06, "model_type": "umt5", "num_heads": 64, "num_layers": 24,
                 "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32,
                 "torch_dtype": "bfloat16", "vocab_size": 256384}
                """;
        TextEncoderConfig c = TextEncoderConfig.read("config.json", json.getBytes(StandardCharsets.UTF_8));
        assertThat(c).isEqualTo(TextEncoderConfig.umt5Xxl());
        assertThat(FlopCounter.parameters(TextEncoder.graph(c))).isEqualTo(5_680_910_336L);
        assertThatThrownBy(() -> TextEncoderConfig.read(
                        "config.json", json.replace("umt5", "t5").getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("model_type is 't5'");
        assertThatThrownBy(() -> TextEncoderConfig.read(
                        "config.json", json.replace("24", "0").getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("layers is 0");
        assertThatThrownBy(() -> TextEncoderConfig.read("config.json", "[1".getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is not JSON");
    }

    // ------------------------------------------------------------------------------------------ oracle

    /** One loop per index, in doubles, with nothing in common with the graph but the names of the weights. */
    private static final class Oracle {

        private final Map<String, HostTensor> weights;

        Oracle(Map<String, HostTensor> weights) {
            this.weights = weights;
        }

        private float[] weight(String name) {
            return Objects.requireNonNull(weights.get(name), name).toFloatArray();
        }

        double[][] encode(long[] ids) {
            int d = CONFIG.width();
            float[] table = weight("shared.weight");
            double[][] x = new double[ids.length][d];
            for (int i = 0; i < ids.length; i++) {
                for (int c = 0; c < d; c++) {
                    x[i][c] = table[(int) ids[i] * d + c];
                }
            }
            for (int l = 0; l < CONFIG.layers(); l++) {
                String n = "encoder.block." + l + ".layer.";
                add(x, attend(normed(x, n + "0.layer_norm.weight"), n + "0.SelfAttention."));
                double[][] y = normed(x, n + "1.layer_norm.weight");
                double[][] gate = times(y, n + "1.DenseReluDense.wi_0.weight", CONFIG.innerWidth());
                double[][] value = times(y, n + "1.DenseReluDense.wi_1.weight", CONFIG.innerWidth());
                for (int i = 0; i < gate.length; i++) {
                    for (int c = 0; c < gate[i].length; c++) {
                        double v = gate[i][c];
                        value[i][c] *= v / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v)));
                    }
                }
                add(x, times(value, n + "1.DenseReluDense.wo.weight", d));
            }
            return normed(x, "encoder.final_layer_norm.weight");
        }

        private double[][] attend(double[][] y, String n) {
            int inner = CONFIG.heads() * CONFIG.headWidth();
            double[][] q = times(y, n + "q.weight", inner);
            double[][] k = times(y, n + "k.weight", inner);
            double[][] v = times(y, n + "v.weight", inner);
            float[] bias = weight(n + "relative_attention_bias.weight");
            double[][] out = new double[y.length][inner];
            for (int h = 0; h < CONFIG.heads(); h++) {
                for (int i = 0; i < y.length; i++) {
                    double[] p = new double[y.length];
                    double sum = 0;
                    for (int j = 0; j < y.length; j++) {
                        double s = bias[bucket(j - i) * CONFIG.heads() + h];
                        for (int c = 0; c < CONFIG.headWidth(); c++) {
                            s += q[i][h * CONFIG.headWidth() + c] * k[j][h * CONFIG.headWidth() + c];
                        }
                        p[j] = Math.exp(s);
                        sum += p[j];
                    }
                    for (int j = 0; j < y.length; j++) {
                        for (int c = 0; c < CONFIG.headWidth(); c++) {
                            out[i][h * CONFIG.headWidth() + c] += p[j] / sum * v[j][h * CONFIG.headWidth() + c];
                        }
                    }
                }
            }
            return times(out, n + "o.weight", CONFIG.width());
        }

        /** 16 classes per direction: 8 of one place, then floor(8 + 8·log₁₆(distance/8)), the last open-ended. */
        private static int bucket(int relative) {
            int n = Math.abs(relative);
            int c = 0;
            if (n < 8) {
                c = n;
            } else {
                for (int edge = 8; edge < 16 && n >= 8 * Math.pow(2, (edge - 8) / 2.0) - 1e-9; edge++) {
                    c = edge;
                }
            }
            return relative > 0 ? 16 + c : c;
        }

        private double[][] normed(double[][] x, String name) {
            float[] scale = weight(name);
            double[][] out = new double[x.length][scale.length];
            for (int i = 0; i < x.length; i++) {
                double mean = Arrays.stream(x[i]).map(v -> v * v).sum() / scale.length;
                for (int c = 0; c < scale.length; c++) {
                    out[i][c] = x[i][c] / Math.sqrt(mean + 1e-6) * scale[c];
                }
            }
            return out;
        }

        private double[][] times(double[][] x, String name, int width) {
            float[] w = weight(name);
            int in = x[0].length;
            double[][] out = new double[x.length][width];
            for (int i = 0; i < x.length; i++) {
                for (int o = 0; o < width; o++) {
                    for (int c = 0; c < in; c++) {
                        out[i][o] += x[i][c] * w[o * in + c];
                    }
                }
            }
            return out;
        }

        private static void add(double[][] x, double[][] y) {
            for (int i = 0; i < x.length; i++) {
                for (int c = 0; c < x[i].length; c++) {
                    x[i][c] += y[i][c];
                }
            }
        }
    }
}
