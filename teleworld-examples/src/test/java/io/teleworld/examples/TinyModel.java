package io.teleworld.examples;

import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.model.ModelPackageWriter;
import io.teleworld.core.model.ModelPackageWriter.Storage;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** An untrained model package for 32×16 pictures, small enough to walk at hundreds of frames per second. */
final class TinyModel {

    static final int WIDTH = 32;
    static final int HEIGHT = 16;

    static final VideoTransformerConfig TRANSFORMER = new VideoTransformerConfig(
            List.of(1, 2, 2),
            1,
            12,
            6,
            4,
            4,
            8,
            12,
            1,
            true,
            "rms_norm_across_heads",
            1e-6,
            null,
            null,
            64,
            null,
            1,
            2);
    private static final VideoAutoencoderConfig VAE = new VideoAutoencoderConfig(
            3,
            4,
            2,
            4,
            List.of(new Stage(4, 1, 1, 2), new Stage(4, 1, 2, 2), new Stage(4, 1, 2, 1)),
            List.of(new Stage(4, 1, 2, 1), new Stage(4, 1, 2, 2), new Stage(4, 1, 1, 2)),
            4,
            false,
            VideoAutoencoderConfig.Grouping.CAUSAL,
            List.of(),
            List.of());
    private static final GeometryNetConfig GEOMETRY = new GeometryNetConfig(5, 2, List.of(4, 4), List.of(0, 0), 8);

    private TinyModel() {}

    /** Writes the package into a folder. */
    static Path write(Path folder) throws IOException {
        writer(folder).transformer(TRANSFORMER, transformer(), Storage.F32);
        return folder;
    }

    /** Writes the package with other weights of the transformer. */
    static Path write(Path folder, Map<String, HostTensor> transformer) throws IOException {
        writer(folder).transformer(TRANSFORMER, transformer, Storage.F32);
        return folder;
    }

    /** Writes the package with two named styles, of which one says nothing. */
    static Path writeWithStyles(Path folder) throws IOException {
        int tokens = TRANSFORMER.textLen();
        int width = TRANSFORMER.textDim();
        float[] loud = new float[tokens * width];
        Arrays.fill(loud, 3);
        writer(folder)
                .transformer(TRANSFORMER, transformer(), Storage.F32)
                .styles(Map.of(
                        "loud", HostTensor.ofFloats(loud, tokens, width),
                        "silent", HostTensor.ofFloats(new float[tokens * width], tokens, width)));
        return folder;
    }

    /** Writes the package with attention over keyframes in the geometry network, which does nothing yet. */
    static Path writeWithAttention(Path folder) throws IOException {
        GeometryNetConfig config = GEOMETRY.withAttention(2, 2, 5);
        writer(folder)
                .transformer(TRANSFORMER, transformer(), Storage.F32)
                .geometry(
                        config,
                        tensors(GeometryNet.initialise(config, 3), GeometryNet.graph(config, HEIGHT, WIDTH)),
                        Storage.F32);
        return folder;
    }

    private static ModelPackageWriter writer(Path folder) throws IOException {
        return new ModelPackageWriter(folder, Map.of())
                .world(new TeleWorldConfig(
                        "tiny",
                        "1",
                        "Apache-2.0",
                        HEIGHT,
                        WIDTH,
                        16,
                        75,
                        "0 1 2 2 2 1 3 3 3 1",
                        true,
                        GuidanceConfig.DEFAULT,
                        CameraOptions.DEFAULT,
                        TeleWorldConfig.NetworkPrecision.FP32))
                .scheduler(new SchedulerConfig(1000, 5, List.of(1000, 500), true, 0, 50, 5))
                .vae(
                        VAE,
                        tensors(
                                VideoAutoencoder.initialise(VAE, 2),
                                VideoAutoencoder.encoderGraph(VAE, HEIGHT, WIDTH),
                                VideoAutoencoder.decoderGraph(VAE, HEIGHT / 8, WIDTH / 8)),
                        Storage.F32)
                .geometry(
                        GEOMETRY,
                        tensors(GeometryNet.initialise(GEOMETRY, 3), GeometryNet.graph(GEOMETRY, HEIGHT, WIDTH)),
                        Storage.F32);
    }

    /** The transformer's weights; initialisation leaves its last layer at zero, which would make all seeds equal. */
    static Map<String, HostTensor> transformer() {
        Graph graph = VideoTransformer.maskedGraph(TRANSFORMER, HEIGHT / 8, WIDTH / 8);
        Map<String, float[]> weights = new TreeMap<>(VideoTransformer.initialise(TRANSFORMER, 1));
        SplittableRandom random = new SplittableRandom(4);
        weights.values().forEach(w -> {
            for (int i = 0; i < w.length; i++) {
                w[i] += (float) (0.2 * random.nextGaussian());
            }
        });
        return tensors(weights, graph);
    }

    private static Map<String, HostTensor> tensors(Map<String, float[]> weights, Graph... graphs) {
        Map<String, HostTensor> out = new TreeMap<>();
        for (Graph graph : graphs) {
            graph.parameters()
                    .forEach((name, value) -> out.put(
                            name,
                            HostTensor.ofFloats(weights.get(name), value.shape().known())));
        }
        return out;
    }
}
