package io.teleworld.core.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.core.network.SegmentSequence.Kind;
import io.teleworld.core.network.SegmentSequence.Slot;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class SegmentSequenceTest {

    private static final int[] MAP = {0, 1, 2, 2, 2, 1, 3, 3, 3, 1};
    private static final SegmentSequence SEQUENCE = SegmentSequence.teacherForcing(MAP, Map.of(2, Set.of(9)), 1, true);

    @Test
    void theRunHoldsWhatIsNeeded() {
        assertThat(SEQUENCE.slots()).hasSize(9 + 7 + 9);
        assertThat(SEQUENCE.framesOf(1)).containsExactly(1, 5, 9);
        assertThat(SEQUENCE.visibleTo(1)).containsExactly(0);
        assertThat(SEQUENCE.visibleTo(2)).containsExactly(0, 1, 5);
        assertThat(SEQUENCE.visibleTo(3)).containsExactly(0, 1, 2, 3, 4, 5, 9);
    }

    @Test
    void visibilityFollowsTheGroups() {
        assertThat(sees(Kind.NOISY, 2, Kind.CLEAN, 5)).isTrue();
        assertThat(sees(Kind.NOISY, 2, Kind.CLEAN, 9)).isFalse();
        assertThat(sees(Kind.NOISY, 6, Kind.CLEAN, 9)).isTrue();
        assertThat(sees(Kind.NOISY, 2, Kind.NOISY, 4)).isTrue();
        assertThat(sees(Kind.NOISY, 2, Kind.NOISY, 5)).isFalse();
        assertThat(sees(Kind.NOISY, 2, Kind.CLEAN, 3)).isFalse();
        assertThat(sees(Kind.CLEAN, 2, Kind.CLEAN, 9)).isFalse();
        assertThat(sees(Kind.CLEAN, 1, Kind.CLEAN, 9)).isTrue();
        assertThat(sees(Kind.CLEAN, 1, Kind.NOISY, 1)).isFalse();
        assertThat(sees(Kind.NOISY, 7, Kind.GUIDANCE, 6)).isTrue();
        assertThat(sees(Kind.NOISY, 7, Kind.GUIDANCE, 2)).isFalse();
        assertThat(sees(Kind.GUIDANCE, 7, Kind.NOISY, 7)).isFalse();
        assertThat(sees(Kind.GUIDANCE, 7, Kind.CLEAN, 0)).isFalse();
    }

    @Test
    void guidanceMayStandElsewhereInTime() {
        assertThat(SEQUENCE.positions(0)[0]).isEqualTo(1f);
        assertThat(SEQUENCE.positions(10)[0]).isEqualTo(11f);
        assertThat(SEQUENCE.positions(10)[9]).isEqualTo(0f);
    }

    @Test
    void aFrameCannotBeHiddenFromItsOwnGroup() {
        assertThatThrownBy(() -> SegmentSequence.teacherForcing(MAP, Map.of(1, Set.of(9)), 1, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("frame 9 is hidden from group 1");
    }

    private static boolean sees(Kind qk, int q, Kind kk, int k) {
        int n = SEQUENCE.slots().size();
        int row = SEQUENCE.slots().indexOf(new Slot(qk, q));
        int column = SEQUENCE.slots().indexOf(new Slot(kk, k));
        return SEQUENCE.visibility()[row * n + column];
    }
}
