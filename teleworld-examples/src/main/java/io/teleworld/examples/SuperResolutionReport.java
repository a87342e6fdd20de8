package io.teleworld.examples;

import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.StreamDecoder;
import io.teleworld.core.decode.FrameEnlarger;
import io.teleworld.core.decode.VideoCodec;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.error.TeleWorldException;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.worlds.TrajectoryKind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How much better than bicubic enlargement super-resolution is on held-out maps, and how fast. */
@Command(
        name = "super-resolution",
        description =
                "PSNR of super-resolution and of bicubic enlargement on held-out maps, and its frames per second.")
final class SuperResolutionReport extends Evaluation {

    private static final double NEEDED_GAIN = 1;
    private static final List<String> PREFERRED = List.of("onnx");
    private static final int WARM_UP = 2;

    @Option(names = "--clips", paramLabel = "N", description = "Clips from held-out maps; 24 by default.")
    int clips = 24;

    @Option(names = "--groups", paramLabel = "N", description = "Groups of 4 frames of each clip; 5 by default.")
    int groups = 5;

    /** Mean PSNR of one clip in both enlargements. */
    private record Pair(double own, double bicubic) {}

    @Override
    void measure(Report report) {
        int n = atLeastOne("--clips", clips);
        int frames = 1 + 4 * atLeastOne("--groups", groups);
        ModelPackage files = ModelPackage.open(ModelFiles.of(model.source()));
        files.requireFinite();
        SuperResolutionConfig config = files.superResolution()
                .orElseThrow(() -> new TeleWorldException(
                        TeleWorldException.Category.USER,
                        "model " + files.world().name() + " (" + model.source() + ") has no super-resolution"));
        Intrinsics small = files.world().intrinsics();
        int scale = config.scale();
        Intrinsics large = Intrinsics.ofHorizontalFieldOfView(
                small.width() * scale,
                small.height() * scale,
                Math.toRadians(files.world().horizontalFovDegrees()));
        report.line(
                "model %s (%s): %d×%d to %d×%d",
                files.world().name(), model.source(), small.width(), small.height(), large.width(), large.height());
        report.put("model", model.source().toString());
        List<String> names = model.options().runtimes().isEmpty()
                ? PREFERRED
                : model.options().runtimes();
        double[][] own = new double[2][n];
        double[][] bicubic = new double[2][n];
        List<Map<String, Object>> each = new ArrayList<>();
        double seconds = 0;
        long timed = 0;
        try (TensorRuntime runtime = RuntimeRegistry.load(SuperResolutionReport.class.getClassLoader())
                        .firstAvailable(names)
                        .create(new RuntimeOptions("cpu", model.threads));
                Scope scope = Scope.root("super-resolution");
                Progress progress = progress(n, "clips")) {
            Precision precision = files.world().precision().vae();
            VideoCodec codec = new VideoCodec(
                    files.vae(),
                    scope.adopt(runtime.compile(files.encoderGraph(), files.vaeWeights(), precision)),
                    scope.adopt(runtime.compile(files.decoderGraph(), files.vaeWeights(), precision)),
                    small.width(),
                    small.height(),
                    scope);
            FrameEnlarger enlarger = new FrameEnlarger(
                    config,
                    scope.adopt(
                            runtime.compile(files.superResolutionGraph(), files.superResolutionWeights(), precision)),
                    small.width(),
                    small.height(),
                    scope);
            Program plain = scope.adopt(runtime.compile(
                    SuperResolutionNet.bicubicGraph(scale, small.height(), small.width()),
                    Weights.of(Map.of()),
                    Precision.FP32));
            List<HeldOutCase> cases = HeldOutCase.draw(n, frames, TrajectoryKind.RANDOM, large, seed);
            for (int i = 0; i < n; i++) {
                List<RgbImage> truth = new ArrayList<>();
                List<RgbImage> reduced = new ArrayList<>();
                for (int f = 0; f < frames; f++) {
                    truth.add(cases.get(i).truth(f));
                    reduced.add(reduced(truth.get(f), scale));
                }
                List<List<RgbImage>> inputs = List.of(reduced, throughCodec(codec, reduced));
                for (int kind = 0; kind < inputs.size(); kind++) {
                    List<RgbImage> enlarged = new ArrayList<>();
                    try (FrameEnlarger.Stream stream = enlarger.open()) {
                        for (int f = 0; f < frames; f = f == 0 ? 1 : f + 4) {
                            long begun = System.nanoTime();
                            enlarged.addAll(stream.upscale(inputs.get(kind).subList(f, f == 0 ? 1 : f + 4)));
                            if (f > 0 && i >= WARM_UP) {
                                seconds += (System.nanoTime() - begun) / 1e9;
                                timed += 4;
                            }
                        }
                    }
                    Pair pair = compared(truth, enlarged, bicubic(plain, inputs.get(kind), scale, scope));
                    own[kind][i] = pair.own();
                    bicubic[kind][i] = pair.bicubic();
                }
                each.add(Map.of(
                        "world", cases.get(i).name(),
                        "psnr", own[0][i],
                        "bicubic", bicubic[0][i],
                        "decodedPsnr", own[1][i],
                        "decodedBicubic", bicubic[1][i]));
                progress.advance();
            }
        }
        Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
        Bootstrap.Interval gain = bootstrap.difference(own[0], bicubic[0]);
        Bootstrap.Interval decodedGain = bootstrap.difference(own[1], bicubic[1]);
        report.table(
                List.of("small pictures", "clips", "frames each", "PSNR dB", "bicubic dB", "difference dB"),
                List.of(
                        row("reduced truth", n, frames, bootstrap, own[0], bicubic[0]),
                        row("through the autoencoder", n, frames, bootstrap, own[1], bicubic[1])));
        double perSecond = timed / Math.max(1e-9, seconds);
        if (timed > 0) {
            report.line("%.1f frames/s alone, %.1f ms per frame", perSecond, 1e3 / perSecond);
            report.put("framesPerSecond", perSecond);
        }
        report.line("at least %.0f dB better than bicubic: %s", NEEDED_GAIN, Report.yesNo(gain.mean() >= NEEDED_GAIN));
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("gain", gain);
        summary.put("decodedGain", decodedGain);
        report.put("summary", summary);
        report.put("cases", each);
    }

