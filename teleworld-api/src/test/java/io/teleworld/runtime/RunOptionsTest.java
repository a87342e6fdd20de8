package io.teleworld.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RunOptionsTest {

    @Test
    void copiesAndKeepsOrder() {
        List<Integer> ids = new ArrayList<>(List.of(3, 1, 2));
        RunOptions o = RunOptions.DEFAULT
                .withVisible("a", ids)
                .withWritten("b", List.of(9))
                .withoutRegisterWrites();
        ids.clear();
        assertThat(o.visible()).containsExactly(Map.entry("a", List.of(3, 1, 2)));
        assertThat(o.written()).containsExactly(Map.entry("b", List.of(9)));
        assertThat(o.writeRegisters()).isFalse();
        assertThat(RunOptions.DEFAULT.visible()).isEmpty();
        assertThat(o.withVisible("a", List.of()).visible()).containsEntry("a", List.of());
        assertThatThrownBy(() -> o.visible().clear()).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void refusesAFrameTwice() {
        assertThatThrownBy(() -> RunOptions.DEFAULT.withWritten("self", List.of(1, 2, 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("written")
                .hasMessageContaining("self")
                .hasMessageContaining("[1, 2, 1]");
    }

    @Test
    void weightsAreFoundByName() {
        HostTensor t = HostTensor.zeros(DType.F32, 1);
        Weights w = Weights.of(Map.of("a", t));
        assertThat(w.names()).containsExactly("a");
        assertThat(w.get("a")).isSameAs(t);
        assertThatThrownBy(() -> w.get("b"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("b");
        assertThatThrownBy(() -> new RuntimeOptions("cpu", -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-1");
    }
}
