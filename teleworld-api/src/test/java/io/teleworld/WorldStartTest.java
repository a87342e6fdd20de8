package io.teleworld;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class WorldStartTest {

    @Test
    void settersReturnChangedCopies() {
        RgbImage image = new RgbImage(16, 16, new byte[768]);
        WorldStart plain = WorldStart.image(image);
        WorldStart changed =
                plain.seed(7).memory(false).lookahead(2).queuedChunks(3).keys(Keys.of(Key.W));
        assertThat(plain.seed()).isZero();
        assertThat(plain.memory()).isTrue();
        assertThat(plain.planner()).isEmpty();
        assertThat(changed.seed()).isEqualTo(7);
        assertThat(changed.memory()).isFalse();
        assertThat(changed.lookahead()).isEqualTo(2);
        assertThat(changed.queuedChunks()).isEqualTo(3);
        assertThat(changed.keys()).isEqualTo(Keys.of(Key.W));
        assertThat(changed.readImage()).isSameAs(image);
    }

    @Test
    void badValuesAreRefused() {
        WorldStart start = WorldStart.image(Path.of("missing.png"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> start.lookahead(-1))
                .withMessageContaining("-1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> start.queuedChunks(0))
                .withMessageContaining("0");
        assertThatThrownBy(start::readImage)
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("missing.png");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ModelSource.bundled("../secret"))
                .withMessageContaining("../secret");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ModelOptions.DEFAULT.withThreads(-2))
                .withMessageContaining("-2");
    }

    @Test
    void keyScriptsGoByFrame() {
        KeyScript script = KeyScript.parse("W*2, RIGHT+W*3  # turn\n\n none*1,\nS");
        assertThat(script.frames()).isEqualTo(7);
        assertThat(script.at(0)).isEqualTo(Keys.NONE);
        assertThat(script.at(2)).isEqualTo(Keys.of(Key.W));
        assertThat(script.at(3)).isEqualTo(Keys.of(Key.W, Key.RIGHT));
        assertThat(script.at(6)).isEqualTo(Keys.NONE);
        assertThat(script.at(7)).isEqualTo(Keys.of(Key.S));
        assertThat(script.at(8)).isEqualTo(Keys.NONE);
        assertThat(KeyScript.parse(script.toString())).isEqualTo(script);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> KeyScript.parse("W*2, JUMP*3"))
                .withMessageContaining("JUMP");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> KeyScript.parse("W*x"))
                .withMessageContaining("W*x");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> KeyScript.parse("W*-4"))
                .withMessageContaining("-4");
    }
}
