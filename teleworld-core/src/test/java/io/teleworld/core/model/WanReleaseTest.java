package io.teleworld.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.ModelSource;
import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.KeyLayouts.Layout;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.weights.Conversions;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.TorchWriter;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Releases in both layouts, prompts and memory. */
final class WanReleaseTest {

    private static final String DIFFUSERS = """
            {"_class_name": "WanTransformer3DModel", "_diffusers_version": "0.33.0", "added_kv_proj_dim": null,
             "attention_head_dim": 12, "cross_attn_norm": true, "eps": 1e-06, "ffn_dim": 32, "freq_dim": 8,
             "image_dim": null, "in_channels": 16, "num_attention_heads": 2, "num_layers": 1, "out_channels": 16,
             "patch_size": [1, 2, 2], "pos_embed_seq_len": null, "qk_norm": "rms_norm_across_heads",
             "rope_max_seq_len": 1024, "text_dim": 10}
            """;
    private static final String ORIGINAL = """
            {"_class_name": "WanModel", "_diffusers_version": "0.30.0", "dim": 24, "eps": 1e-06, "ffn_dim": 32,
             "freq_dim": 8, "in_dim": 16, "model_type": "t2v", "num_heads": 2, "num_layers": 1, "out_dim": 16,
             "text_dim": 10, "text_len": 512}
            """;

    @TempDir
    Path dir = Path.of("");

