package io.teleworld.core.plan;

import io.teleworld.GenerationStage;
import io.teleworld.Planner;
import io.teleworld.SegmentPlan;
import io.teleworld.StageKind;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Autoregression by short blocks, as in Self-Forcing: each segment is one block of consecutive frames that is denoised
 * jointly from the last frame before it. Lowest latency; errors add up sooner than with {@link MacroMicroPlanner}.
 *
 * <p>Immutable and thread-safe.
 */
public final class FrameChainPlanner implements Planner {

    private final SegmentPlan plan;

    /** Blocks of three new latent frames. */
    public FrameChainPlanner() {
        this(3);
    }

    /**
     * Blocks of another size.
     *
     * @param block new latent frames per segment, at least 1
     */
    public FrameChainPlanner(int block) {
        if (block < 1) {
            throw new IllegalArgumentException("block is " + block + " latent frames; at least 1 is needed");
        }
        List<Integer> made = IntStream.rangeClosed(2, block + 1).boxed().toList();
        this.plan = new SegmentPlan(
                block + 1,
                List.of(1),
                List.of(new GenerationStage(StageKind.PLAN, made, List.of(1))),
                List.of(block + 1),
                block + 1,
                made);
    }

    @Override
    public SegmentPlan plan(int segment) {
        return plan;
    }
}
