package io.teleworld.examples;

import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.worlds.TrajectoryKind;
import io.teleworld.worlds.WorldPool;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Agreement with the truth along walks and on coming back, with and without memory. */
@Command(
        name = "truth",
        description =
                "PSNR and SSIM against the truth 1, 4 and 16 s in, and on coming back after 60, 240 and 960 frames,"
                        + " memory on and off. The default list is 15,200 frames: ten minutes at 25 frames/s.")
final class TruthReport extends CaseEvaluation {

    private static final int[] SECONDS = {1, 4, 16};
    private static final int[] GAPS = {60, 240, 960};
    private static final String WALK = "walk";
    private static final String ON = "memory on";
    private static final String OFF = "memory off";
    private static final String FIRST = "first picture";
    /** What a later model shall be better by, in dB. */
    private static final double NEEDED_GAIN = 1.5;

    @Option(names = "--cases", paramLabel = "N", description = "Walks of 16 s; 8 by default.")
    int walks = 8;

    @Option(
            names = "--revisits",
            paramLabel = "N,N,N",
            split = ",",
            description = "Paths that come back after 60, 240 and 960 frames; 12,8,3 by default.")
    List<Integer> revisits = List.of(12, 8, 3);

    @Option(names = "--seconds", paramLabel = "N", description = "Length of the walks; 16 by default.")
    int seconds = 16;

    @Override
    String list() {
        return "seed " + seed + ", " + walks + " walks of " + seconds + " s, revisits after 60, 240 and 960 frames: "
                + revisits;
    }

    @Override
    List<Job> jobs() {
        List<Job> jobs = new ArrayList<>();
        for (int g = GAPS.length - 1; g >= 0; g--) {
            int count = g < revisits.size() ? revisits.get(g) : 0;
            for (int i = 0; i < count; i++) {
                jobs.add(new Job(revisit(GAPS[g]), "revisit-" + GAPS[g] + "-" + i));
            }
            for (int i = 0; i < walks && g == 1; i++) {
                jobs.add(new Job(WALK, "walk-" + i));
            }
        }
        return jobs;
    }

    private static String revisit(int gap) {
        return "revisit " + gap;
    }

