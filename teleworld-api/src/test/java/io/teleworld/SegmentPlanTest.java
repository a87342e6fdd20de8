package io.teleworld;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;

class SegmentPlanTest {

    private static final GenerationStage PLAN = new GenerationStage(StageKind.PLAN, List.of(2, 5), List.of(1));
    private static final GenerationStage FILL =
            new GenerationStage(StageKind.POPULATE, List.of(3, 4), List.of(1, 2, 5));

    private static SegmentPlan plan(List<GenerationStage> stages, List<Integer> keyframes, int handoff) {
        return new SegmentPlan(
                5,
                List.of(1),
                stages,
                keyframes,
                handoff,
                java.util.stream.IntStream.rangeClosed(2, handoff).boxed().toList());
    }

    @Test
    void countsPixelFrames() {
        SegmentPlan plan = plan(List.of(PLAN, FILL), List.of(2, 5), 5);
        assertThat(plan.emittedPixelFrames()).isEqualTo(16);
        assertThat(SegmentPlan.firstPixelFrame(1)).isZero();
        assertThat(SegmentPlan.lastPixelFrame(1)).isZero();
        assertThat(SegmentPlan.firstPixelFrame(2)).isEqualTo(1);
        assertThat(SegmentPlan.lastPixelFrame(2)).isEqualTo(4);
        assertThat(SegmentPlan.lastPixelFrame(10)).isEqualTo(36);
    }

    @Test
    void refusesWhatCannotBeGenerated() {
        GenerationStage seesTheFuture = new GenerationStage(StageKind.PLAN, List.of(2, 5), List.of(1, 3));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(List.of(seesTheFuture, FILL), List.of(), 5))
                .withMessageContaining("sees [1, 3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(List.of(PLAN), List.of(), 5))
                .withMessageContaining("[3, 4] are emitted but no stage makes them");
        GenerationStage again = new GenerationStage(StageKind.POPULATE, List.of(4), List.of(1));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(List.of(PLAN, FILL, again), List.of(), 5))
                .withMessageContaining("frame 4 is made twice");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(List.of(PLAN, FILL), List.of(), 4))
                .withMessageContaining("hand-off frame is 4");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(List.of(PLAN, FILL), List.of(3), 5))
                .withMessageContaining("keyframes are [3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(List.of(FILL, PLAN), List.of(), 5))
                .withMessageContaining("first must be of kind PLAN");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GenerationStage(StageKind.PLAN, List.of(2, 2), List.of(1)))
                .withMessageContaining("ascend");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GenerationStage(StageKind.PLAN, List.of(2), List.of(2)))
                .withMessageContaining("both makes and sees");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new SegmentPlan(5, List.of(1), List.of(PLAN, FILL), List.of(), 5, List.of(2, 4, 5)))
                .withMessageContaining("must be 2…5");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> new SegmentPlan(4, List.of(1), List.of(PLAN, FILL), List.of(), 5, List.of(2, 3, 4, 5)))
                .withMessageContaining("[1, 4]");
    }
}
