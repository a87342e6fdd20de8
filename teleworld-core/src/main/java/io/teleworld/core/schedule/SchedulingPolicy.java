package io.teleworld.core.schedule;

import java.util.List;

/** Decides which ready tasks start. A pure function: the same state gives the same decisions. Thread-safe. */
@FunctionalInterface
public interface SchedulingPolicy {

    /** One decision for every ready task, in the order in which they are to start. */
    List<Decision> decide(ScheduleState state);
}
