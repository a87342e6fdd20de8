package io.teleworld.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.FloatRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class Int8WeightRangeTest {

    private static final String ZEN_3 = "flags\t\t: fpu sse4_2 avx avx2 fma sha_ni";
    private static final String ZEN_4 = "flags\t\t: fpu avx avx2 avx512f avx512_vnni";
    private static final String ALDER_LAKE = "flags\t\t: fpu avx avx2 avx_vnni";

    @Test
    void processorsThatSaturateHaveOneBitLess() {
        assertThat(Int8WeightRange.suiting("amd64", List.of("model name : x", ZEN_3)))
                .isEqualTo(63);
        assertThat(Int8WeightRange.suiting("amd64", List.of(ZEN_4))).isEqualTo(127);
        assertThat(Int8WeightRange.suiting("x86_64", List.of(ALDER_LAKE))).isEqualTo(127);
        assertThat(Int8WeightRange.suiting("amd64", List.of())).isEqualTo(63);
        assertThat(Int8WeightRange.suiting("aarch64", List.of())).isEqualTo(127);
    }

    @Property
    void rowsAreRoundedToStepsWithinTheRange(@ForAll @Size(12) List<@FloatRange(min = -9, max = 9) Float> values) {
        float[] w = new float[12];
        for (int i = 0; i < w.length; i++) {
            w[i] = values.get(i);
        }
        for (int largest : new int[] {Int8WeightRange.NARROW, Int8WeightRange.WIDE}) {
            HostTensor kernel = HostTensor.ofFloats(w, 3, 1, 2, 2);
            ByteBuffer steps = LinearWeights.int8Scales(kernel, largest);
            ByteBuffer bytes = LinearWeights.int8Kernel(kernel, largest);
            for (int i = 0; i < w.length; i++) {
                float step = steps.getFloat(4 * (i / 4));
                assertThat((int) bytes.get(i)).isBetween(-largest, largest);
                assertThat(Math.abs(bytes.get(i) * step - w[i])).isLessThanOrEqualTo(0.501f * step);
            }
        }
    }

    @Test
    void aRangeThatThereIsNotIsRefused() {
        String before = System.getProperty(Int8WeightRange.PROPERTY);
        try {
            System.setProperty(Int8WeightRange.PROPERTY, "100");
            assertThatThrownBy(Int8WeightRange::largest)
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("100")
                    .hasMessageContaining("63 and 127");
        } finally {
            if (before == null) {
                System.clearProperty(Int8WeightRange.PROPERTY);
            } else {
                System.setProperty(Int8WeightRange.PROPERTY, before);
            }
        }
    }
}
