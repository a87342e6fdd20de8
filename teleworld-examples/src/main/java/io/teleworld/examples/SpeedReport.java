package io.teleworld.examples;

import io.teleworld.KeyScript;
import io.teleworld.RgbImage;
import io.teleworld.SessionStatistics;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Frames per second end to end and by stage, time to the first frame, and key to frame. */
@Command(name = "speed", description = "Frames per second end to end and by stage, and latencies.")
final class SpeedReport extends Evaluation {

    private static final double NEEDED_FRAMES_PER_SECOND = 8;
    private static final double ALLOWED_FIRST_FRAME_SECONDS = 2;

    @Option(names = "--runs", paramLabel = "N", description = "Sessions, one after the other; 3 by default.")
    int runs = 3;

    @Option(names = "--seconds", paramLabel = "N", description = "Length of each session's video; 15 by default.")
    int seconds = 15;

    @Override
    void measure(Report report) {
        int sessions = atLeastOne("--runs", runs);
        RgbImage picture = Walk.shippedPicture();
        List<Map<String, Object>> all = new ArrayList<>();
        List<List<String>> rows = new ArrayList<>();
        Map<String, Double> stageMillis = new TreeMap<>();
        double slowest = Double.POSITIVE_INFINITY;
        double latest = 0;
        try (WorldModel opened = open(report)) {
            int frames = 1
                    + (int) Math.round(atLeastOne("--seconds", seconds)
                            * opened.description().framesPerSecond());
            for (int run = 0; run < sessions; run++) {
                WorldStart start =
                        WorldStart.image(picture).seed(seed + run).script(KeyScript.parse(Walk.DEFAULT_KEYS));
                SessionStatistics s;
                try (WorldSession session = opened.start(start);
                        Progress progress = progress(frames, "frames")) {
                    Play.frames(session, frames, () -> false, f -> progress.advanceTo(f.index() + 1));
                    s = session.statistics();
                }
                double perSecond = (frames - 1) / Stages.seconds(s.elapsed());
                double first = s.timeToFirstFrame().map(Stages::seconds).orElse(Double.NaN);
                slowest = Math.min(slowest, perSecond);
                latest = Math.max(latest, first);
                s.stages()
                        .forEach((k, v) -> stageMillis.merge(
                                k,
                                Stages.seconds(v.total()) * 1e3 / Math.max(1, s.frames() - 1) / sessions,
                                Double::sum));
                double p50 = Stages.percentileMillis(s.keyLatencies(), 0.5);
                double p95 = Stages.percentileMillis(s.keyLatencies(), 0.95);
                rows.add(List.of(
                        "run " + (run + 1),
                        Report.text(perSecond),
                        Report.text(first),
                        Report.text(p50),
                        Report.text(p95),
                        Long.toString(s.memoryPoints())));
                Map<String, Object> one = new LinkedHashMap<>();
                one.put("frames", frames);
                one.put("framesPerSecond", Stages.round(perSecond));
                one.put("timeToFirstFrameSeconds", Stages.round(first));
                one.put("keyToFrameP50Millis", Stages.round(p50));
                one.put("keyToFrameP95Millis", Stages.round(p95));
                one.put("stages", Stages.report(s));
                all.add(one);
            }
        }
        report.table(List.of("", "frames/s", "first frame s", "key p50 ms", "key p95 ms", "memory points"), rows);
        List<List<String>> stages = new ArrayList<>();
        stageMillis.forEach((k, v) -> stages.add(List.of(k, Report.text(v), Report.text(1000 / v))));
        report.table(List.of("stage", "ms per frame", "frames/s alone"), stages);
        report.line(
                "at least %.0f frames/s in every run: %s; first frame within %.0f s in every run: %s",
                NEEDED_FRAMES_PER_SECOND,
                Report.yesNo(slowest >= NEEDED_FRAMES_PER_SECOND),
                ALLOWED_FIRST_FRAME_SECONDS,
                Report.yesNo(latest <= ALLOWED_FIRST_FRAME_SECONDS));
        report.put("runs", all);
    }
}
