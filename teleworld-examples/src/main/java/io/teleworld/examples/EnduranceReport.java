package io.teleworld.examples;

import io.teleworld.Key;
import io.teleworld.KeyScript;
import io.teleworld.Keys;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Drift;
import io.teleworld.core.evaluate.FrameQuality;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Whether a long run keeps its memory flat and its pictures alive. */
@Command(name = "endurance", description = "Heap, native memory and drift over minutes of play.")
final class EnduranceReport extends Evaluation {

    private static final int SAMPLES = 30;
    private static final int CHUNKS = 10;
    private static final double MEBI = 1 << 20;

    @Option(names = "--minutes", paramLabel = "N", description = "Minutes of video; 5 by default.")
    double minutes = 5;

    private record Sample(
            long frame, double videoSeconds, double heapMiB, double nativeMiB, double residentMiB, long points) {}

    @Override
    void measure(Report report) {
        try (WorldModel opened = open(report)) {
            double fps = opened.description().framesPerSecond();
            int total = 1 + atLeastOne("--minutes × 60 × frame rate", (int) Math.round(60 * minutes * fps));
            int every = Math.max(1, total / SAMPLES);
            List<FrameQuality> quality = new ArrayList<>(total);
            List<Sample> samples = new ArrayList<>();
            WorldStart start = WorldStart.image(Walk.shippedPicture())
                    .seed(seed)
                    .script(wander(total, new SplittableRandom(seed)));
            double seconds;
            try (WorldSession session = opened.start(start);
                    Progress progress = progress(total, "frames")) {
                Play.frames(session, total, () -> false, frame -> {
                    quality.add(FrameQuality.of(frame.image()));
                    if (frame.index() % every == 0) {
                        samples.add(sample(session, frame));
                    }
                    progress.advanceTo(frame.index() + 1);
                });
                seconds = Stages.seconds(session.statistics().elapsed());
            }
            report.line("%d frames in %.0f s (%.1f/s)", total, seconds, (total - 1) / seconds);
            memory(report, samples);
            drift(report, quality);
        }
    }

    private static Sample sample(WorldSession session, WorldFrame frame) {
        return new Sample(
                frame.index(),
                frame.timeSeconds(),
                Stages.round(Machine.usedHeapAfterCollection() / MEBI),
                Stages.round(session.statistics().nativeBytes() / MEBI),
                Stages.round(Machine.residentBytes().orElse(0) / MEBI),
                session.memory().pointCount());
    }

    private static void memory(Report report, List<Sample> samples) {
        List<List<String>> rows = new ArrayList<>();
        for (Sample s : samples) {
            rows.add(List.of(
                    Report.text(s.videoSeconds()),
                    Report.text(s.heapMiB()),
                    Report.text(s.nativeMiB()),
                    Report.text(s.residentMiB()),
                    Long.toString(s.points())));
        }
        report.table(List.of("video s", "heap MiB", "runtime MiB", "resident MiB", "memory points"), rows);
        Map<String, Object> growth = new LinkedHashMap<>();
        growth.put("heap", growth(report, "heap", samples, Sample::heapMiB));
        growth.put("runtime", growth(report, "runtime", samples, Sample::nativeMiB));
        growth.put("resident", growth(report, "resident", samples, Sample::residentMiB));
        report.put("samples", samples);
        report.put("growthFromSecondToLastThirdPercent", growth);
    }

    /** Of the last third's mean over the second third's, in percent: warming up is over by then. */
    private static double growth(Report report, String name, List<Sample> samples, ToDoubleFunction<Sample> value) {
        if (samples.size() < 3) {
            return 0;
        }
        double[] thirds = Drift.chunkMeans(samples.stream().mapToDouble(value).toArray(), 3);
        double percent = thirds[1] == 0 ? 0 : 100 * (thirds[2] / thirds[1] - 1);
        report.line("%s, last third of the run against the second: %+.1f %%", name, percent);
        return Stages.round(percent);
    }

    private static void drift(Report report, List<FrameQuality> quality) {
        List<List<String>> rows = new ArrayList<>();
        Map<String, Object> entries = new LinkedHashMap<>();
        Map<String, ToDoubleFunction<FrameQuality>> measures = new LinkedHashMap<>();
        measures.put("sharpness", FrameQuality::sharpness);
        measures.put("saturation", FrameQuality::saturation);
        measures.put("contrast", FrameQuality::contrast);
        measures.forEach((name, measure) -> {
            double[] values = quality.stream().mapToDouble(measure).toArray();
            double[] chunks = Drift.chunkMeans(values, Math.min(CHUNKS, values.length));
            double error = chunks.length < 2 || chunks[0] == 0
                    ? Double.NaN
                    : Drift.videoDriftError(chunks, Drift.Weighting.LOGARITHMIC);
            rows.add(List.of(
                    name,
                    figure(values[0]),
                    figure(chunks[0]),
                    figure(chunks[chunks.length - 1]),
                    figure(Drift.change(values)),
                    figure(Drift.delta(values)),
                    figure(error)));
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("delta", Drift.delta(values));
            one.put("change", Drift.change(values));
            one.put("videoDriftErrorLog", error);
            one.put("chunkMeans", chunks);
            entries.put(name, one);
        });
        report.line("drift: Δ = |mean of the first 15 %% − mean of the last 15 %%| of the frames");
        report.table(List.of("", "start picture", "first tenth", "last tenth", "change", "Δ", "VDE (log)"), rows);
        report.put("drift", entries);
    }

    private static String figure(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    /** A random walk that looks about: the same for the same generator. */
    private static KeyScript wander(int frames, SplittableRandom random) {
        List<KeyScript.Step> steps = new ArrayList<>();
        int left = frames;
        while (left > 0) {
            Key turn = random.nextBoolean() ? Key.LEFT : Key.RIGHT;
            int kind = random.nextInt(10);
            Keys keys = kind < 4
                    ? Keys.of(Key.W)
                    : kind < 7 ? Keys.of(Key.W, turn) : kind < 9 ? Keys.of(turn) : Keys.of(Key.S);
            int length = Math.min(left, 16 + random.nextInt(48));
            steps.add(new KeyScript.Step(keys, length));
            left -= length;
        }
        return new KeyScript(steps);
    }
}