    private static Map<String, HostTensor> weights(VideoTransformerConfig config, long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        Map<String, HostTensor> out = new TreeMap<>();
        VideoTransformer.plainGraph(config, 2, 2, TimestepPer.SAMPLE)
                .parameters()
                .forEach((n, v) -> {
                    float[] values = new float[(int) v.shape().elementCount().known()];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = (float) r.nextGaussian();
                    }
                    out.put(n, HostTensor.ofFloats(values, v.shape().known()));
                });
        return out;
    }

    private static VideoTransformerConfig config() {
        return new VideoTransformerConfig(
                List.of(1, 2, 2),
                2,
                12,
                16,
                16,
                10,
                8,
                32,
                1,
                true,
                "rms_norm_across_heads",
                1e-6,
                null,
                null,
                1024,
                null,
                512,
                0);
    }

    @Test
    void bothLayoutsOpenAndTakeACheckpoint() throws IOException {
        Map<String, HostTensor> w = weights(config(), 1);
        Path a = Files.createDirectories(dir.resolve("a/transformer"));
        Files.writeString(a.resolve("config.json"), DIFFUSERS);
        Map<String, HostTensor> first = new TreeMap<>();
        Map<String, HostTensor> second = new TreeMap<>();
        StringBuilder map = new StringBuilder();
        w.forEach((n, t) -> {
            boolean one = n.startsWith("blocks");
            (one ? first : second).put(n, t);
            map.append(map.isEmpty() ? "" : ",")
                    .append("\"" + n + "\":\"m-0000" + (one ? 1 : 2) + "-of-00002.safetensors\"");
        });
        Safetensors.write(a.resolve("m-00001-of-00002.safetensors"), first, Map.of());
        Safetensors.write(a.resolve("m-00002-of-00002.safetensors"), second, Map.of());
        Files.writeString(
                a.resolve("diffusion_pytorch_model.safetensors.index.json"),
                "{\"metadata\":{},\"weight_map\":{" + map + "}}");
        Path b = Files.createDirectories(dir.resolve("b"));
        Files.writeString(b.resolve("config.json"), ORIGINAL);
        Map<String, HostTensor> original = new TreeMap<>();
        w.forEach((n, t) -> original.put(KeyLayouts.toOriginal(n), t));
        Safetensors.write(b.resolve("diffusion_pytorch_model.safetensors"), original, Map.of());

        WanRelease x = WanRelease.open(ModelSource.directory(dir.resolve("a")));
        WanRelease y = WanRelease.open(ModelSource.directory(b));
        assertThat(x.layout()).isEqualTo(Layout.DIFFUSERS);
        assertThat(y.layout()).isEqualTo(Layout.ORIGINAL);
        assertThat(x.config()).isEqualTo(config()).isEqualTo(y.config());
        w.forEach((n, t) -> {
            assertThat(x.transformer().weights().get(n).toFloatArray()).as(n).isEqualTo(t.toFloatArray());
            assertThat(y.transformer().weights().get(n).toFloatArray()).as(n).isEqualTo(t.toFloatArray());
        });

        Map<String, HostTensor> other = weights(config(), 2);
        Path pt = dir.resolve("self_forcing_dmd.pt");
        Map<String, HostTensor> named = new TreeMap<>();
        other.forEach((n, t) -> named.put("model." + KeyLayouts.toOriginal(n), t));
        TorchWriter.write(pt, Map.of("generator_ema", named));
        assertThat(x.with(Checkpoint.open(pt))
                        .transformer()
                        .weights()
                        .get("proj_out.weight")
                        .toFloatArray())
                .isNotEqualTo(x.transformer().weights().get("proj_out.weight").toFloatArray());
        assertThatThrownBy(x::autoencoder)
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("vae: holds no weights");
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(dir)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is no release of Wan");
        Files.writeString(b.resolve("config.json"), ORIGINAL.replace("\"num_layers\": 1", "\"num_layers\": 2"));
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(b)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("missing: blocks.1.");
        Files.writeString(b.resolve("config.json"), ORIGINAL.replace("\"dim\": 24", "\"dim\": -1"));
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(b)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("key 'dim' is -1");
        Path index = a.resolve("diffusion_pytorch_model.safetensors.index.json");
        Files.writeString(index, "{\"weight_map\":{\"x\":\"../../etc/passwd\"}}");
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(dir.resolve("a"))))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("which is no weight file");
        for (String shard :
                List.of("../x.safetensors", "/x.safetensors", "a\\\\..\\\\x.safetensors", "x/../../y.safetensors")) {
            Files.writeString(index, "{\"weight_map\":{\"x\":\"" + shard + "\"}}");
            assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(dir.resolve("a"))))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("which is no weight file");
        }
        Files.writeString(index, "{\"weight_map\":{\"x\":\"m-00003-of-00002.safetensors\"}}");
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(dir.resolve("a"))))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContainingAll("m-00003-of-00002.safetensors", "cannot be read");
        Files.writeString(
                b.resolve("config.json"), ORIGINAL.replace("\"num_layers\": 1", "\"num_layers\": 1, \"dim\": 9"));
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(b)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContainingAll("config.json", "offset ", "uplicate");
        Files.writeString(index, "{\"weight_map\":{\"x\":\"a.safetensors\"},\"weight_map\":{}}");
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(dir.resolve("a"))))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is not JSON");
        Files.writeString(index, "[".repeat(100_000));
        assertThatThrownBy(() -> WanRelease.open(ModelSource.directory(dir.resolve("a"))))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is not JSON");
    }

    // ------------------------------------------------------------------------------------------ prompts

    @Test
    void aPromptIsReadAndPadded() throws IOException {
        HostTensor rows = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        Path plain = dir.resolve("p.safetensors");
        Safetensors.write(plain, Map.of("prompt", rows), Map.of());
        Path half = dir.resolve("p.pt");
        TorchWriter.write(
                half, Conversions.convert(HostTensor.wrap(DType.F32, rows.hostBuffer(), 1, 2, 3), DType.BF16));
        for (Path file : new Path[] {plain, half}) {
            PromptEmbeddings p = PromptEmbeddings.read(file);
            assertThat(p.tokens()).isEqualTo(2);
            assertThat(p.width()).isEqualTo(3);
            HostTensor text = p.text(4, 3);
            assertThat(text.shape()).containsExactly(1, 4, 3);
            assertThat(text.toFloatArray()).containsExactly(1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0);
            assertThatThrownBy(() -> p.text(1, 3)).isInstanceOf(ModelFormatException.class);
            assertThatThrownBy(() -> p.text(4, 4096))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("width 4096");
        }
    }

    @Test
    void whatIsNoPromptIsRefused() throws IOException {
        Path file = dir.resolve("p.safetensors");
        for (Map<String, HostTensor> bad : List.<Map<String, HostTensor>>of(
                Map.of("a", HostTensor.ofFloats(new float[2], 1, 2), "b", HostTensor.ofFloats(new float[2], 1, 2)),
                Map.of("a", HostTensor.ofFloats(new float[2], 2)),
                Map.of("a", HostTensor.ofFloats(new float[0], 0, 2)),
                Map.of("a", HostTensor.ofLongs(new long[2], 1, 2)),
                Map.of("a", HostTensor.ofFloats(new float[] {1, Float.NaN}, 1, 2)))) {
            Safetensors.write(file, bad, Map.of());
            assertThatThrownBy(() -> PromptEmbeddings.read(file)).isInstanceOf(ModelFormatException.class);
        }
    }

    // ------------------------------------------------------------------------------------------ memory

    @Test
    void memoryIsCountedBeforeAnythingIsLoaded() {
        VideoTransformerConfig big = VideoTransformerConfig.wan13b();
        Graph g = VideoTransformer.cachedGraph(big, 60, 104, 21);
        MemoryEstimate m = MemoryEstimate.of(g, Precision.FP32, Map.of("frames", 3L));
        assertThat(m.weightBytes()).isEqualTo(4 * 1_418_996_800L);
        // 21 frames of 1560 tokens, keys and values, 30 layers of 1536 in fp32.
        assertThat(m.stateBytes()).isEqualTo(21L * 1560 * 2 * 30 * 1536 * 4);
        // At least the scores of one attention: 12 heads, 3 frames asking, 24 answering.
        assertThat(m.activationBytes())
                .isGreaterThan(12L * 3 * 1560 * 24 * 1560 * 4)
                .isLessThan(20L << 30);
        // Keys and values that a run offers to the cache are there until it ends.
        Graph block = VideoTransformer.cachedGraph(big, 60, 104, 3);
        Graph shallow = VideoTransformer.cachedGraph(big.withLayers(10), 60, 104, 3);
        MemoryEstimate deep = MemoryEstimate.of(block, Precision.FP32, Map.of("frames", 3L));
        MemoryEstimate flat = MemoryEstimate.of(shallow, Precision.FP32, Map.of("frames", 3L));
        assertThat(deep.activationBytes() - flat.activationBytes()).isEqualTo(20L * 2 * 3 * 1560 * 1536 * 4);
        MemoryEstimate half = MemoryEstimate.of(g, Precision.BF16, Map.of("frames", 3L));
        assertThat(half.weightBytes()).isBetween(2 * 1_418_996_800L, 2 * 1_430_000_000L);
        assertThat(MemoryEstimate.of(g, Precision.INT8_LINEAR, Map.of("frames", 3L))
                        .weightBytes())
                .isBetween(1_418_996_800L, 1_500_000_000L);
        assertThat(m.and(half).totalBytes())
                .isEqualTo(m.weightBytes() + half.weightBytes() + 2 * m.stateBytes() + m.activationBytes());
        m.require("fits", m.totalBytes());
        assertThatThrownBy(() -> m.require("Wan 1.3B", 4L << 30))
                .isInstanceOfSatisfying(
                        TeleWorldException.class, e -> assertThat(e.category()).isEqualTo(Category.RESOURCE))
                .hasMessageMatching("Wan 1.3B needs about [0-9.]+ GiB of memory \\(weights 5.29 GiB, caches 11.25 GiB,"
                        + " one run [0-9.]+ GiB\\), but 4.00 GiB are available");
        assertThat(MemoryEstimate.availableBytes()).isBetween(1L << 20, 1L << 50);
    }
}
