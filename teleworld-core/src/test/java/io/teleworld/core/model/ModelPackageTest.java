package io.teleworld.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.ModelSource;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.model.ModelPackageWriter.Storage;
import io.teleworld.core.network.FlopCounter;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ModelPackageTest {

    private static final VideoTransformerConfig TRANSFORMER = new VideoTransformerConfig(
            List.of(1, 2, 2),
            2,
            12,
            6,
            4,
            8,
            16,
            32,
            1,
            true,
            "rms_norm_across_heads",
            1e-6,
            null,
            null,
            1024,
            null,
            4,
            2);
    private static final VideoAutoencoderConfig VAE = new VideoAutoencoderConfig(
            3,
            4,
            2,
            8,
            List.of(new Stage(8, 1, 2, 2), new Stage(8, 1, 2, 2)),
            List.of(new Stage(8, 1, 2, 2), new Stage(8, 1, 2, 2)),
            8,
            false,
            Grouping.CAUSAL,
            List.of(),
            List.of());
    private static final GeometryNetConfig GEOMETRY = new GeometryNetConfig(5, 2, List.of(4, 8), List.of(1, 1), 8);

    @TempDir
    Path temp;

    private Path dir = Path.of("");

    @BeforeEach
    void write() throws IOException {
        dir = temp.resolve("io/teleworld/models/tiny");
        Graph t = VideoTransformer.cachedGraph(TRANSFORMER, 12, 22, 4);
        Graph e = VideoAutoencoder.encoderGraph(VAE, 96, 176);
        Graph d = VideoAutoencoder.decoderGraph(VAE, 12, 22);
        Graph g = GeometryNet.graph(GEOMETRY, 96, 176);
        new ModelPackageWriter(dir, Map.of("origin", "test"))
                .world(TeleWorldConfig.NANO)
                .scheduler(SchedulerConfig.FEW_STEP)
                .transformer(TRANSFORMER, tensors(VideoTransformer.initialise(TRANSFORMER, 1), t), Storage.INT8)
                .vae(VAE, tensors(VideoAutoencoder.initialise(VAE, 1), e, d), Storage.F16)
                .geometry(GEOMETRY, tensors(GeometryNet.initialise(GEOMETRY, 1), g), Storage.F32);
    }

    private static Map<String, HostTensor> tensors(Map<String, float[]> values, Graph... graphs) {
        Map<String, HostTensor> out = new LinkedHashMap<>();
        for (Graph g : graphs) {
            g.parameters().forEach((n, v) -> {
                float[] w = values.get(n);
                assertThat(w).as(n).isNotNull();
                out.put(n, HostTensor.ofFloats(w, v.shape().known()));
            });
        }
        return out;
    }

    @Test
    void aPackageIsReadFromAFolderAndFromTheClassPath() throws IOException {
        try (URLClassLoader loader = new URLClassLoader(new URL[] {temp.toUri().toURL()})) {
            for (ModelSource source : List.of(ModelSource.directory(dir), new ModelSource.Bundled("tiny", loader))) {
                ModelPackage p = ModelPackage.open(ModelFiles.of(source));
                assertThat(p.world()).isEqualTo(TeleWorldConfig.NANO);
                assertThat(p.transformer()).isEqualTo(TRANSFORMER);
                assertThat(p.vae()).isEqualTo(VAE);
                assertThat(p.geometry()).isEqualTo(GEOMETRY);
                assertThat(p.scheduler()).isEqualTo(SchedulerConfig.FEW_STEP);
                p.requireFinite();
                float[] expected = VideoTransformer.initialise(TRANSFORMER, 1)
                        .getOrDefault("blocks.0.attn1.to_q.weight", new float[0]);
                assertThat(p.transformerWeights()
                                .get("blocks.0.attn1.to_q.weight")
                                .toFloatArray())
                        .containsExactly(expected, within(0.002f));
                assertThat(p.world().segments().groups()).hasSize(10);
                assertThat(p.world().intrinsics().width()).isEqualTo(176);
            }
        }
    }

    @Test
    void theOriginalNamingIsUnderstood() throws IOException {
        Path file = dir.resolve("transformer/diffusion_pytorch_model.safetensors");
        Map<String, HostTensor> original = new HashMap<>();
        Graph t = VideoTransformer.cachedGraph(TRANSFORMER, 12, 22, 4);
        tensors(VideoTransformer.initialise(TRANSFORMER, 1), t)
                .forEach((n, w) -> original.put("model." + KeyLayouts.toOriginal(n), w));
        Safetensors.write(file, original, Map.of());
        WeightFiles weights = ModelPackage.open(ModelFiles.directory(dir)).transformerWeights();
        weights.requireExactly(t);
    }

    @Test
    void shardsAreJoined() throws IOException {
        Path folder = dir.resolve("geometry");
        Safetensors whole = Safetensors.open(folder.resolve("diffusion_pytorch_model.safetensors"));
        Map<String, HostTensor> a = new HashMap<>();
        Map<String, HostTensor> b = new HashMap<>();
        StringBuilder index = new StringBuilder();
        for (String n : whole.names()) {
            boolean first = n.hashCode() % 2 == 0;
            HostTensor copy = HostTensor.ofFloats(whole.tensor(n).toFloatArray(), whole.shape(n));
            (first ? a : b).put(n, copy);
            index.append(index.length() > 0 ? "," : "")
                    .append("\"" + n + "\":\"" + (first ? "a" : "b") + ".safetensors\"");
        }
        Safetensors.write(folder.resolve("a.safetensors"), a, Map.of());
        Safetensors.write(folder.resolve("b.safetensors"), b, Map.of());
        Files.delete(folder.resolve("diffusion_pytorch_model.safetensors"));
        Path indexFile = folder.resolve("diffusion_pytorch_model.safetensors.index.json");
        Files.writeString(indexFile, "{\"metadata\":{},\"weight_map\":{" + index + "}}");
        assertThat(ModelPackage.open(ModelFiles.directory(dir))
                        .geometryWeights()
                        .names())
                .isEqualTo(whole.names());
        Files.writeString(indexFile, "{\"weight_map\":{\"x\":\"../../x.safetensors\"}}");
        assertThatThrownBy(() -> ModelPackage.open(ModelFiles.directory(dir)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("../../x.safetensors");
    }

    @Test
    void weightsMayBringRangesOfActivations() throws IOException {
        ModelPackage without = ModelPackage.open(ModelFiles.directory(dir));
        String weight = without.decoderGraph().parameters().keySet().stream()
                .filter(n -> n.endsWith("conv.2.weight"))
                .findFirst()
                .orElseThrow();
        ActivationRange.OfLayer ranges =
                new ActivationRange.OfLayer(new ActivationRange(0, 2), new ActivationRange(-1, 1));
        ModelPackageWriter.into(dir, Map.of()).ranges("vae", Map.of(weight, ranges));
        ModelPackage with = ModelPackage.open(ModelFiles.directory(dir));
        assertThat(ActivationRange.of(with.vaeWeights(), weight)).contains(ranges);
        assertThat(with.parameters()).isEqualTo(without.parameters());
        // Of a layer that there is not, they are refused like any other tensor.
        ModelPackageWriter.into(dir, Map.of()).ranges("vae", Map.of("decoder.99.weight", ranges));
        assertThatThrownBy(() -> ModelPackage.open(ModelFiles.directory(dir)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("decoder.99.weight.input_range");
    }

    @Test
    void aNetworkForStartPicturesIsOptional() throws IOException {
        ModelPackage without = ModelPackage.open(ModelFiles.directory(dir));
        assertThat(without.startGeometry()).isEmpty();
        GeometryNetConfig config = without.geometry().withAttention(2, 2, 1);
        Graph graph = GeometryNet.clipGraph(config, 1, 96, 176);
        Map<String, HostTensor> weights = tensors(GeometryNet.initialise(config, 5), graph);
        ModelPackageWriter.into(dir, Map.of()).startGeometry(config, weights, ModelPackageWriter.Storage.F32);
        ModelPackage with = ModelPackage.open(ModelFiles.directory(dir));
        assertThat(with.startGeometry()).contains(config);
        with.startGeometryWeights().requireExactly(with.startGeometryGraph());
        assertThat(with.parameters() - without.parameters()).isEqualTo(FlopCounter.parameters(graph));
        with.requireFinite();
        // What contradicts its sizes is refused; so is what is not a number.
        Path file = dir.resolve("start_geometry/config.json");
        String written = Files.readString(file);
        Files.writeString(file, written.replace("\"attention_blocks\" : 2", "\"attention_blocks\" : 4"));
        assertThatThrownBy(() -> ModelPackage.open(ModelFiles.directory(dir)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("start_geometry")
                .hasMessageContaining("attention.2.");
        Files.writeString(file, written);
        weights.put(
                "head.conv2.bias", HostTensor.ofFloats(new float[] {Float.NaN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12));
        ModelPackageWriter.into(dir, Map.of()).startGeometry(config, weights, ModelPackageWriter.Storage.F32);
        ModelPackage broken = ModelPackage.open(ModelFiles.directory(dir));
        assertThatThrownBy(broken::requireFinite).hasMessageContaining("head.conv2.bias");
    }

    @Test
    void guidanceIsConfigured() throws IOException {
        Files.writeString(
                dir.resolve("teleworld.json"),
                "{\"guidance\": {\"order\": \"target_first\", \"timestep_mode\": \"same\", \"rope_offset\": 10}}");
        assertThat(ModelPackage.open(ModelFiles.directory(dir)).world().guidance())
                .isEqualTo(new GuidanceConfig(
                        GuidanceConfig.Layout.PAIRED,
                        GuidanceConfig.Order.TARGET_FIRST,
                        10,
                        GuidanceConfig.TimestepMode.SAME,
                        2,
                        false,
                        GuidanceConfig.Holes.GREY));
    }

    @Test
    void whatDoesNotFitIsNamed() throws IOException {
        refused("teleworld.json", "{\"hieght\": 96}", "teleworld.json", "hieght");
        refused("teleworld.json", "{\"guidance\": {\"rope\": 1}}", "guidance.rope");
        refused("teleworld.json", "{\"guidance\": {\"order\": \"sideways\"}}", "order", "sideways", "TARGET_FIRST");
        refused("teleworld.json", "{\"guidance\": {\"order\": null}}", "teleworld.json", "order");
        refused("teleworld.json", "{\"guidance\": {\"timestep_mode\": \"noisy\"}}", "timestep_mode", "SAME");
        refused("teleworld.json", "{\"guidance\": {\"timestep_mode\": [1]}}", "timestep_mode");
        refused("teleworld.json", "{\"guidance\": {\"rope_offset\": -1}}", "rope offset of guidance is -1");
        refused("teleworld.json", "{\"segment_map\": \"0 2 2\"}", "segment map is [0, 2, 2]");
        refused("teleworld.json", "{\"precision\": {\"vae\": \"int9\"}}", "precision");
        refused("teleworld.json", "{\"height\": 97}", "97×176", "multiples of 8");
        refused("teleworld.json", "{\"guidance\": {\"beside_target\": true}}", "beside");
        refused("teleworld.json", "{\"guidance\": {\"mask_channels\": 1}}", "1 mask channels, the transformer 2");
        refused("transformer/config.json", "{\"in_channels\": 7}", "takes 7");
        refused("model_index.json", "{\"transformer\": []}", "geometry, scheduler, vae");
        refused("geometry/config.json", "{\"widths\": [4, 4], \"blocks\": [1, 1]}", "of another shape");
        refused("scheduler/scheduler_config.json", "{\"denoising_steps\": [250, 500]}", "descend");
        Files.delete(dir.resolve("vae/diffusion_pytorch_model.safetensors"));
        assertThatThrownBy(() -> ModelPackage.open(ModelFiles.directory(dir)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("vae: holds no weights");
    }

    private void refused(String file, String json, String... inMessage) throws IOException {
        String before = Files.readString(dir.resolve(file));
        Files.writeString(dir.resolve(file), json);
        assertThatThrownBy(() -> ModelPackage.open(ModelFiles.directory(dir)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContainingAll(inMessage);
        Files.writeString(dir.resolve(file), before);
    }
}
