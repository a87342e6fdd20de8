package io.teleworld.core.schedule;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which tasks are done, running and ready. Shared by the simulator and the executor; confined to whoever holds their
 * lock. Its size is bounded by the segments in flight, not by the length of the session.
 */
final class TaskTracker {

    private static final double SMOOTHING = 0.2;

    private final TaskGraph graph;
    private final int segments;
    private final Set<Task> open = new LinkedHashSet<>();
    private final Set<Task> running = new HashSet<>();
    private final Set<Task> done = new HashSet<>();
    private final Map<TaskKind, Double> means = new EnumMap<>(TaskKind.class);
    private int oldest;
    private int next;

    /**
     * @param segments how many segments there are in all
     */
    TaskTracker(TaskGraph graph, int segments) {
        this.graph = graph;
        this.segments = segments;
        admit();
    }

    /** The segment behind the newest one that has begun is always there, so that its GUIDE can become ready. */
    private void admit() {
        while (next < segments && (next == oldest || begun(next - 1))) {
            open.addAll(graph.tasks(next));
            next++;
        }
    }

    private boolean begun(int segment) {
        Task guide = new Task(segment, TaskKind.GUIDE, 0);
        return isDone(guide) || running.contains(guide);
    }

    private boolean isDone(Task task) {
        return task.segment() < oldest || done.contains(task);
    }

    List<Task> ready() {
        List<Task> ready = new ArrayList<>();
        for (Task t : open) {
            if (graph.dependencies(t).stream().allMatch(this::isDone)) {
                ready.add(t);
            }
        }
        return ready;
    }

    void start(Task task) {
        if (!open.remove(task)) {
            throw new IllegalStateException(task + " is not waiting to start");
        }
        running.add(task);
        admit();
    }

    void finish(Task task, double seconds) {
        if (!running.remove(task)) {
            throw new IllegalStateException(task + " is not running");
        }
        done.add(task);
        means.merge(task.kind(), seconds, (old, now) -> old + SMOOTHING * (now - old));
        while (oldest < next && isComplete(oldest)) {
            int complete = oldest;
            oldest++;
            done.removeIf(t -> t.segment() == complete);
        }
        admit();
    }

    private boolean isComplete(int segment) {
        return open.stream().noneMatch(t -> t.segment() == segment)
                && running.stream().noneMatch(t -> t.segment() == segment);
    }

    int running() {
        return running.size();
    }

    boolean isRunning(Task task) {
        return running.contains(task);
    }

    boolean isAllDone() {
        return oldest >= segments;
    }

    /** Segments that have begun and are not complete. */
    int segmentsInFlight() {
        int count = 0;
        for (int s = oldest; s < next; s++) {
            if (begun(s)) {
                count++;
            }
        }
        return count;
    }

    /** Tasks that are held in memory. */
    int size() {
        return open.size() + running.size() + done.size();
    }

    ScheduleState state(int freeDevices, int queued, int capacity) {
        return new ScheduleState(ready(), freeDevices, oldest, means, queued, capacity);
    }
}
