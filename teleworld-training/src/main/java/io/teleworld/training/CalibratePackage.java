package io.teleworld.training;

import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.StreamDecoder;
import io.teleworld.core.decode.FrameEnlarger;
import io.teleworld.core.decode.VideoCodec;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.model.ModelPackageWriter;
import io.teleworld.core.model.TeleWorldConfig.NetworkPrecision;
import io.teleworld.graph.Shape;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import io.teleworld.runtime.support.RangeRecorder;
import io.teleworld.training.data.AutoencodedFrames;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.WalkClips;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Lets a package's autoencoder and super-resolution look at walks, and notes between which values their convolutions
 * compute, so that they can be computed in int8 ({@link Precision#INT8}) from then on.
 */
@Command(
        name = "calibrate",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Makes the autoencoder and the super-resolution of a package compute in int8: notes the ranges of"
                + " their activations on walks through training worlds.")
final class CalibratePackage implements Callable<Integer> {

    private static final int SAMPLES_PER_AXIS = 2;
    private static final int LATENTS = 7;

    /** Layers with no more channels on one side stay in fp32: they make latents and pictures, and cost little. */
    private static final int NARROW = 32;

    /** Deviation of the latents over their own root mean square in every second walk: generation does not hit them. */
    private static final double NOISE = 0.3;

    @Spec
    @Nullable
    CommandSpec spec;

    @Mixin
    WorldArguments worlds = new WorldArguments();

    @Option(names = "--model", paramLabel = "DIR", required = true, description = "The package; it is changed.")
    @Nullable
    Path model;

    @Option(names = "--clips", paramLabel = "N", description = "Walks of 25 frames; ${DEFAULT-VALUE} by default.")
    int clips = 60;

    @Option(
            names = "--runtime",
            paramLabel = "NAME",
            split = ",",
            description = "Runtimes, the preferred one first; ${DEFAULT-VALUE} by default.")
    List<String> runtimes = List.of("onnx", "torch");

    @Option(names = "--seed", paramLabel = "N", description = "Seed of the walks; ${DEFAULT-VALUE} by default.")
    long seed = 11;

    @Option(names = "--threads", paramLabel = "N", description = "Host threads; all processors by default.")
    int threads;

    @Override
    public Integer call() throws IOException {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        if (clips < 1 || threads < 0) {
            throw Cli.badArgument(
                    command, "--clips is " + clips + ", --threads " + threads + "; at least 1 and 0 are allowed");
        }
        Path folder = Objects.requireNonNull(model, "--model");
        ModelPackage files = ModelPackage.open(ModelFiles.directory(folder));
        Map<String, ActivationRange.OfLayer> autoencoder = new TreeMap<>();
        Map<String, ActivationRange.OfLayer> enlarger = new TreeMap<>();
        TensorRuntimeProvider provider =
                RuntimeRegistry.load(CalibratePackage.class.getClassLoader()).firstAvailable(runtimes);
        try (TensorRuntime runtime = provider.create(new RuntimeOptions("cpu", threads));
                Scope scope = Scope.root("calibrate")) {
            RangeRecorder encoder = scope.adopt(new RangeRecorder(runtime, files.encoderGraph(), files.vaeWeights()));
            RangeRecorder decoder = scope.adopt(new RangeRecorder(runtime, files.decoderGraph(), files.vaeWeights()));
            Optional<RangeRecorder> larger = files.superResolution()
                    .map(c -> scope.adopt(
                            new RangeRecorder(runtime, files.superResolutionGraph(), files.superResolutionWeights())));
            walk(files, encoder, decoder, larger, scope);
            autoencoder.putAll(wide(encoder));
            autoencoder.putAll(wide(decoder));
            larger.ifPresent(r -> enlarger.putAll(wide(r)));
        }
        NetworkPrecision precision = files.world().precision();
        ModelPackageWriter writer = ModelPackageWriter.into(folder, Map.of()).ranges("vae", autoencoder);
        if (!enlarger.isEmpty()) {
            writer.ranges("super_resolution", enlarger);
        }
        writer.world(files.world()
                .withPrecision(new NetworkPrecision(precision.transformer(), Precision.INT8, precision.geometry())));
        command.commandLine()
                .getOut()
                .println("calibrate: ranges of " + autoencoder.size() + " convolutions of the autoencoder and "
                        + enlarger.size() + " of super-resolution, from " + clips + " walks");
        return Cli.OK;
    }

    private static Map<String, ActivationRange.OfLayer> wide(RangeRecorder recorder) {
        Map<String, ActivationRange.OfLayer> ranges = new TreeMap<>(recorder.ranges());
        ranges.keySet().removeIf(weight -> {
            Shape s = Objects.requireNonNull(recorder.graph().parameters().get(weight), weight)
                    .shape();
            return s.dim(0).known() <= NARROW || s.dim(1).known() <= NARROW;
        });
        return ranges;
    }

    private void walk(
            ModelPackage files,
            RangeRecorder encoder,
            RangeRecorder decoder,
            Optional<RangeRecorder> larger,
            Scope scope) {
        int width = files.world().width();
        int height = files.world().height();
        int frames = 4 * LATENTS - 3;
        Optional<FrameEnlarger> enlarger = larger.map(
                program -> new FrameEnlarger(files.superResolution().orElseThrow(), program, width, height, scope));
        VideoCodec codec = new VideoCodec(files.vae(), encoder, decoder, width, height, scope);
        WalkClips walks = new WalkClips(worlds.training(), files.world().intrinsics(), frames, SAMPLES_PER_AXIS);
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < clips; i++) {
            GroundTruthClip clip = walks.next(random);
            float[] pixels = new float[3 * frames * height * width];
            clip.normalised(0, frames, 0, 0, height, width, pixels, 0);
            List<LatentFrame> latents = codec.encode(pixels, frames);
            try (StreamDecoder.Stream stream = codec.open();
                    FrameEnlarger.@Nullable Stream enlarged =
                            enlarger.map(FrameEnlarger::open).orElse(null)) {
                for (LatentFrame latent : latents) {
                    List<RgbImage> pictures = stream.decode(i % 2 == 0 ? latent : noisy(latent, random));
                    if (enlarged != null) {
                        enlarged.upscale(pictures);
                    }
                }
            }
        }
    }

    private static LatentFrame noisy(LatentFrame latent, SplittableRandom random) {
        float[] values = latent.values().clone();
        AutoencodedFrames.disturb(values, NOISE, random);
        return new LatentFrame(latent.channels(), latent.height(), latent.width(), values);
    }
}
