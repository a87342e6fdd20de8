package io.teleworld.examples;

import io.teleworld.Guidance;
import io.teleworld.RgbImage;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.worlds.TrajectoryKind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Whether the video follows the commanded camera: agreement with ground truth one and four seconds in. */
@Command(name = "follow", description = "PSNR against ground truth on held-out maps, 1 s and 4 s in.")
final class FollowReport extends Evaluation {

    private static final int[] SECONDS = {1, 4};

    @Option(names = "--trajectories", paramLabel = "N", description = "Paths through held-out maps; 24 by default.")
    int trajectories = 24;

    @Override
    void measure(Report report) {
        int n = atLeastOne("--trajectories", trajectories);
        try (WorldModel opened = open(report)) {
            double fps = opened.description().framesPerSecond();
            int frames = 1 + (int) Math.round(SECONDS[SECONDS.length - 1] * fps);
            List<HeldOutCase> cases = HeldOutCase.draw(
                    n, frames, TrajectoryKind.RANDOM, opened.description().intrinsics(), seed);
            double[][] guided = new double[SECONDS.length][n];
            double[][] unguided = new double[SECONDS.length][n];
            double[][] repeated = new double[SECONDS.length][n];
            List<Map<String, Object>> each = new ArrayList<>();
            try (Progress progress = progress(n, "trajectories")) {
                for (int i = 0; i < n; i++) {
                    HeldOutCase one = cases.get(i);
                    WorldStart start = WorldStart.image(one.start())
                            .superResolution(false)
                            .seed(seed + i)
                            .cameraPath(one.path());
                    List<RgbImage> on = pictures(opened, start, frames);
                    List<RgbImage> off = pictures(opened, start.guidance(Guidance.off()), frames);
                    Map<String, Object> entry = new LinkedHashMap<>();
                    entry.put("world", one.name());
                    for (int s = 0; s < SECONDS.length; s++) {
                        int frame = (int) Math.round(SECONDS[s] * fps);
                        RgbImage truth = one.truth(frame);
                        guided[s][i] = psnr(on.get(frame), truth);
                        unguided[s][i] = psnr(off.get(frame), truth);
                        repeated[s][i] = psnr(one.start(), truth);
                        entry.put(
                                "psnrAt" + SECONDS[s] + "s",
                                Map.of("guided", guided[s][i], "unguided", unguided[s][i], "repeat", repeated[s][i]));
                    }
                    each.add(entry);
                    progress.advance();
                }
            }
            summarise(report, n, guided, unguided, repeated);
            report.put("cases", each);
        }
    }

    private void summarise(Report report, int n, double[][] guided, double[][] unguided, double[][] repeated) {
        Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
        report.line(
                "PSNR in dB against ground truth on %d paths through held-out maps; 95 %% bootstrap intervals, differences"
                        + " paired",
                n);
        List<List<String>> rows = new ArrayList<>();
        Map<String, Object> summary = new LinkedHashMap<>();
        boolean above = true;
        for (int s = 0; s < SECONDS.length; s++) {
            Bootstrap.Interval overRepeat = bootstrap.difference(guided[s], repeated[s]);
            Bootstrap.Interval overUnguided = bootstrap.difference(guided[s], unguided[s]);
            above &= overRepeat.isAbove(0) && overUnguided.isAbove(0);
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("guided", bootstrap.mean(guided[s]));
            values.put("unguided", bootstrap.mean(unguided[s]));
            values.put("repeat", bootstrap.mean(repeated[s]));
            values.put("guidedMinusUnguided", overUnguided);
            values.put("guidedMinusRepeat", overRepeat);
            summary.put("at" + SECONDS[s] + "s", values);
            rows.add(List.of(
                    SECONDS[s] + " s",
                    Report.text(bootstrap.mean(guided[s])),
                    Report.text(bootstrap.mean(unguided[s])),
                    Report.text(bootstrap.mean(repeated[s])),
                    Report.text(overUnguided),
                    Report.text(overRepeat)));
        }
        report.table(List.of("", "guided", "guidance off", "repeat first", "guided − off", "guided − repeat"), rows);
        report.line("guided is above both, intervals excluding 0: %s", Report.yesNo(above));
        report.put("summary", summary);
    }

    private static List<RgbImage> pictures(WorldModel model, WorldStart start, int frames) {
        return Play.frames(model, start, frames).stream().map(f -> f.image()).toList();
    }

    private static double psnr(RgbImage a, RgbImage b) {
        return Math.min(MAX_PSNR, ImageMetrics.psnr(a, b));
    }
}
