package io.teleworld.training.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.tensor.HostTensor;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NetworkFileTest {

    private static NetworkFile<GeometryNetConfig> of(Map<String, HostTensor> weights) {
        return new NetworkFile<>(GeometryNetConfig.nano(), weights);
    }

    private static HostTensor row(float... values) {
        return HostTensor.ofFloats(values, values.length);
    }

    @Test
    void blendsBetweenTwoSetsOfWeights() {
        NetworkFile<GeometryNetConfig> first = of(Map.of("w", row(0, 2), "b", row(1)));
        NetworkFile<GeometryNetConfig> later = of(Map.of("w", row(4, -2), "b", row(1)));
        Map<String, float[]> mixed = first.blended(later, 0.25).arrays();
        assertThat(mixed.get("w")).containsExactly(new float[] {1, 1}, within(1e-6f));
        assertThat(mixed.get("b")).containsExactly(1);
        assertThat(first.blended(later, 0).arrays().get("w")).containsExactly(0, 2);
        assertThat(first.blended(later, 1).arrays().get("w")).containsExactly(4, -2);
    }

    @Test
    void onlyNetworksOfTheSameSizesBlend() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> of(Map.of("w", row(0, 2))).blended(of(Map.of("w", row(1))), 0.5))
                .withMessageContaining("weight w")
                .withMessageContaining("[1]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> of(Map.of("w", row(0, 2))).blended(of(Map.of()), 0.5))
                .withMessageContaining("is missing");
    }
}
