package io.teleworld.core.plan;

import io.teleworld.GenerationStage;
import io.teleworld.Planner;
import io.teleworld.SegmentPlan;
import io.teleworld.StageKind;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Denoises all frames of a segment jointly: the upper bound of consistency within a segment, with the highest latency.
 *
 * <p>Immutable and thread-safe. Keyframes are the second, the middle and the last frame, as in the micro plan.
 */
public final class WholeSegmentPlanner implements Planner {

    private final SegmentPlan plan;

    /** Segments of ten latent frames. */
    public WholeSegmentPlanner() {
        this(10);
    }

    /**
     * Segments of another length.
     *
     * @param length latent frames with the given one, at least 2
     */
    public WholeSegmentPlanner(int length) {
        if (length < 2) {
            throw new IllegalArgumentException("segment length is " + length + " latent frames; at least 2 are needed");
        }
        List<Integer> made = IntStream.rangeClosed(2, length).boxed().toList();
        List<Integer> keyframes = List.copyOf(new TreeSet<>(List.of(2, Math.max(2, 1 + length / 2), length)));
        this.plan = new SegmentPlan(
                length,
                List.of(1),
                List.of(new GenerationStage(StageKind.PLAN, made, List.of(1))),
                keyframes,
                length,
                made);
    }

    @Override
    public SegmentPlan plan(int segment) {
        return plan;
    }
}
