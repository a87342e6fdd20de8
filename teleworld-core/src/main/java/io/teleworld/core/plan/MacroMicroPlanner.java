package io.teleworld.core.plan;

import io.teleworld.ChainingPolicy;
import io.teleworld.Planner;
import io.teleworld.SegmentPlan;

/**
 * Macro-micro planning (paper §3.2): sparse frames of a segment are planned jointly from its first frame, the next
 * segment starts from one of them, and the frames between are populated afterwards.
 *
 * <p>Immutable and thread-safe. The planned frames up to the hand-off are the keyframes of the reconstruction.
 */
public final class MacroMicroPlanner implements Planner {

    private final SegmentPlan plan;

    /** Plans segments of ten latent frames. */
    public MacroMicroPlanner(ChainingPolicy chaining) {
        this(SegmentMap.MACRO_MICRO, chaining);
    }

    /** Plans segments by another map. */
    public MacroMicroPlanner(SegmentMap map, ChainingPolicy chaining) {
        SegmentPlan whole = map.plan(chaining);
        this.plan = new SegmentPlan(
                whole.length(),
                whole.given(),
                whole.stages(),
                whole.keyframes().stream().filter(f -> f <= whole.handoff()).toList(),
                whole.handoff(),
                whole.emitted());
    }

    @Override
    public SegmentPlan plan(int segment) {
        return plan;
    }
}
