package io.teleworld.core.loop;

import io.teleworld.SessionStatistics;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

/** How often each stage ran and how long it took. Thread-safe. */
final class StageClock {

    private final Map<String, SessionStatistics.Stage> stages = new TreeMap<>();

    synchronized void add(String stage, long nanos) {
        stages.merge(
                stage,
                new SessionStatistics.Stage(1, Duration.ofNanos(nanos)),
                (a, b) -> new SessionStatistics.Stage(
                        a.count() + b.count(), a.total().plus(b.total())));
    }

    synchronized Map<String, SessionStatistics.Stage> stages() {
        return Map.copyOf(stages);
    }
}