    private static List<String> row(
            String name, int clips, int frames, Bootstrap bootstrap, double[] own, double[] bicubic) {
        return List.of(
                name,
                Integer.toString(clips),
                Integer.toString(frames),
                Report.text(bootstrap.mean(own)),
                Report.text(bootstrap.mean(bicubic)),
                Report.text(bootstrap.difference(own, bicubic)));
    }

    private static Pair compared(List<RgbImage> truth, List<RgbImage> own, List<RgbImage> bicubic) {
        double a = 0;
        double b = 0;
        for (int f = 0; f < truth.size(); f++) {
            a += Math.min(MAX_PSNR, ImageMetrics.psnr(truth.get(f), own.get(f))) / truth.size();
            b += Math.min(MAX_PSNR, ImageMetrics.psnr(truth.get(f), bicubic.get(f))) / truth.size();
        }
        return new Pair(a, b);
    }

    private static List<RgbImage> bicubic(Program program, List<RgbImage> frames, int scale, Scope scope) {
        List<RgbImage> out = new ArrayList<>();
        for (RgbImage image : frames) {
            try (Scope work = scope.child("bicubic")) {
                HostTensor in = HostTensor.ofFloats(planes(List.of(image)), 1, 3, image.height(), image.width());
                float[] values = Objects.requireNonNull(
                                program.run(Map.of("frames", in), program.newState(work), RunOptions.DEFAULT, work)
                                        .get("enlarged"))
                        .toFloatArray();
                out.add(picture(values, image.width() * scale, image.height() * scale));
            }
        }
        return out;
    }

    private static RgbImage picture(float[] planes, int width, int height) {
        int n = width * height;
        byte[] rgb = new byte[3 * n];
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < n; i++) {
                float v = planes[c * n + i] * 127.5f + 127.5f;
                rgb[3 * i + c] = (byte) (int) (Math.max(0, Math.min(255, v)) + 0.5f);
            }
        }
        return new RgbImage(width, height, rgb);
    }

    /** Means over blocks of pixels. */
    private static RgbImage reduced(RgbImage large, int scale) {
        int w = large.width() / scale;
        int h = large.height() / scale;
        byte[] from = large.rgb();
        byte[] rgb = new byte[3 * w * h];
        int area = scale * scale;
        for (int i = 0; i < 3 * w * h; i++) {
            int x = i / 3 % w * scale;
            int y = i / 3 / w * scale;
            int sum = 0;
            for (int k = 0; k < area; k++) {
                int row = y + k / scale;
                sum += from[3 * (row * large.width() + x + k % scale) + i % 3] & 0xff;
            }
            rgb[i] = (byte) ((sum + area / 2) / area);
        }
        return new RgbImage(w, h, rgb);
    }

    private static float[] planes(List<RgbImage> clip) {
        int pixels = clip.get(0).width() * clip.get(0).height();
        float[] planes = new float[clip.size() * 3 * pixels];
        for (int f = 0; f < clip.size(); f++) {
            byte[] rgb = clip.get(f).rgb();
            for (int c = 0; c < 3; c++) {
                for (int i = 0; i < pixels; i++) {
                    planes[(3 * f + c) * pixels + i] = (rgb[3 * i + c] & 0xff) * (2f / 255) - 1;
                }
            }
        }
        return planes;
    }

    private static List<RgbImage> throughCodec(VideoCodec codec, List<RgbImage> clip) {
        List<RgbImage> out = new ArrayList<>();
        try (StreamDecoder.Stream stream = codec.open()) {
            for (LatentFrame latent : codec.encode(planes(clip), clip.size())) {
                out.addAll(stream.decode(latent));
            }
        }
        return out;
    }
}
