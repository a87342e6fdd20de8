package io.teleworld.core;

import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.model.ModelPackageWriter;
import io.teleworld.core.model.ModelPackageWriter.Storage;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.ColourCorrection;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WindowTransformer;
import io.teleworld.graph.Graph;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** A complete model package of minuscule networks with random weights, for 16×32 pictures. */
public final class TinyModel {

    public static final VideoTransformerConfig TRANSFORMER = new VideoTransformerConfig(
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
            VideoTransformerConfig.RMS_ACROSS_HEADS,
            1e-6,
            null,
            null,
            64,
            null,
            1,
            2);

    public static final VideoAutoencoderConfig VAE = new VideoAutoencoderConfig(
            3,
            4,
            2,
            4,
            List.of(new Stage(4, 1, 1, 2), new Stage(4, 1, 2, 2), new Stage(4, 1, 2, 1)),
            List.of(new Stage(4, 1, 2, 1), new Stage(4, 1, 2, 2), new Stage(4, 1, 1, 2)),
            4,
            false,
            Grouping.CAUSAL,
            List.of(),
            List.of());

    public static final GeometryNetConfig GEOMETRY = new GeometryNetConfig(5, 2, List.of(4, 4), List.of(0, 0), 8);

    public static final SuperResolutionConfig SUPER_RESOLUTION = new SuperResolutionConfig(
            2,
            new SuperResolutionConfig.Projection(4, List.of(4, 6), 1, true),
            new SuperResolutionConfig.Transformer(2, 2, 6, null, 3, 12, 2, 8, null, 1e-6, List.of(1, 2, 2), 3, 3, 2),
            new SuperResolutionConfig.Decoder(2, List.of(new Stage(5, 1, 2, 4), new Stage(4, 1, 1, 1)), 4, false, 2, 0),
            true,
            ColourCorrection.Method.NONE);

    public static final TeleWorldConfig WORLD = new TeleWorldConfig(
            "tiny",
            "1",
            "Apache-2.0",
            16,
            32,
            16,
            75,
            "0 1 2 1",
            true,
            GuidanceConfig.DEFAULT,
            CameraOptions.DEFAULT,
            TeleWorldConfig.NetworkPrecision.FP32);

    public static final SchedulerConfig STEPS = new SchedulerConfig(1000, 5, List.of(1000, 500), true, 0, 50, 5);

    private TinyModel() {}

    /** Normal weights of deviation 0.3, by name, with the shapes that the graphs declare. */
    public static Map<String, HostTensor> randomWeights(long seed, Graph... graphs) {
        SplittableRandom random = new SplittableRandom(seed);
        Map<String, HostTensor> weights = new TreeMap<>();
        for (Graph g : graphs) {
            new TreeMap<>(g.parameters()).forEach((name, value) -> {
                long[] shape = value.shape().known();
                float[] values = new float[Math.toIntExact(HostTensor.elementCount(shape))];
                for (int i = 0; i < values.length; i++) {
                    values[i] = (float) (0.3 * random.nextGaussian());
                }
                weights.put(name, HostTensor.ofFloats(values, shape));
            });
        }
        return weights;
    }

    public static Map<String, HostTensor> transformerWeights() {
        return transformerWeights(TRANSFORMER);
    }

    /** Weights for another configuration than {@link #TRANSFORMER}. */
    public static Map<String, HostTensor> transformerWeights(VideoTransformerConfig config) {
        return randomWeights(1, VideoTransformer.maskedGraph(config, 2, 4));
    }

    public static Map<String, HostTensor> vaeWeights() {
        return randomWeights(2, VideoAutoencoder.encoderGraph(VAE, 16, 32), VideoAutoencoder.decoderGraph(VAE, 2, 4));
    }

    public static Map<String, HostTensor> geometryWeights() {
        return randomWeights(3, GeometryNet.graph(GEOMETRY, 16, 32));
    }

    public static Map<String, HostTensor> superResolutionWeights() {
        return randomWeights(
                4, SuperResolutionNet.streamGraph(SUPER_RESOLUTION, 16, 32, WindowTransformer.Attention.NEIGHBOURS));
    }

    /** As {@link #write}, with super-resolution. */
    public static Path writeWithSuperResolution(Path folder) throws IOException {
        writer(folder).superResolution(SUPER_RESOLUTION, superResolutionWeights(), Storage.F32);
        return folder;
    }

    public static Path write(Path folder) throws IOException {
        writer(folder);
        return folder;
    }

    private static ModelPackageWriter writer(Path folder) throws IOException {
        return new ModelPackageWriter(folder, Map.of())
                .world(WORLD)
                .scheduler(STEPS)
                .transformer(TRANSFORMER, transformerWeights(), Storage.F32)
                .vae(VAE, vaeWeights(), Storage.F32)
                .geometry(GEOMETRY, geometryWeights(), Storage.F32);
    }
}