    @Override
    Runner runner(Report report) {
        WorldModel own = open(report);
        @Nullable WorldModel other = openAgainst(report);
        Intrinsics camera = commonCamera(own, other);
        double fps = own.description().framesPerSecond();
        report.line("judged at %d×%d", camera.width(), camera.height());
        report.put("judgedAt", camera.width() + "×" + camera.height());
        WorldPool maps = HeldOutCase.maps();
        return new Runner() {
            @Override
            public Case run(Job job) {
                return job.group().equals(WALK) ? walk(job) : comeBack(job);
            }

            private Case walk(Job job) {
                int frames = 1 + (int) Math.round(seconds * fps);
                HeldOutCase one = HeldOutCase.named(maps, job.name(), frames, TrajectoryKind.RANDOM, camera, seed);
                Map<String, Map<String, Object>> arms = new LinkedHashMap<>();
                sessions(own, other, one, frames, (arm, video) -> {
                    Map<String, Object> measures = new LinkedHashMap<>();
                    for (int s : SECONDS) {
                        int frame = (int) Math.round(s * fps);
                        if (frame < frames) {
                            Scores.put(measures, at(s), video, one, frame);
                        }
                    }
                    arms.put(arm, measures);
                });
                Map<String, Object> still = new LinkedHashMap<>();
                for (int s : SECONDS) {
                    int frame = (int) Math.round(s * fps);
                    if (frame < frames) {
                        still.put("psnr" + at(s), Scores.psnr(one.start(), one.truth(frame)));
                    }
                }
                arms.put(FIRST, still);
                return new Case(one.name(), arms);
            }

            private Case comeBack(Job job) {
                int gap = Integer.parseInt(job.group().substring(job.group().indexOf(' ') + 1));
                int number = Integer.parseInt(job.name().substring(job.name().lastIndexOf('-') + 1));
                // A full turn within 60 frames would be faster than keys turn.
                TrajectoryKind kind =
                        gap > 60 && number % 2 == 1 ? TrajectoryKind.FULL_TURN : TrajectoryKind.OUT_AND_BACK;
                HeldOutCase one = HeldOutCase.named(maps, job.name(), gap + 1, kind, camera, seed);
                Map<String, Map<String, Object>> arms = new LinkedHashMap<>();
                sessions(own, other, one, gap + 1, (arm, video) -> {
                    Map<String, Object> measures = new LinkedHashMap<>();
                    Scores.put(measures, "", video, one, gap);
                    measures.put("psnrToFirstSight", Scores.psnr(video.get(gap).image(), one.start()));
                    arms.put(arm, measures);
                });
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

    private interface ArmSink {
        void take(String arm, List<WorldFrame> video);
    }

    private void sessions(WorldModel own, @Nullable WorldModel other, HeldOutCase one, int frames, ArmSink sink) {
        WorldStart start =
                WorldStart.image(one.start()).superResolution(false).seed(seed).cameraPath(one.path());
        sink.take(ON, Play.frames(own, start, frames));
        sink.take(OFF, Play.frames(own, start.memory(false), frames));
        if (other != null) {
            sink.take(AGAINST, Play.frames(other, start, frames));
        }
    }

    private static String at(int second) {
        return "At" + second + "s";
    }

    @Override
    void summarise(Report report, CaseResults results) {
        report.line(
                "PSNR in dB and SSIM against the truth on held-out maps, means of four frames; 95 %% bootstrap intervals,"
                        + " differences paired");
        Map<String, Object> summary = new LinkedHashMap<>();
        for (String measure : List.of("psnr", "ssim")) {
            List<List<String>> rows = new ArrayList<>();
            for (int s : SECONDS) {
                rows.add(row(results, WALK, measure + at(s), s + " s in", summary));
            }
            for (int gap : GAPS) {
                rows.add(row(results, revisit(gap), measure, "back after " + gap, summary));
            }
            if (measure.equals("psnr")) {
                for (int gap : GAPS) {
                    rows.add(row(
                            results, revisit(gap), "psnrToFirstSight", "back after " + gap + ", to start", summary));
                }
            }
            report.table(
                    List.of(
                            measure.equals("psnr") ? "PSNR" : "SSIM",
                            "paths",
                            ON,
                            OFF,
                            "on − off",
                            FIRST,
                            AGAINST,
                            "on − against"),
                    rows);
        }
        verdict(report, results, summary);
        report.put("summary", summary);
    }

    private List<String> row(
            CaseResults results, String group, String measure, String label, Map<String, Object> summary) {
        Bootstrap bootstrap = bootstrap();
        Map<String, Object> entry = new LinkedHashMap<>();
        put(entry, ON, bootstrap, results.values(group, ON, measure));
        put(entry, OFF, bootstrap, results.values(group, OFF, measure));
        put(entry, "on − off", bootstrap, results.pairs(group, ON, OFF, measure));
        put(entry, FIRST, bootstrap, results.values(group, FIRST, measure));
        put(entry, AGAINST, bootstrap, results.values(group, AGAINST, measure));
        put(entry, "on − against", bootstrap, results.pairs(group, ON, AGAINST, measure));
        summary.put(label + ", " + measure, entry);
        double[] on = results.values(group, ON, measure);
        return List.of(
                label,
                Integer.toString(on.length),
                cell(bootstrap, on),
                cell(bootstrap, results.values(group, OFF, measure)),
                cell(bootstrap, results.pairs(group, ON, OFF, measure)),
                cell(bootstrap, results.values(group, FIRST, measure)),
                cell(bootstrap, results.values(group, AGAINST, measure)),
                cell(bootstrap, results.pairs(group, ON, AGAINST, measure)));
    }

    private void verdict(Report report, CaseResults results, Map<String, Object> summary) {
        Map<String, String> wanted = new LinkedHashMap<>();
        for (int s : SECONDS) {
            wanted.put("psnr" + at(s), WALK);
        }
        int better = 0;
        int all = 0;
        for (Map.Entry<String, String> e : wanted.entrySet()) {
            double[][] pairs = results.pairs(e.getValue(), ON, AGAINST, e.getKey());
            all += pairs[0].length > 0 ? 1 : 0;
            better += gains(pairs) ? 1 : 0;
        }
        for (int gap : GAPS) {
            double[][] pairs = results.pairs(revisit(gap), ON, AGAINST, "psnr");
            all += pairs[0].length > 0 ? 1 : 0;
            better += gains(pairs) ? 1 : 0;
        }
        if (all > 0) {
            report.line("at least %.1f dB better than the other model: %d of %d", NEEDED_GAIN, better, all);
            summary.put("betterByNeededGain", better + " of " + all);
        }
    }

    private boolean gains(double[][] pairs) {
        return pairs[0].length > 0 && bootstrap().difference(pairs[0], pairs[1]).mean() >= NEEDED_GAIN;
    }
}
