package io.teleworld.examples;

import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.Drift;
import io.teleworld.core.evaluate.FrameQuality;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.worlds.TrajectoryKind;
import io.teleworld.worlds.WorldPool;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How pictures change over a minute, by planner. */
@Command(
        name = "drift",
        description = "Change of sharpness, saturation, contrast and PSNR over 60 s by planner, with curves as PNG. The"
                + " default list is 8,600 frames: six minutes at 25 frames/s.")
final class DriftReport extends CaseEvaluation {

    private static final String WALK = "walk";
    private static final String TRUTH = "truth";
    private static final int CHUNKS = 10;
    private static final double ALLOWED_PERCENT = 15;
    /** A truth this flat has no sharpness that could be kept. */
    private static final double LEAST = 1e-6;

    @Option(names = "--cases", paramLabel = "N", description = "Walks; 3 by default.")
    int walks = 3;

    @Option(names = "--seconds", paramLabel = "N", description = "Length of each; 60 by default.")
    int seconds = 60;

    @Option(
            names = "--planners",
            paramLabel = "NAME",
            split = ",",
            converter = PlannerChoice.Converter.class,
            description = "Planners, the one to compare with the others first; all three by default.")
    List<PlannerChoice> planners = List.of(PlannerChoice.values());

    @Option(
            names = "--one-way",
            description = "Walks that do not come back: what is filmed at the end is another place than at the start.")
    boolean oneWay;

    @Option(names = "--no-memory", description = "Without the memory: nothing but the planner holds errors back.")
    boolean noMemory;

    private enum Measure {
        SHARPNESS(FrameQuality::sharpness),
        SATURATION(FrameQuality::saturation),
        CONTRAST(FrameQuality::contrast);

        @SuppressWarnings("ImmutableEnumChecker") // a method reference
        private final ToDoubleFunction<FrameQuality> of;

        Measure(ToDoubleFunction<FrameQuality> of) {
            this.of = of;
        }

        String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Override
    String list() {
        return "seed " + seed + ", " + walks + " walks of " + seconds + " s" + (oneWay ? " one way" : " out and back")
                + (noMemory ? " without memory" : "") + ", planners " + planners;
    }

    /** Out and back the last frames show what the first showed, so that a change is the model's. */
    private TrajectoryKind kind() {
        return oneWay ? TrajectoryKind.RANDOM : TrajectoryKind.OUT_AND_BACK;
    }

    @Override
    List<Job> jobs() {
        return IntStream.range(0, atLeastOne("--cases", walks))
                .mapToObj(i -> new Job(WALK, "drift-" + i))
                .toList();
    }

    @Override
    Runner runner(Report report) {
        WorldModel own = open(report);
        @Nullable WorldModel other = openAgainst(report);
        Intrinsics camera = commonCamera(own, other);
        double fps = own.description().framesPerSecond();
        int frames = 1 + (int) Math.round(atLeastOne("--seconds", seconds) * fps);
        report.line("judged at %d×%d, %d frames each", camera.width(), camera.height(), frames);
        WorldPool maps = HeldOutCase.maps();
        return new Runner() {
            @Override
            public Case run(Job job) {
                HeldOutCase one = HeldOutCase.named(maps, job.name(), frames, kind(), camera, seed);
                WorldStart start = WorldStart.image(one.start())
                        .superResolution(false)
                        .memory(!noMemory)
                        .seed(seed)
                        .cameraPath(one.path());
                List<RgbImage> truth = new ArrayList<>();
                List<FrameQuality> its = new ArrayList<>();
                for (int f = 0; f < frames; f++) {
                    truth.add(one.truth(f));
                    its.add(FrameQuality.of(truth.get(f)));
                }
                Map<String, Map<String, Object>> arms = new LinkedHashMap<>();
                for (PlannerChoice planner : planners) {
                    List<WorldFrame> video = Play.frames(own, planner.configure(start), frames);
                    arms.put(planner.toString(), measures(video, truth, its, fps));
                }
                if (other != null) {
                    List<WorldFrame> video = Play.frames(other, planners.get(0).configure(start), frames);
                    arms.put(AGAINST, measures(video, truth, its, fps));
                }
                Map<String, Object> own = new LinkedHashMap<>();
                for (Measure m : Measure.values()) {
                    change(own, m.key(), its.stream().mapToDouble(m.of).toArray());
                }
                arms.put(TRUTH, own);
                return new Case(one.name(), arms);
            }

            @Override
            public void close() {
                own.close();
                if (other != null) {
                    other.close();
                }
            }
        };
    }

