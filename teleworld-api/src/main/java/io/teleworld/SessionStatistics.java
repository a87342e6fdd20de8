package io.teleworld;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a session has done so far. Immutable.
 *
 * @param frames frames put out, the start picture included
 * @param elapsed since the session was started
 * @param stages by name (START, GUIDE, PLAN, POPULATE, REENCODE, RECONSTRUCT, DECODE, UPSCALE, EMIT)
 * @param timeToFirstFrame from the start of the session to the first generated frame (not the start picture)
 * @param keyLatencies for each key event that was answered, from the call to the first frame that answers it
 * @param memoryPoints points in the 4D memory
 * @param heapBytes Java heap in use
 * @param nativeBytes weights and states that the model's runtime holds
 */
public record SessionStatistics(
        long frames,
        Duration elapsed,
        Map<String, Stage> stages,
        Optional<Duration> timeToFirstFrame,
        List<Duration> keyLatencies,
        long memoryPoints,
        long heapBytes,
        long nativeBytes) {

    public SessionStatistics {
        stages = Map.copyOf(stages);
        keyLatencies = List.copyOf(keyLatencies);
    }

    /**
     * How often a stage ran and how long it took in all.
     *
     * @param count completed runs
     * @param total time in all of them
     */
    public record Stage(long count, Duration total) {

        /** Milliseconds of one run on average, or 0 if there was none. */
        public double meanMillis() {
            return count == 0 ? 0 : total.toNanos() / 1e6 / count;
        }
    }
}
