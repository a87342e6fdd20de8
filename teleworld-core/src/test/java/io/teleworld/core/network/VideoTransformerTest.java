package io.teleworld.core.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Shape;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class VideoTransformerTest {

    private static final VideoTransformerConfig NANO = VideoTransformerConfig.nano();

    @Test
    void publicModelsHaveTheirNumberOfWeights() {
        assertSize(VideoTransformerConfig.wan13b(), 825, 1_418_996_800L);
        assertSize(VideoTransformerConfig.wan14b(), 1095, 14_288_491_584L);
        assertSize(VideoTransformerConfig.wanImageToVideo14b(), 1303, 16_394_878_784L);
    }

    private static void assertSize(VideoTransformerConfig config, int tensors, long weights) {
        Graph g = VideoTransformer.plainGraph(config, 60, 104, TimestepPer.SAMPLE);
        assertThat(g.parameters()).hasSize(tensors);
        assertThat(FlopCounter.parameters(g)).isEqualTo(weights);
    }

    @Test
    void allFormsShareTheirWeights() {
        Set<String> names =
                VideoTransformer.maskedGraph(NANO, 12, 22).parameters().keySet();
        assertThat(VideoTransformer.cachedGraph(NANO, 12, 22, 20).parameters().keySet())
                .isEqualTo(names);
        assertThat(VideoTransformer.plainGraph(NANO, 12, 22, TimestepPer.TOKEN)
                        .parameters()
                        .keySet())
                .isEqualTo(names);
    }

    @Test
    void generationKeepsKeysAndValuesPerLayerAndFrame() {
        Graph g = VideoTransformer.cachedGraph(NANO, 12, 22, 20);
        assertThat(g.states()).hasSize(16).containsKeys("blocks.0.key", "blocks.7.value");
        assertThat(g.cacheGroups()).containsExactly(VideoTransformer.CACHE_GROUP);
        assertThat(g.inputs().get("latents").shape().evaluate(Map.of("frames", 3L)))
                .containsExactly(1, 34, 3, 12, 22);
        assertThat(g.outputs().get("velocity").shape().evaluate(Map.of("frames", 3L)))
                .containsExactly(1, 32, 3, 12, 22);
        assertThat(FlopCounter.count(g, Map.of("frames", 3L, "visible_self_attention", 4L)))
                .isBetween(2_000_000_000L, 10_000_000_000L);
    }

    @Test
    void everyWeightIsInitialised() {
        Map<String, float[]> w = VideoTransformer.initialise(NANO, 1);
        assertThat(w.keySet())
                .isEqualTo(
                        VideoTransformer.maskedGraph(NANO, 12, 22).parameters().keySet());
        assertThat(w.get("proj_out.weight")).containsOnly(0f);
        assertThat(w.get("blocks.3.norm2.weight")).containsOnly(1f);
        assertThat(w.get("blocks.3.attn1.norm_q.weight")).containsOnly(1f);
        assertThat(deviation(w.get("blocks.2.scale_shift_table"))).isBetween(0.055, 0.07);
        assertThat(deviation(w.get("blocks.2.attn1.to_q.weight"))).isBetween(0.06, 0.065);
    }

    private static double deviation(float[] v) {
        double s = 0;
        for (float x : v) {
            s += (double) x * x;
        }
        return Math.sqrt(s / v.length);
    }

    @Test
    void namesTranslateBothWays() {
        for (VideoTransformerConfig c :
                new VideoTransformerConfig[] {NANO, VideoTransformerConfig.wanImageToVideo14b()}) {
            Graph g = VideoTransformer.plainGraph(c, 2, 2, TimestepPer.SAMPLE);
            for (String name : g.parameters().keySet()) {
                assertThat(KeyLayouts.toDiffusers(KeyLayouts.toOriginal(name))).isEqualTo(name);
            }
        }
        assertThat(KeyLayouts.toOriginal("blocks.7.norm2.bias")).isEqualTo("blocks.7.norm3.bias");
        assertThat(KeyLayouts.toDiffusers("head.modulation")).isEqualTo("scale_shift_table");
        assertThat(KeyLayouts.strip("generator_ema.model._fsdp_wrapped_module.blocks.0.ffn.0.weight"))
                .isEqualTo("blocks.0.ffn.0.weight");
        assertThat(KeyLayouts.detect(Set.of("model.blocks.0.self_attn.q.weight")))
                .isEqualTo(KeyLayouts.Layout.ORIGINAL);
        assertThatThrownBy(() -> KeyLayouts.toOriginal("blocks.0.norm3.weight"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("norm3");
    }

    @Test
    void aDiffusersConfigurationIsRead() {
        String json = """
                {"_class_name": "WanTransformer3DModel", "_diffusers_version": "0.33",
                 "added_kv_proj_dim": 5120, "attention_head_dim": 128, "cross_attn_norm": true, "eps": 1e-06,
                 "ffn_dim": 13824, "freq_dim": 256, "image_dim": 1280, "in_channels": 36, "num_attention_heads": 40,
                 "num_layers": 40, "out_channels": 16, "patch_size": [1, 2, 2], "pos_embed_seq_len": null,
                 "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 1024, "text_dim": 4096}
                """;
        assertThat(JsonConfig.read(
                        "transformer/config.json",
                        new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)),
                        VideoTransformerConfig.wan14b()))
                .isEqualTo(VideoTransformerConfig.wanImageToVideo14b());
        assertThat(JsonConfig.read(
                        "c",
                        new ByteArrayInputStream(JsonConfig.write(NANO).getBytes(StandardCharsets.UTF_8)),
                        VideoTransformerConfig.wan14b()))
                .isEqualTo(NANO);
    }

    @Test
    void contradictionsAreRefused() {
        assertThatThrownBy(() -> JsonConfig.read(
                        "c", new ByteArrayInputStream("{\"image_dim\": 3}".getBytes(StandardCharsets.UTF_8)), NANO))
                .hasMessageContaining("image_dim is 3");
        assertThatThrownBy(() -> VideoTransformer.maskedGraph(NANO, 13, 22))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("13×22");
    }

    @Test
    void theGeometryNetIsSmallAndKeepsThePicturesSize() {
        GeometryNetConfig c = GeometryNetConfig.nano();
        Graph g = GeometryNet.graph(c, 96, 176);
        assertThat(FlopCounter.parameters(g)).isLessThan(1_500_000);
        assertThat(FlopCounter.count(g, Map.of("batch", 1L))).isBetween(500_000_000L, 1_500_000_000L);
        for (String out : new String[] {"depth", "confidence", "dynamic"}) {
            assertThat(g.outputs().get(out).shape().with(0, io.teleworld.graph.Dim.of(1)))
                    .isEqualTo(Shape.of(1, 1, 96, 176));
        }
        assertThat(GeometryNet.initialise(c, 1).keySet())
                .isEqualTo(g.parameters().keySet());
        assertThat(JsonConfig.read(
                        "c", new ByteArrayInputStream(JsonConfig.write(c).getBytes(StandardCharsets.UTF_8)), c))
                .isEqualTo(c);
    }
}
