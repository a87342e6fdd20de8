package io.teleworld.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.model.ModelPackageWriter;
import io.teleworld.core.model.ModelPackageWriter.Storage;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import io.teleworld.testkit.TensorAssertions;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CalibratePackageTest {

    private static final ModelSize TINY = ModelSize.TINY;

    @TempDir
    Path folder;

    private final StringWriter errors = new StringWriter();

    @BeforeEach
    void write() throws IOException {
        TeleWorldConfig world = TINY.world();
        int h = world.height();
        int w = world.width();
        int space = TINY.autoencoder().spatialFactor();
        new ModelPackageWriter(folder, Map.of("source", "test"))
                .world(world)
                .scheduler(SchedulerConfig.FEW_STEP)
                .transformer(
                        TINY.transformer(),
                        tensors(
                                VideoTransformer.initialise(TINY.transformer(), 1),
                                VideoTransformer.cachedGraph(TINY.transformer(), h / space, w / space, 4)),
                        Storage.F16)
                .vae(
                        TINY.autoencoder(),
                        tensors(
                                disturbed(VideoAutoencoder.initialise(TINY.autoencoder(), 2)),
                                VideoAutoencoder.encoderGraph(TINY.autoencoder(), h, w),
                                VideoAutoencoder.decoderGraph(TINY.autoencoder(), h / space, w / space)),
                        Storage.F16)
                .geometry(
                        TINY.geometry(),
                        tensors(GeometryNet.initialise(TINY.geometry(), 3), GeometryNet.graph(TINY.geometry(), h, w)),
                        Storage.F16);
    }

    /** Networks begin with zeros in their last layers; trained ones have none. */
    private static Map<String, float[]> disturbed(Map<String, float[]> values) {
        SplittableRandom random = new SplittableRandom(4);
        values.values().forEach(v -> {
            for (int i = 0; i < v.length; i++) {
                v[i] += (float) random.nextGaussian() * 0.02f;
            }
        });
        return values;
    }

    private static Map<String, HostTensor> tensors(Map<String, float[]> values, Graph... graphs) {
        Map<String, HostTensor> all = new TreeMap<>();
        for (Graph g : graphs) {
            g.parameters()
                    .forEach((n, v) -> all.put(
                            n,
                            HostTensor.ofFloats(
                                    Objects.requireNonNull(values.get(n), n),
                                    v.shape().known())));
        }
        return all;
    }

    private int calibrate(String... more) {
        List<String> args = new ArrayList<>(
                List.of("calibrate", "--model", folder.toString(), "--worlds", "rooms", "--rooms", "2"));
        args.addAll(List.of("--threads", "1"));
        args.addAll(List.of(more));
        return Cli.of(new Train())
                .setOut(new PrintWriter(new StringWriter()))
                .setErr(new PrintWriter(errors, true))
                .execute(args.toArray(String[]::new));
    }

    @Test
    void aCalibratedAutoencoderDecodesInInt8AsBefore() throws IOException {
        try (TensorRuntime runtime = RuntimeRegistry.load(getClass().getClassLoader())
                        .firstAvailable(List.of("onnx"))
                        .create(new RuntimeOptions("cpu", 1));
                Scope scope = Scope.root("test")) {
            ModelPackage before = ModelPackage.open(ModelFiles.directory(folder));
            Program exact = scope.adopt(runtime.compile(before.decoderGraph(), before.vaeWeights(), Precision.FP32));
            assertThat(calibrate("--clips", "2")).as("%s", errors).isEqualTo(Cli.OK);
            ModelPackage after = ModelPackage.open(ModelFiles.directory(folder));
            assertThat(after.world().precision().vae()).isEqualTo(Precision.INT8);
            assertThat(after.world().precision().transformer()).isEqualTo(Precision.FP32);
            after.requireFinite();
            // Wide layers have ranges; those that make latents and pictures have none.
            assertThat(ActivationRange.of(after.vaeWeights(), "decoder.3.conv.2.weight"))
                    .isPresent();
            assertThat(ActivationRange.of(after.vaeWeights(), "encoder.0.weight"))
                    .isEmpty();

            Program int8 = scope.adopt(runtime.compile(after.decoderGraph(), after.vaeWeights(), Precision.INT8));
            SplittableRandom random = new SplittableRandom(1);
            long[] shape = {1, after.vae().latentChannels(), after.latentHeight(), after.latentWidth()};
            float[] latents = new float[Math.toIntExact(HostTensor.elementCount(shape))];
            for (int i = 0; i < latents.length; i++) {
                latents[i] = (float) random.nextGaussian() * 0.1f;
            }
            Map<String, Tensor> in = Map.of("latents", HostTensor.ofFloats(latents, shape));
            Tensor a = exact.run(in, exact.newState(scope), RunOptions.DEFAULT, scope)
                    .get("frames");
            Tensor b = int8.run(in, int8.newState(scope), RunOptions.DEFAULT, scope)
                    .get("frames");
            double error = TensorAssertions.relativeError(
                    Objects.requireNonNull(b, "frames"), Objects.requireNonNull(a, "frames"));
            assertThat(error).isBetween(1e-6, 0.05);
        }
        // Ranges take the place of those that were there.
        Path file = folder.resolve("vae/diffusion_pytorch_model.safetensors");
        byte[] once = Files.readAllBytes(file);
        assertThat(calibrate("--clips", "2")).isEqualTo(Cli.OK);
        assertThat(Files.readAllBytes(file)).isEqualTo(once);
    }

    @Test
    void whatCannotBeCalibratedIsRefused() {
        assertThat(calibrate("--clips", "0")).isNotEqualTo(Cli.OK);
        assertThat(errors.toString()).contains("--clips is 0");
        assertThat(calibrate("--model", folder.resolve("none").toString())).isNotEqualTo(Cli.OK);
    }
}