    private static Map<String, Object> measures(
            List<WorldFrame> video, List<RgbImage> truth, List<FrameQuality> its, double fps) {
        int n = video.size();
        double[] psnr = new double[n];
        List<FrameQuality> own = new ArrayList<>();
        for (int f = 0; f < n; f++) {
            RgbImage image = Scores.at(video.get(f).image(), truth.get(f));
            psnr[f] = Scores.psnr(image, truth.get(f));
            own.add(FrameQuality.of(image));
        }
        Map<String, Object> out = new LinkedHashMap<>();
        // The start picture is not generated, and of the first frames the memory still knows most.
        double[] generated = Arrays.copyOfRange(psnr, Math.min(1, n - 1), n);
        int share = Math.max(1, (int) Math.round(0.15 * generated.length));
        out.put("psnrFirst", Arrays.stream(generated, 0, share).average().orElse(Double.NaN));
        out.put(
                "psnrLast",
                Arrays.stream(generated, generated.length - share, generated.length)
                        .average()
                        .orElse(Double.NaN));
        error(out, "psnr", psnr);
        out.put("psnrPerSecond", perSecond(psnr, fps));
        for (Measure m : Measure.values()) {
            double[] values = own.stream().mapToDouble(m.of).toArray();
            double[] ratio = new double[n];
            for (int f = 0; f < n; f++) {
                double truthful = m.of.applyAsDouble(its.get(f));
                ratio[f] = truthful < LEAST ? 1 : values[f] / truthful;
            }
            change(out, m.key(), values);
            change(out, m.key() + "ToTruth", ratio);
            error(out, m.key(), values);
            out.put(m.key() + "ToTruthPerSecond", perSecond(ratio, fps));
        }
        return out;
    }

    /** FramePack's Δ, in percent of the first 15 % of the frames, and the same with its sign. */
    private static void change(Map<String, Object> out, String name, double[] values) {
        double[] generated = Arrays.copyOfRange(values, Math.min(1, values.length - 1), values.length);
        int share = Math.max(1, (int) Math.round(0.15 * generated.length));
        double first = Arrays.stream(generated, 0, share).average().orElse(Double.NaN);
        double percent = first == 0 ? Double.NaN : 100 * Drift.change(generated) / first;
        out.put(name + "ChangePercent", percent);
        out.put(name + "DeltaPercent", Math.abs(percent));
    }

    private static void error(Map<String, Object> out, String name, double[] values) {
        double[] generated = Arrays.copyOfRange(values, Math.min(1, values.length - 1), values.length);
        if (generated.length < CHUNKS) {
            return;
        }
        double[] chunks = Drift.chunkMeans(generated, CHUNKS);
        if (chunks[0] != 0 && Double.isFinite(chunks[0])) {
            out.put(name + "VdeLinear", Drift.videoDriftError(chunks, Drift.Weighting.LINEAR));
            out.put(name + "VdeLog", Drift.videoDriftError(chunks, Drift.Weighting.LOGARITHMIC));
        }
    }

    private static double[] perSecond(double[] values, double fps) {
        int n = Math.max(1, (int) ((values.length - 1) / fps));
        double[] out = new double[n];
        for (int s = 0; s < n; s++) {
            int from = 1 + (int) Math.round(s * fps);
            int to = Math.min(values.length, 1 + (int) Math.round((s + 1) * fps));
            out[s] = Arrays.stream(values, Math.min(from, to - 1), to).average().orElse(Double.NaN);
        }
        return out;
    }

    @Override
    void summarise(Report report, CaseResults results) {
        Bootstrap bootstrap = bootstrap();
        Map<String, Object> summary = new LinkedHashMap<>();
        List<String> arms =
                new ArrayList<>(planners.stream().map(PlannerChoice::toString).toList());
        arms.add(AGAINST);
        arms.removeIf(a -> !results.has(WALK, a));
        report.line(
                "Δ = |mean of the last 15 %% − mean of the first 15 %%| in %% of the first; what is filmed changes a little even out and back,"
                        + " so the truth's Δ on the same paths and that of the ratio to the truth stand beside it; 95 %% bootstrap"
                        + " intervals");
        List<List<String>> rows = new ArrayList<>();
        for (String arm : arms) {
            Map<String, Object> entry = new LinkedHashMap<>();
            for (Measure m : Measure.values()) {
                String delta = m.key() + "DeltaPercent";
                String ratio = m.key() + "ToTruthDeltaPercent";
                put(entry, delta, bootstrap, results.values(WALK, arm, delta));
                put(entry, ratio, bootstrap, results.values(WALK, arm, ratio));
                put(entry, m.key() + "VdeLog", bootstrap, results.values(WALK, arm, m.key() + "VdeLog"));
                rows.add(List.of(
                        arm,
                        m.key(),
                        cell(bootstrap, results.values(WALK, arm, delta)),
                        cell(bootstrap, results.values(WALK, TRUTH, delta)),
                        cell(bootstrap, results.values(WALK, arm, ratio)),
                        signed(results.values(WALK, arm, m.key() + "ToTruthChangePercent")),
                        cell(bootstrap, results.values(WALK, arm, m.key() + "VdeLinear")),
                        cell(bootstrap, results.values(WALK, arm, m.key() + "VdeLog"))));
            }
            summary.put(arm, entry);
        }
        report.table(
                List.of("", "measure", "Δ %", "truth's Δ %", "Δ % of ratio", "change %", "VDE linear", "VDE log"),
                rows);
        psnr(report, results, arms, summary);
        verdict(report, results, summary);
        charts(report, results, arms);
        report.put("summary", summary);
    }

