package io.teleworld.core.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.teleworld.ChainingPolicy;
import io.teleworld.GenerationStage;
import io.teleworld.SegmentPlan;
import io.teleworld.StageKind;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class PlannersTest {

    @Test
    void macroMicroIsThePapersSegment() {
        SegmentPlan plan = new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(3);
        assertThat(plan.given()).containsExactly(1);
        assertThat(plan.stages())
                .containsExactly(
                        new GenerationStage(StageKind.PLAN, List.of(2, 6, 10), List.of(1)),
                        new GenerationStage(StageKind.POPULATE, List.of(3, 4, 5), List.of(1, 2, 6)),
                        new GenerationStage(StageKind.POPULATE, List.of(7, 8, 9), List.of(1, 2, 3, 4, 5, 6, 10)));
        assertThat(plan.keyframes()).containsExactly(2, 6, 10);
        assertThat(plan.handoff()).isEqualTo(10);
        assertThat(plan.emittedPixelFrames()).isEqualTo(36);
    }

    @Test
    void theTerminalFrameIsShownToTheFirstPopulationOnDemand() {
        SegmentMap map = SegmentMap.parse("0 1 2 2 2 1 3 3 3 1", false);
        assertThat(map.plan(ChainingPolicy.MAX_THROUGHPUT).stages().get(1).visible())
                .containsExactly(1, 2, 6, 10);
    }

    @Test
    void minPeakMemoryHandsOnTheMiddleFrameAndSkipsTheSecondHalf() {
        SegmentPlan plan = new MacroMicroPlanner(ChainingPolicy.MIN_PEAK_MEMORY).plan(0);
        assertThat(plan.handoff()).isEqualTo(6);
        assertThat(plan.stages()).hasSize(2);
        assertThat(plan.keyframes()).containsExactly(2, 6);
        assertThat(plan.emittedPixelFrames()).isEqualTo(20);
    }

    @Test
    void theReleasedImageToVideoMapIsDataToo() {
        SegmentPlan plan = SegmentMap.parse("0 1 1 2 2 2 2 2 2 1 1 1 3 3 3 3 3 3 1 1", true)
                .plan(ChainingPolicy.MAX_THROUGHPUT);
        assertThat(plan.stages()).hasSize(3);
        assertThat(plan.stages().get(0).frames()).containsExactly(2, 3, 10, 11, 12, 19, 20);
    }

    @Test
    void frameChainIsOneBlock() {
        SegmentPlan plan = new FrameChainPlanner().plan(0);
        assertThat(plan.length()).isEqualTo(4);
        assertThat(plan.stages()).containsExactly(new GenerationStage(StageKind.PLAN, List.of(2, 3, 4), List.of(1)));
        assertThat(plan.handoff()).isEqualTo(4);
        assertThat(plan.keyframes()).containsExactly(4);
        assertThat(plan.emittedPixelFrames()).isEqualTo(12);
    }

    @Test
    void wholeSegmentIsOneStage() {
        SegmentPlan plan = new WholeSegmentPlanner().plan(0);
        assertThat(plan.stages()).hasSize(1);
        assertThat(plan.keyframes()).containsExactly(2, 6, 10);
    }

    @Test
    void badMapsAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SegmentMap.parse("0 1 x 1", true))
                .withMessageContaining("0 1 x 1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SegmentMap.parse("0 1 3 1", true))
                .withMessageContaining("group 2 is missing");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SegmentMap.parse("1 1", true))
                .withMessageContaining("first of group 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SegmentMap.parse("0 1 2", true))
                .withMessageContaining("last frame must be planned");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SegmentMap.parse("0 2 1", true).plan(ChainingPolicy.MIN_PEAK_MEMORY))
                .withMessageContaining("three planned frames");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new FrameChainPlanner(0))
                .withMessageContaining("block is 0");
    }

    @Property(tries = 100)
    void everyLengthMakesAValidPlan(@ForAll @IntRange(min = 2, max = 40) int length) {
        assertThat(new WholeSegmentPlanner(length).plan(0).emitted()).hasSize(length - 1);
        assertThat(new FrameChainPlanner(length).plan(0).emitted()).hasSize(length);
    }
}
