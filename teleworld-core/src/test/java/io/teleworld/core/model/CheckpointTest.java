package io.teleworld.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WanAutoencoder;
import io.teleworld.core.network.WanAutoencoderConfig;
import io.teleworld.core.network.WanAutoencoderKeys;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.TensorFile;
import io.teleworld.core.weights.TorchFile;
import io.teleworld.core.weights.TorchWriter;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Small random files in the layout of each published checkpoint. */
final class CheckpointTest {

    private static final VideoTransformerConfig TEXT = config(16, null);
    private static final VideoTransformerConfig IMAGE = config(36, 20);

    @TempDir
    Path dir = Path.of("");

    private static VideoTransformerConfig config(int in, @Nullable Integer imageDim) {
        return new VideoTransformerConfig(
                List.of(1, 2, 2),
                2,
                12,
                in,
                16,
                10,
                8,
                32,
                2,
                true,
                "rms_norm_across_heads",
                1e-6,
                imageDim,
                imageDim == null ? null : 24,
                1024,
                null,
                512,
                0);
    }

    /** Random weights under Diffusers names. */
    private static Map<String, HostTensor> random(Graph graph, long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        Map<String, HostTensor> out = new TreeMap<>();
        graph.parameters().forEach((n, v) -> {
            float[] values = new float[(int) v.shape().elementCount().known()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) r.nextGaussian();
            }
            out.put(n, HostTensor.ofFloats(values, v.shape().known()));
        });
        return out;
    }

    private static Graph graph(VideoTransformerConfig c) {
        return VideoTransformer.plainGraph(c, 4, 4, TimestepPer.SAMPLE);
    }

    private static Map<String, HostTensor> named(Map<String, HostTensor> weights, UnaryOperator<String> name) {
        Map<String, HostTensor> out = new LinkedHashMap<>();
        weights.forEach((n, t) -> out.put(name.apply(n), t));
        return out;
    }

    private static Map<String, HostTensor> original(Map<String, HostTensor> weights, String prefix) {
        return named(weights, n -> prefix + KeyLayouts.toOriginal(n));
    }

    private static void assertHolds(Checkpoint c, VideoTransformerConfig config, Map<String, HostTensor> expected) {
        assertThat(c.kind()).isEqualTo(Checkpoint.Kind.VIDEO_TRANSFORMER);
        assertThat(c.transformerConfig(12)).isEqualTo(config);
        c.weights().requireExactly(graph(config));
        expected.forEach(
                (n, t) -> assertThat(c.weights().get(n).toFloatArray()).as(n).isEqualTo(t.toFloatArray()));
    }

    // ------------------------------------------------------------------------------------------ Wan 2.1

    @Test
    void wanTextToVideoInBothLayouts() throws IOException {
        Map<String, HostTensor> w = random(graph(TEXT), 1);
        Path diffusers = dir.resolve("d.safetensors");
        Safetensors.write(diffusers, w, Map.of("format", "pt"));
        Path original = dir.resolve("o.safetensors");
        Safetensors.write(original, original(w, ""), Map.of());
        assertHolds(Checkpoint.open(diffusers), TEXT, w);
        assertThat(Checkpoint.open(diffusers).layout()).isEqualTo(KeyLayouts.Layout.DIFFUSERS);
        assertHolds(Checkpoint.open(original), TEXT, w);
        assertThat(Checkpoint.open(original).layout()).isEqualTo(KeyLayouts.Layout.ORIGINAL);
    }

    @Test
    void wanImageToVideoInBothLayoutsAndShards() throws IOException {
        Map<String, HostTensor> w = random(graph(IMAGE), 2);
        Map<String, HostTensor> first = new TreeMap<>();
        Map<String, HostTensor> second = new TreeMap<>();
        original(w, "").forEach((n, t) -> (n.contains("blocks.1") ? second : first).put(n, t));
        Path a = dir.resolve("diffusion_pytorch_model-00001-of-00002.safetensors");
        Path b = dir.resolve("diffusion_pytorch_model-00002-of-00002.safetensors");
        Safetensors.write(a, first, Map.of());
        Safetensors.write(b, second, Map.of());
        assertHolds(Checkpoint.open(a, b), IMAGE, w);
        assertThatThrownBy(() -> Checkpoint.open(a).weights().requireExactly(graph(IMAGE)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("missing: blocks.1.");
    }

    @Test
    void publishedSizesAreCountedAndRecognised() {
        assertSize(VideoTransformerConfig.wan13b(), 825, 1_418_996_800L);
        assertSize(VideoTransformerConfig.wan14b(), 1095, 14_288_491_584L);
        assertSize(VideoTransformerConfig.wanImageToVideo14b(), 1303, 16_394_878_784L);
    }

    private static void assertSize(VideoTransformerConfig config, int tensors, long parameters) {
        Graph g = VideoTransformer.plainGraph(config, 60, 104, TimestepPer.SAMPLE);
        Map<String, long[]> shapes = new TreeMap<>();
        g.parameters()
                .forEach((n, v) -> shapes.put(
                        "model." + KeyLayouts.toOriginal(n), v.shape().known()));
        Checkpoint c = Checkpoint.of(WeightFiles.of("shapes", List.of(new ShapesOnly(shapes))), null);
        assertThat(c.weights().names()).hasSize(tensors);
        assertThat(c.parameters()).isEqualTo(parameters);
        assertThat(c.transformerConfig(128)).isEqualTo(config);
        assertThat(c.weights().compare(g).summary()).isEqualTo("all weights match, " + parameters + " parameters");
    }

    /** A file too large to write: it knows its shapes only. */
    private record ShapesOnly(Map<String, long[]> shapes) implements TensorFile {
        @Override
        public String description() {
            return "shapes";
        }

        @Override
        public Set<String> names() {
            return shapes.keySet();
        }

        @Override
        public DType dtype(String name) {
            return DType.BF16;
        }

        @Override
        public long[] shape(String name) {
            return shapes.getOrDefault(name, new long[0]).clone();
        }

        @Override
        public HostTensor tensor(String name) {
            throw new UnsupportedOperationException(name);
        }
    }

    // ------------------------------------------------------------------------------------------ distilled generators

    @Test
    void selfForcing() throws IOException {
        Map<String, HostTensor> generator = random(graph(TEXT), 3);
        Map<String, HostTensor> average = random(graph(TEXT), 4);
        Path file = dir.resolve("self_forcing_dmd.pt");
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("generator", original(generator, "model."));
        content.put("critic", original(random(graph(TEXT), 5), "model."));
        content.put("generator_ema", original(average, "model._fsdp_wrapped_module."));
        content.put("step", 600);
        TorchWriter.write(file, content);
        Checkpoint c = Checkpoint.open(file);
        assertHolds(c, TEXT, average);
        assertThat(c.part()).isEqualTo("generator_ema");
        assertThat(c.otherParts()).contains("critic.model.head.head.bias", "generator.model.head.head.bias");
        WeightFiles stored = WeightFiles.of("f", List.of(TorchFile.open(file)));
        assertHolds(Checkpoint.of(stored, "generator"), TEXT, generator);
        assertThatThrownBy(() -> Checkpoint.of(stored, "teacher"))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("no part 'teacher'; there are [critic, generator, generator_ema]");
    }

    @Test
    void causVid() throws IOException {
        Map<String, HostTensor> w = random(graph(TEXT), 6);
        Path file = dir.resolve("model.pt");
        Map<String, HostTensor> wrapped = named(
                w,
                n -> "model._fsdp_wrapped_module."
                        + KeyLayouts.toOriginal(n)
                                .replaceAll(
                                        "^(blocks\\.\\d+\\.)", "$1_fsdp_wrapped_module._checkpoint_wrapped_module."));
        TorchWriter.write(file, Map.of("generator", wrapped));
        Checkpoint c = Checkpoint.open(file);
        assertHolds(c, TEXT, w);
        assertThat(c.part()).isEqualTo("generator");
        assertThat(c.otherParts()).isEmpty();
    }

    @Test
    void longLive() throws IOException {
        Map<String, HostTensor> w = random(graph(TEXT), 7);
        Path base = dir.resolve("longlive_base.pt");
        TorchWriter.write(base, Map.of("generator", original(w, "model.")));
        Map<String, HostTensor> lora = new LinkedHashMap<>();
        SplittableRandom r = new SplittableRandom(8);
        for (int block = 0; block < 2; block++) {
            for (String module : List.of("self_attn.q", "self_attn.o", "cross_attn.v", "ffn.0", "ffn.2")) {
                String name = "base_model.model.blocks." + block + "." + module;
                HostTensor target = w.get(KeyLayouts.toDiffusers("blocks." + block + "." + module + ".weight"));
                assertThat(target).as(name).isNotNull();
                lora.put(name + ".lora_A.weight", gaussian(r, 3, target.shape()[1]));
                lora.put(name + ".lora_B.weight", gaussian(r, target.shape()[0], 3));
            }
        }
        Path change = dir.resolve("lora.pt");
        TorchWriter.write(
                change, Map.of("generator_lora", lora, "critic_lora", Map.of("x", gaussian(r, 1)), "step", 7));
        Checkpoint merged = Checkpoint.open(base).with(Checkpoint.lora(change));
        merged.weights().requireExactly(graph(TEXT));
        assertThat(Checkpoint.lora(change).names()).hasSize(10).contains("blocks.1.ffn.net.0.proj.weight");
        assertThat(merged.weights().get("blocks.0.attn1.to_k.weight").toFloatArray())
                .isEqualTo(floats(w, "blocks.0.attn1.to_k.weight"));
        float[] before = floats(w, "blocks.1.ffn.net.2.weight");
        float[] a = floats(lora, "base_model.model.blocks.1.ffn.2.lora_A.weight");
        float[] b = floats(lora, "base_model.model.blocks.1.ffn.2.lora_B.weight");
        float[] sum = merged.weights().get("blocks.1.ffn.net.2.weight").toFloatArray();
        for (int i = 0; i < 24; i++) {
            for (int j = 0; j < 32; j++) {
                double expected = before[i * 32 + j];
                for (int k = 0; k < 3; k++) {
                    expected += (double) b[i * 3 + k] * a[k * 32 + j];
                }
                assertThat((double) sum[i * 32 + j]).isCloseTo(expected, within(1e-5));
            }
        }
    }

    @Test
    void mmpl() throws IOException {
        Map<String, HostTensor> w = random(graph(IMAGE), 9);
        Path file = dir.resolve("i2v_14B_6k.pt");
        TorchWriter.write(file, Map.of("generator", original(w, "model.")));
        assertHolds(Checkpoint.open(file), IMAGE, w);
    }

    // ------------------------------------------------------------------------------------------ others

    @Test
    void matrixGame() throws IOException {
        Map<String, HostTensor> base = new TreeMap<>(random(graph(IMAGE), 10));
        // Its blocks attend to the picture alone, through the ordinary keys and values.
        base.keySet().removeIf(n -> n.contains("text_embedder") || n.contains("add") && n.contains("attn2"));
        Map<String, HostTensor> file = original(base, "model.");
        SplittableRandom r = new SplittableRandom(11);
        for (String name : List.of(
                "keyboard_embed.0.weight",
                "keyboard_embed.2.bias",
                "mouse_mlp.0.weight",
                "mouse_mlp.3.weight",
                "t_qkv.weight",
                "img_attn_q_norm.weight",
                "key_attn_k_norm.weight",
                "mouse_attn_q.weight",
                "keyboard_attn_kv.weight",
                "proj_mouse.weight",
                "proj_keyboard.weight")) {
            file.put("model.blocks.0.action_model." + name, gaussian(r, 4, 3));
        }
        Path path = dir.resolve("base_distill.safetensors");
        Safetensors.write(path, file, Map.of());
        Checkpoint c = Checkpoint.open(path);
        assertThat(c.layout()).isEqualTo(KeyLayouts.Layout.ORIGINAL);
        assertThat(c.weights().names()).isEqualTo(base.keySet());
        assertThat(c.added().names()).hasSize(11).contains("blocks.0.action_model.proj_mouse.weight");
        assertThat(c.weights().get("blocks.1.norm2.weight").toFloatArray())
                .isEqualTo(floats(base, "blocks.1.norm2.weight"));
        assertThatThrownBy(() -> c.transformerConfig(12))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("missing: condition_embedder.text_embedder.linear_1.weight");
    }

    @Test
    void tinyAutoencoder() throws IOException {
        VideoAutoencoderConfig small = new VideoAutoencoderConfig(
                3,
                16,
                1,
                4,
                List.of(new Stage(4, 3, 2, 2), new Stage(4, 3, 2, 2), new Stage(4, 3, 2, 1)),
                List.of(new Stage(8, 3, 2, 1), new Stage(6, 3, 2, 2), new Stage(5, 3, 2, 2)),
                4,
                true,
                Grouping.TAEHV,
                List.of(),
                List.of());
        Graph encoder = VideoAutoencoder.encoderGraph(small, 32, 32);
        Graph decoder = VideoAutoencoder.decoderGraph(small, 4, 4);
        Map<String, HostTensor> w = new TreeMap<>(random(encoder, 12));
        w.putAll(random(decoder, 13));
        Path file = dir.resolve("taew2_1.pth");
        TorchWriter.write(file, w);
        Checkpoint c = Checkpoint.open(file);
        assertThat(c.kind()).isEqualTo(Checkpoint.Kind.TAEHV);
        c.weights().requireExactly(encoder, decoder);
        w.forEach((n, t) -> assertThat(c.weights().get(n).toFloatArray()).as(n).isEqualTo(t.toFloatArray()));
        assertThatThrownBy(c::layout).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void tinyAutoencoderThatGrowsTimeByMore() {
        VideoAutoencoderConfig config = VideoAutoencoderConfig.taehv();
        Graph encoder = VideoAutoencoder.encoderGraph(config, 32, 32);
        Graph decoder = VideoAutoencoder.decoderGraph(config, 4, 4);
        Map<String, long[]> shapes = new TreeMap<>();
        encoder.parameters().forEach((n, v) -> shapes.put(n, v.shape().known()));
        decoder.parameters().forEach((n, v) -> shapes.put(n, v.shape().known()));
        assertThat(shapes.get("decoder.7.conv.weight")).containsExactly(256, 256, 1, 1);
        shapes.put("decoder.7.conv.weight", new long[] {512, 256, 1, 1});
        Checkpoint c = Checkpoint.of(WeightFiles.of("shapes", List.of(new ShapesOnly(shapes))), null);
        c.weights().requireExactly(encoder, decoder);
        assertThat(c.parameters()).isEqualTo(11_315_539);
        HostTensor rows = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 3, 2);
        WeightFiles cut = WeightFiles.of("w", List.of(TorchFile.of("w", TorchWriter.bytes(Map.of("a", rows)))))
                .withLastRows("a", 2);
        assertThat(cut.get("a").toFloatArray()).containsExactly(3, 4, 5, 6);
        assertThat(cut.shape("a")).containsExactly(2, 2);
    }

    @Test
    void cameraConditionedTransformer() {
        Map<String, long[]> shapes = new TreeMap<>();
        graph(TEXT)
                .parameters()
                .forEach(
                        (n, v) -> shapes.put(KeyLayouts.toOriginal(n), v.shape().known()));
        for (int i = 0; i < 2; i++) {
            shapes.put("blocks." + i + ".cam_encoder.weight", new long[] {24, 12});
            shapes.put("blocks." + i + ".cam_encoder.bias", new long[] {24});
            shapes.put("blocks." + i + ".projector.weight", new long[] {24, 24});
            shapes.put("blocks." + i + ".projector.bias", new long[] {24});
        }
        Checkpoint c = Checkpoint.of(WeightFiles.of("shapes", List.of(new ShapesOnly(shapes))), null);
        VideoTransformerConfig config = c.transformerConfig(12);
        assertThat(config.camEncoderIn()).isEqualTo(12);
        assertThat(config.projector()).isTrue();
        c.weights().requireExactly(graph(config));
    }

    @Test
    void wanAutoencoderInBothLayouts() {
        WanAutoencoderConfig config = WanAutoencoderConfig.wan21();
        WanAutoencoderKeys keys = new WanAutoencoderKeys(config);
        Graph encoder = WanAutoencoder.encoderGraph(config, 64, 64, false);
        Graph decoder = WanAutoencoder.decoderGraph(config, 8, 8, false);
        Map<String, long[]> diffusers = new TreeMap<>();
        encoder.parameters().forEach((n, v) -> diffusers.put(n, v.shape().known()));
        decoder.parameters().forEach((n, v) -> diffusers.put(n, v.shape().known()));
        Map<String, long[]> original = new TreeMap<>();
        diffusers.forEach((n, shape) -> original.put(keys.toOriginal(n), shape));
        for (Map<String, long[]> shapes : List.of(diffusers, original)) {
            Checkpoint c = Checkpoint.of(WeightFiles.of("shapes", List.of(new ShapesOnly(shapes))), null);
            assertThat(c.kind()).isEqualTo(Checkpoint.Kind.WAN_AUTOENCODER);
            assertThat(c.layout() == KeyLayouts.Layout.ORIGINAL).isEqualTo(shapes == original);
            c.weights().requireExactly(encoder, decoder);
            assertThat(c.parameters()).isEqualTo(126_892_531);
        }
    }

    @Test
    void whatIsUnknownIsReported() throws IOException {
        Map<String, HostTensor> w = original(random(graph(TEXT), 14), "");
        w.put("blocks.0.self_attn.z.weight", gaussian(new SplittableRandom(1), 2));
        Path file = dir.resolve("x.safetensors");
        Safetensors.write(file, w, Map.of());
        assertThatThrownBy(() -> Checkpoint.open(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("1 unexpected: blocks.0.self_attn.z.weight");
        Path other = dir.resolve("y.safetensors");
        Safetensors.write(other, Map.of("conv.weight", gaussian(new SplittableRandom(1), 2)), Map.of());
        assertThatThrownBy(() -> Checkpoint.open(other))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is no known checkpoint");
        Path text = Files.writeString(dir.resolve("z.txt"), "hello");
        assertThatThrownBy(() -> Checkpoint.open(text))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is no weight file");
        Path two = dir.resolve("two.pt");
        TorchWriter.write(
                two, Map.of("a", original(random(graph(TEXT), 1), ""), "b", original(random(graph(TEXT), 2), "")));
        assertThatThrownBy(() -> Checkpoint.open(two))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("holds the networks [a, b]");
    }

    private static HostTensor gaussian(SplittableRandom r, long... shape) {
        float[] v = new float[(int) HostTensor.elementCount(shape)];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) r.nextGaussian();
        }
        return HostTensor.ofFloats(v, shape);
    }

    private static float[] floats(Map<String, HostTensor> weights, String name) {
        HostTensor t = weights.get(name);
        assertThat(t).as(name).isNotNull();
        return t.toFloatArray();
    }
}
