package io.teleworld.examples;

import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.core.evaluate.ImageMetrics;
import io.teleworld.worlds.TrajectoryKind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Whether a place looks as before when the camera comes back to it: closure with and without memory. */
@Command(name = "memory", description = "Closure PSNR of paths that return to their first pose, memory on and off.")
final class MemoryReport extends Evaluation {

    @Option(names = "--out-and-back", paramLabel = "N", description = "Paths that go back as they came; 12 by default.")
    int outAndBack = 12;

    @Option(names = "--full-turns", paramLabel = "N", description = "Full turns on the spot; 8 by default.")
    int fullTurns = 8;

    @Option(
            names = "--frames",
            paramLabel = "N",
            description = "Frames of each path, the start picture included; 161 by default.")
    int frames = 161;

    @Override
    void measure(Report report) {
        try (WorldModel opened = open(report)) {
            List<Map<String, Object>> each = new ArrayList<>();
            Arms away = closures(opened, TrajectoryKind.OUT_AND_BACK, atLeastOne("--out-and-back", outAndBack), each);
            Arms turns = closures(opened, TrajectoryKind.FULL_TURN, atLeastOne("--full-turns", fullTurns), each);
            Arms all = away.and(turns);
            Bootstrap bootstrap = new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
            report.line(
                    "closure: PSNR in dB of the last frame against the start picture, same pose, %d frames apart, on"
                            + " held-out maps; 95 %% bootstrap intervals, difference paired",
                    frames - 1);
            Map<String, Object> summary = new LinkedHashMap<>();
            List<List<String>> rows = List.of(
                    row("out and back", away, bootstrap, summary),
                    row("full turn", turns, bootstrap, summary),
                    row("all", all, bootstrap, summary));
            report.table(List.of("path", "paths", "memory on", "memory off", "on − off"), rows);
            report.line(
                    "memory helps, interval excluding 0: %s",
                    Report.yesNo(bootstrap.difference(all.on, all.off).isAbove(0)));
            report.put("frames", frames);
            report.put("summary", summary);
            report.put("cases", each);
        }
    }

    /** Closures in dB, case by case. */
    private static final class Arms {
        final double[] on;
        final double[] off;

        Arms(double[] on, double[] off) {
            this.on = on;
            this.off = off;
        }

        Arms and(Arms more) {
            return new Arms(join(on, more.on), join(off, more.off));
        }

        private static double[] join(double[] a, double[] b) {
            return DoubleStream.concat(DoubleStream.of(a), DoubleStream.of(b)).toArray();
        }
    }

    private static List<String> row(String name, Arms arms, Bootstrap bootstrap, Map<String, Object> summary) {
        Bootstrap.Interval on = bootstrap.mean(arms.on);
        Bootstrap.Interval off = bootstrap.mean(arms.off);
        Bootstrap.Interval difference = bootstrap.difference(arms.on, arms.off);
        summary.put(name, Map.of("on", on, "off", off, "onMinusOff", difference));
        return List.of(name, Integer.toString(on.count()), Report.text(on), Report.text(off), Report.text(difference));
    }

    private Arms closures(WorldModel opened, TrajectoryKind kind, int count, List<Map<String, Object>> each) {
        List<HeldOutCase> cases = HeldOutCase.draw(
                count,
                atLeastOne("--frames", frames),
                kind,
                opened.description().intrinsics(),
                seed);
        double[] on = new double[count];
        double[] off = new double[count];
        try (Progress progress = progress(count, "paths")) {
            for (int i = 0; i < count; i++) {
                HeldOutCase one = cases.get(i);
                WorldStart start = WorldStart.image(one.start())
                        .superResolution(false)
                        .seed(seed + i)
                        .cameraPath(one.path());
                on[i] = closure(opened, start, one.start());
                off[i] = closure(opened, start.memory(false), one.start());
                each.add(Map.of("world", one.name(), "path", kind, "on", on[i], "off", off[i]));
                progress.advance();
            }
        }
        return new Arms(on, off);
    }

    private double closure(WorldModel opened, WorldStart start, RgbImage first) {
        List<WorldFrame> video = Play.frames(opened, start, frames);
        return Math.min(MAX_PSNR, ImageMetrics.psnr(video.get(frames - 1).image(), first));
    }
}
