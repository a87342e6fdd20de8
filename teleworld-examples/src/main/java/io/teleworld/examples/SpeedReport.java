package io.teleworld.examples;

import io.teleworld.KeyScript;
import io.teleworld.RgbImage;
import io.teleworld.SessionStatistics;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Frames per second end to end and by stage, time to the first frame, and key to frame, by planner. */
@Command(
        name = "speed",
        description = "Frames per second end to end and by stage, time to the first frame, and from key to frame.")
final class SpeedReport extends Evaluation {

    private static final double NEEDED_FRAMES_PER_SECOND = 24;
    private static final double ALLOWED_FIRST_FRAME_SECONDS = 1;

    @Option(
            names = "--runs",
            paramLabel = "N",
            description = "Sessions of each planner, one after the other; 3 by default.")
    int runs = 3;

    @Option(names = "--seconds", paramLabel = "N", description = "Length of each session's video; 15 by default.")
    int seconds = 15;

    @Option(
            names = "--planner",
            paramLabel = "NAME",
            split = ",",
            converter = PlannerChoice.Converter.class,
            description = "macro-micro (the default), frame-chain or whole-segment; several are measured in turn.")
    List<PlannerChoice> planners = List.of(PlannerChoice.MACRO_MICRO);

    @Option(
            names = "--presses",
            paramLabel = "N",
            description =
                    "Keys that are pressed at random moments to measure from key to frame, 0 for none; 20 by default.")
    int presses = 20;

    /** From key to frame at p95, in seconds. */
    private static double allowedLatency(PlannerChoice planner) {
        return planner == PlannerChoice.FRAME_CHAIN ? 0.5 : 1.2;
    }

    @Override
    void measure(Report report) {
        List<Map<String, Object>> all = new ArrayList<>();
        List<Map<String, Object>> latencies = new ArrayList<>();
        try (WorldModel opened = open(report)) {
            for (PlannerChoice planner : planners) {
                throughput(report, opened, planner, all);
            }
            List<List<String>> rows = new ArrayList<>();
            for (PlannerChoice planner : planners) {
                for (boolean paced : new boolean[] {false, true}) {
                    if (presses > 0) {
                        latency(opened, planner, paced, rows, latencies);
                    }
                }
            }
            if (presses > 0) {
                report.line(
                        "from key to the first frame that answers, %d keys at random moments; frames shown at once, or at the"
                                + " video's rate with one chunk waiting",
                        presses);
                report.table(
                        List.of("planner, frames shown", "answered", "p50 ms", "p95 ms", "p95 allowed", "within"),
                        rows);
            }
        }
        report.put("runs", all);
        report.put("keyToFrame", latencies);
    }

    private void throughput(Report report, WorldModel opened, PlannerChoice planner, List<Map<String, Object>> all) {
        int sessions = atLeastOne("--runs", runs);
        RgbImage picture = Walk.shippedPicture();
        List<List<String>> rows = new ArrayList<>();
        Map<String, Double> stageMillis = new TreeMap<>();
        double[] rates = new double[sessions];
        double slowest = Double.POSITIVE_INFINITY;
        double latest = 0;
        int frames = 1
                + (int) Math.round(
                        atLeastOne("--seconds", seconds) * opened.description().framesPerSecond());
        for (int run = 0; run < sessions; run++) {
            WorldStart start = planner.configure(
                    WorldStart.image(picture).seed(seed + run).script(KeyScript.parse(Walk.DEFAULT_KEYS)));
            SessionStatistics s;
            try (WorldSession session = opened.start(start);
                    Progress progress = progress(frames, "frames")) {
                Play.frames(session, frames, () -> false, f -> progress.advanceTo(f.index() + 1));
                s = session.statistics();
            }
            double perSecond = (frames - 1) / Stages.seconds(s.elapsed());
            rates[run] = perSecond;
            double first = s.timeToFirstFrame().map(Stages::seconds).orElse(Double.NaN);
            slowest = Math.min(slowest, perSecond);
            latest = Math.max(latest, first);
            s.stages()
                    .forEach((k, v) -> stageMillis.merge(
                            k, Stages.seconds(v.total()) * 1e3 / Math.max(1, s.frames() - 1) / sessions, Double::sum));
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
            one.put("planner", planner.toString());
            one.put("frames", frames);
            one.put("framesPerSecond", Stages.round(perSecond));
            one.put("timeToFirstFrameSeconds", Stages.round(first));
            one.put("keyToFrameP50Millis", Stages.round(p50));
            one.put("keyToFrameP95Millis", Stages.round(p95));
            one.put("stages", Stages.report(s));
            all.add(one);
        }
        Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
        report.line(
                "planner %s: %s frames/s; a script's keys count from the segment that takes them",
                planner, Report.text(bootstrap.mean(rates)));
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
    }

    private void latency(
            WorldModel opened,
            PlannerChoice planner,
            boolean paced,
            List<List<String>> rows,
            List<Map<String, Object>> entries) {
        WorldStart start =
                planner.configure(WorldStart.image(Walk.shippedPicture()).seed(seed));
        List<Duration> found = LiveKeys.latencies(opened, start, presses, paced, seed);
        double p50 = Stages.percentileMillis(found, 0.5);
        double p95 = Stages.percentileMillis(found, 0.95);
        double allowed = 1000 * allowedLatency(planner);
        String shown = paced ? "at the video's rate" : "at once";
        rows.add(List.of(
                planner + ", " + shown,
                Integer.toString(found.size()),
                Report.text(p50),
                Report.text(p95),
                String.format(Locale.ROOT, "%.0f", allowed),
                Report.yesNo(p95 <= allowed)));
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("planner", planner.toString());
        entry.put("shown", shown);
        entry.put("answered", found.size());
        entry.put("p50Millis", Stages.round(p50));
        entry.put("p95Millis", Stages.round(p95));
        entries.add(entry);
    }
}
