package io.teleworld.examples;

import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.StreamDecoder;
import io.teleworld.core.decode.VideoCodec;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.worlds.TrajectoryKind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How well the autoencoder alone keeps pictures of held-out maps. */
@Command(name = "autoencoder", description = "PSNR and SSIM of held-out video through the autoencoder alone.")
final class AutoencoderReport extends Evaluation {

    private static final double NEEDED_PSNR = 26;
    private static final List<String> PREFERRED = List.of("onnx");

    @Option(names = "--clips", paramLabel = "N", description = "Clips from held-out maps; 24 by default.")
    int clips = 24;

    @Option(
            names = "--latents",
            paramLabel = "N",
            description = "Latent frames of each clip, 4 pictures each; 9 by default.")
    int latents = 9;

    @Override
    void measure(Report report) {
        int n = atLeastOne("--clips", clips);
        int frames = 4 * (atLeastOne("--latents", latents) - 1) + 1;
        ModelPackage files = ModelPackage.open(ModelFiles.of(model.source()));
        files.requireFinite();
        Intrinsics camera = files.world().intrinsics();
        RuntimeRegistry registry = RuntimeRegistry.load(AutoencoderReport.class.getClassLoader());
        List<String> names = model.options().runtimes().isEmpty()
                ? PREFERRED
                : model.options().runtimes();
        report.line("model %s (%s)", files.world().name(), model.source());
        report.put("model", model.source().toString());
        double[] psnr = new double[n];
        double[] ssim = new double[n];
        List<Map<String, Object>> each = new ArrayList<>();
        try (TensorRuntime runtime = registry.firstAvailable(names).create(new RuntimeOptions("cpu", model.threads));
                Scope scope = Scope.root("autoencoder");
                Progress progress = progress(n, "clips")) {
            VideoCodec codec = codec(files, runtime, scope);
            List<HeldOutCase> cases = HeldOutCase.draw(n, frames, TrajectoryKind.RANDOM, camera, seed);
            for (int i = 0; i < n; i++) {
                List<RgbImage> clip = new ArrayList<>();
                for (int f = 0; f < frames; f++) {
                    clip.add(cases.get(i).truth(f));
                }
                List<RgbImage> back = throughCodec(codec, clip);
                for (int f = 0; f < frames; f++) {
                    psnr[i] += Math.min(MAX_PSNR, ImageMetrics.psnr(clip.get(f), back.get(f))) / frames;
                    ssim[i] += ImageMetrics.ssim(clip.get(f), back.get(f)) / frames;
                }
                each.add(Map.of("world", cases.get(i).name(), "psnr", psnr[i], "ssim", ssim[i]));
                progress.advance();
            }
        }
        Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
        Bootstrap.Interval meanPsnr = bootstrap.mean(psnr);
        Bootstrap.Interval meanSsim = bootstrap.mean(ssim);
        report.table(
                List.of("clips", "frames each", "PSNR dB", "SSIM"),
                List.of(List.of(
                        Integer.toString(n),
                        Integer.toString(frames),
                        Report.text(meanPsnr),
                        String.format(Locale.ROOT, "%.3f", meanSsim.mean()))));
        report.line("at least %.0f dB: %s", NEEDED_PSNR, Report.yesNo(meanPsnr.mean() >= NEEDED_PSNR));
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("psnr", meanPsnr);
        summary.put("ssim", meanSsim);
        report.put("summary", summary);
        report.put("cases", each);
    }

    /** A package's autoencoder, adopted by {@code scope}. */
    static VideoCodec codec(ModelPackage files, TensorRuntime runtime, Scope scope) {
        Precision precision = files.world().precision().vae();
        Program encoder = scope.adopt(runtime.compile(files.encoderGraph(), files.vaeWeights(), precision));
        Program decoder = scope.adopt(runtime.compile(files.decoderGraph(), files.vaeWeights(), precision));
        Intrinsics camera = files.world().intrinsics();
        return new VideoCodec(files.vae(), encoder, decoder, camera.width(), camera.height(), scope);
    }

    /** A clip of 1+4k pictures encoded and decoded. */
    static List<RgbImage> throughCodec(VideoCodec codec, List<RgbImage> clip) {
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
        List<RgbImage> out = new ArrayList<>();
        try (StreamDecoder.Stream stream = codec.open()) {
            for (LatentFrame latent : codec.encode(planes, clip.size())) {
                out.addAll(stream.decode(latent));
            }
        }
        return out;
    }
}
