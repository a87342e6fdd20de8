package io.teleworld;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class KeysTest {

    @Test
    void everySetReadsBackFromItsPrintedForm() {
        for (int bits = 0; bits < 256; bits++) {
            Keys keys = new Keys(bits);
            assertThat(Keys.parse(keys.toString())).isEqualTo(keys);
        }
        assertThat(Keys.parse(" w + right ")).isEqualTo(Keys.of(Key.W, Key.RIGHT));
    }

    @Test
    void oppositeKeysCancelAndLeave81States() {
        Set<Integer> states = new HashSet<>();
        for (int bits = 0; bits < 256; bits++) {
            states.add(new Keys(bits).jointState());
        }
        assertThat(states).hasSize(81).allMatch(s -> s >= 0 && s <= 80);
        assertThat(Keys.of(Key.W, Key.S, Key.LEFT, Key.RIGHT).jointState()).isEqualTo(Keys.NONE.jointState());
    }

    @Test
    void withAndWithoutAreInverse() {
        assertThat(Keys.of(Key.A).with(Key.UP).without(Key.A)).isEqualTo(Keys.of(Key.UP));
    }

    @Test
    void unknownNamesAreRefusedWithTheAllowedOnes() {
        assertThatThrownBy(() -> Keys.parse("W+JUMP"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("\"JUMP\"")
                .hasMessageContaining("RIGHT");
        assertThatThrownBy(() -> Keys.parse("W+")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Keys(256)).isInstanceOf(IllegalArgumentException.class);
    }
}
