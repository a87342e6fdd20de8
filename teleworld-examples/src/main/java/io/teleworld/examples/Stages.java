package io.teleworld.examples;

import io.teleworld.SessionStatistics;
import io.teleworld.core.evaluate.Bootstrap;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A session's statistics as entries of a report. Stateless and thread-safe. */
final class Stages {

    private static final List<String> ORDER =
            List.of("START", "GUIDE", "PLAN", "POPULATE", "REENCODE", "RECONSTRUCT", "DECODE", "UPSCALE", "EMIT");

    private Stages() {}

    /** Frames per second that a stage alone could deliver, how often it ran, and its mean time, by stage. */
    static Map<String, Object> report(SessionStatistics s) {
        Map<String, Object> out = new LinkedHashMap<>();
        long generated = Math.max(0, s.frames() - 1);
        for (String name : ORDER) {
            SessionStatistics.Stage stage = s.stages().get(name);
            if (stage == null || stage.count() == 0) {
                continue;
            }
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("runs", stage.count());
            one.put("meanMillis", round(stage.meanMillis()));
            one.put("totalSeconds", round(seconds(stage.total())));
            one.put("framesPerSecond", round(generated / Math.max(1e-9, seconds(stage.total()))));
            out.put(name, one);
        }
        return out;
    }

    /** Percentile of durations in milliseconds, or NaN if there are none. */
    static double percentileMillis(List<Duration> durations, double share) {
        if (durations.isEmpty()) {
            return Double.NaN;
        }
        double[] millis =
                durations.stream().mapToDouble(d -> d.toNanos() / 1e6).sorted().toArray();
        return Bootstrap.percentile(millis, share);
    }

    static double seconds(Duration d) {
        return d.toNanos() / 1e9;
    }

    /** Three decimals, which is more than any of these figures is worth. */
    static double round(double value) {
        return Double.isFinite(value) ? Math.round(1e3 * value) / 1e3 : value;
    }
}
