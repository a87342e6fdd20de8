package io.teleworld.core.schedule;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.ToDoubleFunction;

/**
 * Runs a policy in virtual time, so that any number of devices can be planned and tested anywhere. The policy and the
 * task graph are those of the real executor.
 *
 * <p>Immutable and thread-safe.
 */
public final class VirtualTimeSimulator {

    private final TaskGraph graph;
    private final CriticalPathPolicy policy;
    private final int devices;
    private final ToDoubleFunction<Task> duration;

    /**
     * A simulator.
     *
     * @param devices at least 1
     * @param duration of each task in any unit, at least 0
     */
    public VirtualTimeSimulator(
            TaskGraph graph, CriticalPathPolicy policy, int devices, ToDoubleFunction<Task> duration) {
        if (devices < 1) {
            throw new IllegalArgumentException("there are " + devices + " devices; at least 1 is needed");
        }
        this.graph = graph;
        this.policy = policy;
        this.devices = devices;
        this.duration = duration;
    }

    /**
     * What happened. Immutable.
     *
     * @param runs when each task started and ended, in the order of starting
     * @param makespan when the last one ended
     * @param frames pixel frames that were put out
     * @param maxSegmentsInFlight the most segments that were begun and not complete
     * @param decisions all decisions that started a task, with their reasons
     */
    public record Result(
            Map<Task, Run> runs, double makespan, long frames, int maxSegmentsInFlight, List<Decision> decisions) {

        public Result {
            runs = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(runs));
            decisions = List.copyOf(decisions);
        }

        /** Pixel frames per unit of time. */
        public double framesPerUnit() {
            return frames / makespan;
        }

        /** When the last frame of a segment was populated and all its pictures were out. */
        public double completion(int segment) {
            return runs.entrySet().stream()
                    .filter(e -> e.getKey().segment() == segment && e.getKey().kind() == TaskKind.EMIT)
                    .mapToDouble(e -> e.getValue().end())
                    .max()
                    .orElseThrow(() -> new IllegalArgumentException("segment " + segment + " was not simulated"));
        }
    }

    /**
     * When a task ran.
     *
     * @param start in units of time
     * @param end in units of time
     */
    public record Run(double start, double end) {}

    private record Ending(double time, long order, Task task) {}

    /** Simulates a number of segments with a reader that takes every frame at once. */
    public Result run(int segments) {
        TaskTracker tracker = new TaskTracker(graph, segments);
        PriorityQueue<Ending> endings =
                new PriorityQueue<>(Comparator.comparingDouble(Ending::time).thenComparingLong(Ending::order));
        Map<Task, Run> runs = new LinkedHashMap<>();
        Map<Task, Double> lengths = new HashMap<>();
        List<Decision> started = new ArrayList<>();
        double now = 0;
        int busy = 0;
        long order = 0;
        int inFlight = 0;
        while (!tracker.isAllDone()) {
            boolean again = true;
            while (again) {
                again = false;
                for (Decision d : policy.decide(tracker.state(devices - busy, 0, 1))) {
                    if (!d.start()) {
                        continue;
                    }
                    Task t = d.task();
                    double length = duration.applyAsDouble(t);
                    tracker.start(t);
                    started.add(d);
                    runs.put(t, new Run(now, now + length));
                    lengths.put(t, length);
                    endings.add(new Ending(now + length, order++, t));
                    busy += policy.needsDevice(t) ? 1 : 0;
                    again |= length == 0;
                }
                inFlight = Math.max(inFlight, tracker.segmentsInFlight());
                // Tasks that take no time end before anything else is decided.
                again &= endings.peek() != null && endings.element().time() == now;
                while (!endings.isEmpty() && endings.element().time() == now) {
                    Task t = endings.remove().task();
                    tracker.finish(t, lengths.getOrDefault(t, 0.0));
                    busy -= policy.needsDevice(t) ? 1 : 0;
                    again = true;
                }
            }
            if (tracker.isAllDone()) {
                break;
            }
            if (endings.isEmpty()) {
                throw new IllegalStateException("nothing runs and nothing can start: " + tracker.ready());
            }
            now = endings.element().time();
            while (!endings.isEmpty() && endings.element().time() == now) {
                Task t = endings.remove().task();
                tracker.finish(t, lengths.getOrDefault(t, 0.0));
                busy -= policy.needsDevice(t) ? 1 : 0;
            }
        }
        long frames = 0;
        for (int s = 0; s < segments; s++) {
            frames += graph.plan(s).emittedPixelFrames();
        }
        return new Result(runs, now, frames, inFlight, started);
    }
}
