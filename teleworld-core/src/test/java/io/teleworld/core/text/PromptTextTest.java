package io.teleworld.core.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PromptTextTest {

    @Test
    void runsOfBlanksBecomeOneSpaceAndTheEndsHaveNone() {
        assertThat(PromptText.clean(" \t a \r\n red\u00a0\u3000room\u2028 ")).isEqualTo("a red room");
        assertThat(PromptText.clean(" \n\u00a0")).isEmpty();
        assertThat(PromptText.clean("")).isEmpty();
    }

    @Test
    void entitiesAreResolvedTwiceAndNotAThirdTime() {
        assertThat(PromptText.clean("a &lt; b")).isEqualTo("a < b");
        assertThat(PromptText.clean("a &amp;lt; b")).isEqualTo("a < b");
        assertThat(PromptText.clean("a &amp;amp;lt; b")).isEqualTo("a &lt; b");
        assertThat(PromptText.clean("caf&#233; caf&#xE9; &#X1F600; $1 \\"))
                .isEqualTo("caf\u00e9 caf\u00e9 \ud83d\ude00 $1 \\");
        assertThat(PromptText.clean("&nbsp;two&nbsp;&amp;nbsp;rooms&nbsp;")).isEqualTo("two rooms");
    }

    @ParameterizedTest
    @ValueSource(strings = {"&nosuch;", "&#0;", "&#xD800;", "&#1114112;", "&#;", "& lt;", "R&B;1", "a && b"})
    void whatIsNoEntityStays(String text) {
        assertThat(PromptText.clean(text)).isEqualTo(text);
    }
}
