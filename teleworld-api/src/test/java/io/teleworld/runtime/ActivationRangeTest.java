package io.teleworld.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.HostTensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ActivationRangeTest {

    private static final ActivationRange.OfLayer RANGES =
            new ActivationRange.OfLayer(new ActivationRange(-1.5f, 2), new ActivationRange(0, 3));

    @Test
    void whatIsStoredIsReadAgain() {
        Weights weights = Weights.of(RANGES.stored("layer.weight"));
        assertThat(ActivationRange.of(weights, "layer.weight")).contains(RANGES);
        assertThat(ActivationRange.of(weights, "other.weight")).isEmpty();
    }

    @Test
    void oneOfBothIsNotEnough() {
        Map<String, HostTensor> stored = new HashMap<>(RANGES.stored("w"));
        stored.remove("w" + ActivationRange.OUTPUT_SUFFIX);
        assertThat(ActivationRange.of(Weights.of(stored), "w")).isEmpty();
    }

    @Test
    void aRangeBelongsToAWeight() {
        assertThat(ActivationRange.isRange("w.input_range", Set.of("w"))).isTrue();
        assertThat(ActivationRange.isRange("w.output_range", Set.of("w"))).isTrue();
        assertThat(ActivationRange.isRange("v.input_range", Set.of("w"))).isFalse();
        assertThat(ActivationRange.isRange("w", Set.of("w"))).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"1,2", "-2,-1", "0,0", "NaN,1", "0,Infinity"})
    void whatIsNoRangeAroundZeroIsRefused(float low, float high) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ActivationRange(low, high))
                .withMessageContaining("[" + low + ", " + high + "]");
    }

    @Test
    void aDamagedRangeIsNamed() {
        Map<String, HostTensor> stored = new HashMap<>(RANGES.stored("w"));
        stored.put("w.input_range", HostTensor.ofFloats(new float[] {1, 2}, 2));
        assertThatThrownBy(() -> ActivationRange.of(Weights.of(stored), "w"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("w.input_range");
        stored.put("w.input_range", HostTensor.ofFloats(new float[3], 3));
        assertThatThrownBy(() -> ActivationRange.of(Weights.of(stored), "w"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("3 elements");
    }
}
