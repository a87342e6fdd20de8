package io.teleworld.examples;

import io.teleworld.KeyScript;
import io.teleworld.ModelOptions;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.runtime.Precision;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Whether runtimes show the same world: the same seed in fp32, compared frame by frame. */
@Command(name = "parity", description = "PSNR between the frames of runtimes, same seed, fp32.")
final class ParityReport extends Evaluation {

    private static final double NEEDED_PSNR = 45;
    private static final List<String> COMPARED = List.of("onnx", "djl");

    @Option(names = "--seconds", paramLabel = "N", description = "Length of the video; 4 by default.")
    int seconds = 4;

    @Override
    void measure(Report report) {
        int length = atLeastOne("--seconds", seconds);
        List<String> names = model.options().runtimes().isEmpty()
                ? COMPARED
                : model.options().runtimes();
        List<WorldFrame> expected = List.of();
        List<List<String>> rows = new ArrayList<>();
        Map<String, Object> entries = new LinkedHashMap<>();
        double worst = MAX_PSNR;
        for (String name : names) {
            List<WorldFrame> frames = frames(name, length, report);
            if (expected.isEmpty()) {
                expected = frames;
            } else {
                Difference d = Difference.of(expected, frames);
                worst = Math.min(worst, d.lowest());
                rows.add(List.of(
                        name + " against " + names.get(0),
                        Report.text(d.mean()),
                        Report.text(d.lowest()),
                        Integer.toString(d.largest())));
                entries.put(name, d.entries());
            }
        }
        report.table(List.of("", "mean PSNR dB", "lowest PSNR dB", "largest difference"), rows);
        report.line(
                "every frame of %d s at least %.0f dB: %s", length, NEEDED_PSNR, Report.yesNo(worst >= NEEDED_PSNR));
        report.put("seconds", length);
        report.put("against", names.get(0));
        report.put("runtimes", entries);
        report.put("parity", worst >= NEEDED_PSNR);
    }

    private List<WorldFrame> frames(String runtime, int length, Report report) {
        ModelOptions options = model.options().withRuntimes(runtime).withPrecision(Precision.FP32);
        try (WorldModel opened = WorldModel.open(model.source(), options)) {
            report.line(
                    "%s on %s",
                    opened.description().name(), opened.description().runtime());
            int count = 1 + (int) Math.round(length * opened.description().framesPerSecond());
            WorldStart start =
                    WorldStart.image(Walk.shippedPicture()).seed(seed).script(KeyScript.parse(Walk.DEFAULT_KEYS));
            return Play.frames(opened, start, count);
        }
    }

    /**
     * How far two videos are apart. Immutable.
     *
     * @param mean PSNR in dB over the generated frames, equal frames counting {@link #MAX_PSNR}
     * @param lowest PSNR of any frame
     * @param largest difference of any sample, 0 to 255
     */
    record Difference(double mean, double lowest, int largest) {

        static Difference of(List<WorldFrame> a, List<WorldFrame> b) {
            double sum = 0;
            double lowest = MAX_PSNR;
            int largest = 0;
            // The first frame is the start picture itself.
            for (int i = 1; i < a.size(); i++) {
                double psnr = Math.min(
                        MAX_PSNR, ImageMetrics.psnr(a.get(i).image(), b.get(i).image()));
                sum += psnr;
                lowest = Math.min(lowest, psnr);
                byte[] x = a.get(i).image().rgb();
                byte[] y = b.get(i).image().rgb();
                for (int k = 0; k < x.length; k++) {
                    largest = Math.max(largest, Math.abs((x[k] & 0xff) - (y[k] & 0xff)));
                }
            }
            return new Difference(sum / Math.max(1, a.size() - 1), lowest, largest);
        }

        Map<String, Object> entries() {
            Map<String, Object> m = new LinkedHashMap<>();
            m.put("meanPsnr", Stages.round(mean));
            m.put("lowestPsnr", Stages.round(lowest));
            m.put("largestDifference", largest);
            return m;
        }
    }
}
