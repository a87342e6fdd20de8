package io.teleworld.core.reconstruct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.FloatRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class NonRigidAlignmentTest {

    private static final int W = 22;
    private static final int H = 12;

    @Property(tries = 50)
    void aScaleIsUndoneWhereverTheMemoryReaches(
            @ForAll @FloatRange(min = 0.7f, max = 1.4f) float scale,
            @ForAll @IntRange(min = 1, max = W) int known,
            @ForAll long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] truth = new float[W * H];
        float[] depth = new float[W * H];
        float[] memory = new float[W * H];
        for (int i = 0; i < truth.length; i++) {
            truth[i] = (float) random.nextDouble(1, 9);
            depth[i] = truth[i] * scale;
            memory[i] = i % W < known ? truth[i] : 0;
        }
        assertThat(NonRigidAlignment.align(depth, memory, W, H)).containsExactly(truth, within(1e-4f));
    }

    @Test
    void theMemoryIsTakenAtItsWordAndTheErrorFadesIntoTheRest() {
        float[] depth = new float[W * H];
        float[] memory = new float[W * H];
        Arrays.fill(depth, 2);
        // Left of the middle the estimate is a tenth too near, at the right edge it is right.
        for (int i = 0; i < depth.length; i++) {
            memory[i] = i % W < 8 ? 2.2f : i % W >= 20 ? 2f : 0;
        }
        float[] out = NonRigidAlignment.align(depth, memory, W, H);
        for (int y = 0; y < H; y++) {
            assertThat(out[y * W]).isEqualTo(2.2f);
            assertThat(out[y * W + 21]).isEqualTo(2f);
            assertThat(out[y * W + 9]).isGreaterThan(out[y * W + 18]);
            assertThat(out[y * W + 14]).isBetween(2f, 2.2f);
        }
    }

    @Test
    void whatIsClearlyAnotherSurfaceStays() {
        float[] depth = new float[W * H];
        float[] memory = new float[W * H];
        Arrays.fill(depth, 2);
        Arrays.fill(memory, 2);
        memory[50] = 6;
        depth[60] = Float.POSITIVE_INFINITY;
        depth[61] = 0;
        float[] out = NonRigidAlignment.align(depth, memory, W, H);
        assertThat(out[50]).isCloseTo(2, within(1e-5f));
        assertThat(out[60]).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(out[61]).isZero();
        assertThat(NonRigidAlignment.align(depth, new float[W * H], W, H)).isEqualTo(depth);
    }

    @Test
    void wrongSizesAreRefused() {
        assertThatThrownBy(() -> NonRigidAlignment.align(new float[6], new float[5], 3, 2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("5")
                .hasMessageContaining("3×2");
    }
}
