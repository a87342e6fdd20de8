package io.teleworld.core.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class LoraWeightsTest {

    private static final HostTensor W = HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    private static final HostTensor A = HostTensor.ofFloats(new float[] {1, 0, 2, 0, 1, -1}, 2, 3);
    private static final HostTensor B = HostTensor.ofFloats(new float[] {1, 2, -1, 0.5f}, 2, 2);
    /** B·A by hand. */
    private static final float[] BA = {1, 2, 0, -1, 0.5f, -2.5f};

    private static WeightFiles files(String name, Map<String, HostTensor> tensors) {
        return WeightFiles.of(name, List.of(TorchFile.of(name, TorchWriter.bytes(new LinkedHashMap<>(tensors)))));
    }

    private static LoraWeights lora(Map<String, HostTensor> tensors) {
        return LoraWeights.of(files("lora.pt", tensors), m -> m);
    }

    private static float[] expected(double factor) {
        float[] out = W.toFloatArray();
        for (int i = 0; i < out.length; i++) {
            out[i] += (float) (factor * BA[i]);
        }
        return out;
    }

    @Test
    void theProductIsAdded() {
        WeightFiles base = files("base.pt", Map.of("m.weight", W, "m.bias", HostTensor.ofFloats(new float[2], 2)));
        LoraWeights lora = lora(Map.of("m.lora_A.weight", A, "m.lora_B.weight", B));
        assertThat(lora.names()).containsExactly("m.weight");
        WeightFiles merged = base.with(lora);
        assertThat(merged.get("m.weight").toFloatArray()).containsExactly(expected(1), within(1e-6f));
        assertThat(merged.names()).isEqualTo(base.names());
        assertThat(merged.parameters()).isEqualTo(8);
        assertThat(merged.get("m.bias").toFloatArray()).containsExactly(0, 0);
        assertThat(base.get("m.weight").toFloatArray()).isEqualTo(W.toFloatArray());
        assertThat(base.with(lora.withAlpha(6).withStrength(0.5))
                        .get("m.weight")
                        .toFloatArray())
                .as("0.5 · 6/2")
                .containsExactly(expected(1.5), within(1e-6f));
    }

    @Test
    void everyNamingIsKnownAndAnOwnAlphaCounts() {
        WeightFiles base = files("base.pt", Map.of("m.weight", W));
        HostTensor alpha = HostTensor.ofFloats(new float[] {4}, 1);
        for (Map<String, HostTensor> names : List.of(
                Map.of("m.lora_A.default.weight", A, "m.lora_B.default.weight", B, "m.alpha", alpha),
                Map.of("m.lora_down.weight", A, "m.lora_up.weight", B, "m.alpha", alpha))) {
            assertThat(base.with(lora(names).withAlpha(100)).get("m.weight").toFloatArray())
                    .containsExactly(expected(2), within(1e-6f));
        }
    }

    @Test
    void theTypeStaysAndConvolutionsAreMatrices() {
        HostTensor half = Conversions.convert(W, DType.BF16);
        WeightFiles base = files("base.pt", Map.of("m.weight", half));
        HostTensor sum = base.with(lora(Map.of("m.lora_A.weight", A, "m.lora_B.weight", B)))
                .get("m.weight");
        assertThat(sum.dtype()).isEqualTo(DType.BF16);
        assertThat(Conversions.convert(sum, DType.F32).toFloatArray()).containsExactly(expected(1), within(0.02f));

        WeightFiles conv = files("c.pt", Map.of("m.weight", HostTensor.ofFloats(W.toFloatArray(), 2, 1, 3)));
        HostTensor kernel = HostTensor.ofFloats(A.toFloatArray(), 2, 1, 3);
        HostTensor one = HostTensor.ofFloats(B.toFloatArray(), 2, 2, 1);
        assertThat(conv.with(lora(Map.of("m.lora_down.weight", kernel, "m.lora_up.weight", one)))
                        .get("m.weight")
                        .toFloatArray())
                .containsExactly(expected(1), within(1e-6f));
    }

    @Test
    void whatDoesNotFitIsRefused() {
        WeightFiles base = files("base.pt", Map.of("m.weight", W));
        assertThatThrownBy(() -> lora(Map.of("m.lora_A.weight", A)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("of the change of m.weight one factor is missing");
        assertThatThrownBy(() -> lora(Map.of("m.weight", A)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("no part of a low-rank change");
        assertThatThrownBy(() -> base.with(lora(Map.of("n.lora_A.weight", A, "n.lora_B.weight", B))))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("changes weight n.weight, which base.pt lacks");
        assertThatThrownBy(() -> base.with(lora(Map.of("m.lora_A.weight", B, "m.lora_B.weight", B))))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("do not multiply to [2, 3]");
        assertThatThrownBy(() -> lora(Map.of("m.lora_A.weight", A, "m.lora_down.weight", A, "m.lora_B.weight", B)))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("changed twice");
        assertThatThrownBy(() -> lora(Map.of()).withAlpha(0)).isInstanceOf(IllegalArgumentException.class);
    }
}
