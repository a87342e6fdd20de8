package io.teleworld.core.schedule;

import java.util.List;
import java.util.Map;

/**
 * What a policy decides on. Immutable data: no clock and no thread is behind it.
 *
 * @param ready tasks whose dependencies are complete and that are not running
 * @param freeDevices devices that run nothing
 * @param oldestSegment the earliest segment that is not complete
 * @param meanSeconds observed time of each kind of task; a kind that was not seen yet is missing
 * @param queuedChunks chunks that wait for the reader
 * @param queueCapacity the most chunks that may wait
 */
public record ScheduleState(
        List<Task> ready,
        int freeDevices,
        int oldestSegment,
        Map<TaskKind, Double> meanSeconds,
        int queuedChunks,
        int queueCapacity) {

    public ScheduleState {
        ready = List.copyOf(ready);
        meanSeconds = Map.copyOf(meanSeconds);
    }
}