    private static String signed(double[] values) {
        return values.length == 0
                ? "–"
                : String.format(
                        Locale.ROOT, "%+.1f", Arrays.stream(values).average().orElse(Double.NaN));
    }

    private void psnr(Report report, CaseResults results, List<String> arms, Map<String, Object> summary) {
        Bootstrap bootstrap = bootstrap();
        String leading = planners.get(0).toString();
        report.line("PSNR in dB against the truth, first and last 15 %% of the frames");
        List<List<String>> rows = new ArrayList<>();
        Map<String, Object> entries = new LinkedHashMap<>();
        for (String arm : arms) {
            Map<String, Object> entry = new LinkedHashMap<>();
            put(entry, "first", bootstrap, results.values(WALK, arm, "psnrFirst"));
            put(entry, "last", bootstrap, results.values(WALK, arm, "psnrLast"));
            put(entry, "lost", bootstrap, results.pairs(WALK, arm, "psnrFirst", arm, "psnrLast"));
            put(entry, leading + " − this, last", bootstrap, results.pairs(WALK, leading, arm, "psnrLast"));
            entries.put(arm, entry);
            rows.add(List.of(
                    arm,
                    cell(bootstrap, results.values(WALK, arm, "psnrFirst")),
                    cell(bootstrap, results.values(WALK, arm, "psnrLast")),
                    cell(bootstrap, results.pairs(WALK, arm, "psnrFirst", arm, "psnrLast")),
                    arm.equals(leading) ? "–" : cell(bootstrap, results.pairs(WALK, leading, arm, "psnrLast")),
                    cell(bootstrap, results.values(WALK, arm, "psnrVdeLog"))));
        }
        report.table(List.of("", "first", "last", "lost", leading + " − this, last", "VDE log"), rows);
        summary.put("psnr", entries);
    }

    private void verdict(Report report, CaseResults results, Map<String, Object> summary) {
        String leading = planners.get(0).toString();
        if (!results.has(WALK, leading)) {
            return;
        }
        boolean raw = true;
        boolean ratio = true;
        for (Measure m : Measure.values()) {
            raw &= mean(results.values(WALK, leading, m.key() + "DeltaPercent")) <= ALLOWED_PERCENT;
            ratio &= mean(results.values(WALK, leading, m.key() + "ToTruthDeltaPercent")) <= ALLOWED_PERCENT;
        }
        report.line(
                "%s: Δ of sharpness, saturation and contrast at most %.0f %%: %s; of their ratios to the truth: %s",
                leading, ALLOWED_PERCENT, Report.yesNo(raw), Report.yesNo(ratio));
        summary.put("deltaWithinLimit", raw);
        summary.put("deltaOfRatioWithinLimit", ratio);
    }

    private static double mean(double[] values) {
        return Arrays.stream(values).average().orElse(Double.NaN);
    }

    private void charts(Report report, CaseResults results, List<String> arms) {
        LineChart psnr = new LineChart("PSNR against the truth", "seconds", "dB");
        LineChart sharp = new LineChart("Sharpness, share of the truth's", "seconds", "");
        for (String arm : arms) {
            psnr.add(arm, results.meanCurve(WALK, arm, "psnrPerSecond"));
            sharp.add(arm, results.meanCurve(WALK, arm, "sharpnessToTruthPerSecond"));
        }
        psnr.write(out.resolve("drift-psnr.png"));
        sharp.write(out.resolve("drift-sharpness.png"));
        report.line("%s, %s", out.resolve("drift-psnr.png"), out.resolve("drift-sharpness.png"));
    }
}
