package io.teleworld;

/**
 * Decides how segments are made (paper §3.2). Implementations are thread-safe, and the same segment number gives the
 * same plan. All plans of a planner have one length and hand-off, so that control poses can be integrated ahead.
 */
@FunctionalInterface
public interface Planner {

    /**
     * The plan of a segment.
     *
     * @param segment from 0
     */
    SegmentPlan plan(int segment);
}
