package io.teleworld.core.schedule;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Critical path first (paper §3.6.1): what the next segment waits for precedes everything else, and among such tasks
 * the one with the longest way to the next plan, by observed times. Then the earliest segment: pictures that are ready
 * to be decoded before frames that are still to be populated.
 *
 * <p>A segment is planned at most {@code lookahead} segments ahead of the earliest incomplete one, and keys of a new
 * segment are not sampled while the reader has a full queue, so that they are answered by frames that it sees soon.
 *
 * <p>Immutable and thread-safe.
 */
public final class CriticalPathPolicy implements SchedulingPolicy {

    private static final double UNKNOWN_SECONDS = 1e-3;

    private final int lookahead;
    private final Set<TaskKind> hostKinds;

    /**
     * A policy for tasks that all need a device, but for EMIT.
     *
     * @param lookahead segments that may be planned ahead, at least 0
     */
    public CriticalPathPolicy(int lookahead) {
        this(lookahead, EnumSet.of(TaskKind.EMIT));
    }

    /**
     * A policy.
     *
     * @param lookahead segments that may be planned ahead, at least 0
     * @param hostKinds tasks that need no device and start as soon as they are ready
     */
    public CriticalPathPolicy(int lookahead, Set<TaskKind> hostKinds) {
        if (lookahead < 0) {
            throw new IllegalArgumentException("look-ahead is " + lookahead + " segments; it must be at least 0");
        }
        this.lookahead = lookahead;
        this.hostKinds = Set.copyOf(hostKinds);
    }

    /** Whether a task occupies a device. */
    public boolean needsDevice(Task task) {
        return !hostKinds.contains(task.kind());
    }

    @Override
    public List<Decision> decide(ScheduleState state) {
        List<Task> ordered = new ArrayList<>(state.ready());
        ordered.sort(Comparator.comparing((Task t) -> !t.kind().isChain())
                .thenComparingDouble(t -> t.kind().isChain() ? -wayToNextPlan(t.kind(), state.meanSeconds()) : 0)
                .thenComparingInt(Task::segment)
                .thenComparing(t -> t.kind() == TaskKind.POPULATE)
                .thenComparing(Task::kind)
                .thenComparingInt(Task::part));
        List<Decision> decisions = new ArrayList<>();
        int free = state.freeDevices();
        for (Task t : ordered) {
            boolean device = needsDevice(t);
            int ahead = t.segment() - state.oldestSegment();
            if (t.kind() == TaskKind.GUIDE && ahead > lookahead) {
                decisions.add(new Decision(
                        t, false, ahead + " segments ahead of what is shown; " + lookahead + " are allowed"));
            } else if (t.kind() == TaskKind.GUIDE && state.queuedChunks() >= state.queueCapacity()) {
                decisions.add(new Decision(t, false, "the reader has " + state.queuedChunks() + " chunks waiting"));
            } else if (!device) {
                decisions.add(new Decision(t, true, "needs no device"));
            } else if (free == 0) {
                decisions.add(new Decision(t, false, "no device is free"));
            } else {
                free--;
                decisions.add(new Decision(
                        t,
                        true,
                        t.kind().isChain()
                                ? "on the path to the next segment"
                                : "earliest segment that is not complete"));
            }
        }
        return decisions;
    }

    /** Seconds from the start of a task of this kind to the start of the next segment's plan. */
    private static double wayToNextPlan(TaskKind kind, Map<TaskKind, Double> times) {
        double own = times.getOrDefault(kind, UNKNOWN_SECONDS);
        return switch (kind) {
            case GUIDE, REENCODE -> own;
            case RECONSTRUCT -> own + times.getOrDefault(TaskKind.GUIDE, UNKNOWN_SECONDS);
            case PLAN ->
                own + Math.max(wayToNextPlan(TaskKind.RECONSTRUCT, times), wayToNextPlan(TaskKind.REENCODE, times));
            case POPULATE, DECODE, UPSCALE, EMIT -> 0;
        };
    }
}
