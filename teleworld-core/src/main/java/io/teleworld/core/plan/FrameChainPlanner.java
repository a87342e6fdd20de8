package io.teleworld.core.plan;

import io.teleworld.GenerationStage;
import io.teleworld.Planner;
import io.teleworld.SegmentPlan;
import io.teleworld.StageKind;
import java.util.ArrayList;
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
        this(block, 1);
    }

    /**
     * Several blocks per segment, each of which sees all frames of the segment before it, as a causal model is trained to;
     * a new segment sees the last frame before it only.
     *
     * @param block new latent frames per block, at least 1
     * @param blocks per segment, at least 1
     */
    public FrameChainPlanner(int block, int blocks) {
        if (block < 1) {
            throw new IllegalArgumentException("block is " + block + " latent frames; at least 1 is needed");
        }
        if (blocks < 1) {
            throw new IllegalArgumentException("blocks are " + blocks + " per segment; at least 1 is needed");
        }
        List<GenerationStage> stages = new ArrayList<>();
        List<Integer> ends = new ArrayList<>();
        for (int i = 0; i < blocks; i++) {
            int before = 1 + i * block;
            stages.add(new GenerationStage(
                    StageKind.PLAN,
                    IntStream.rangeClosed(before + 1, before + block).boxed().toList(),
                    IntStream.rangeClosed(1, before).boxed().toList()));
            ends.add(before + block);
        }
        int last = 1 + block * blocks;
        this.plan = new SegmentPlan(
                last,
                List.of(1),
                stages,
                ends,
                last,
                IntStream.rangeClosed(2, last).boxed().toList());
    }

    @Override
    public SegmentPlan plan(int segment) {
        return plan;
    }
}
