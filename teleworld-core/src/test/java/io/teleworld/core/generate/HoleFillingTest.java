package io.teleworld.core.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.GuidanceFrame;
import java.util.Arrays;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class HoleFillingTest {

    @Property(tries = 200)
    void knownPixelsStayAndHolesLieAmongThem(
            @ForAll @IntRange(min = 1, max = 19) int width,
            @ForAll @IntRange(min = 1, max = 19) int height,
            @ForAll @DoubleRange(min = 0, max = 1) double share,
            @ForAll long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int area = width * height;
        byte[] layers = new byte[area];
        float[] pixels = new float[2 + 3 * area];
        for (int i = 0; i < area; i++) {
            layers[i] = random.nextDouble() < share ? GuidanceFrame.HOLE : GuidanceFrame.DYNAMIC;
        }
        layers[random.nextInt(area)] = GuidanceFrame.STATIC;
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (float) (2 * random.nextDouble() - 1);
        }
        float[] given = pixels.clone();
        HoleFilling.fill(width, height, layers, pixels, 2);
        assertThat(Arrays.copyOf(pixels, 2)).containsExactly(Arrays.copyOf(given, 2));
        for (int c = 0; c < 3; c++) {
            float low = 1;
            float high = -1;
            for (int i = 0; i < area; i++) {
                if (layers[i] != GuidanceFrame.HOLE) {
                    low = Math.min(low, given[2 + c * area + i]);
                    high = Math.max(high, given[2 + c * area + i]);
                }
            }
            for (int i = 0; i < area; i++) {
                float v = pixels[2 + c * area + i];
                if (layers[i] != GuidanceFrame.HOLE) {
                    assertThat(v).isEqualTo(given[2 + c * area + i]);
                } else {
                    assertThat(v).isBetween(low - 1e-5f, high + 1e-5f);
                }
            }
        }
    }

    @Test
    void whereNothingIsKnownAllIsGrey() {
        float[] pixels = new float[3 * 35];
        Arrays.fill(pixels, 0.7f);
        HoleFilling.fill(7, 5, new byte[35], pixels, 0);
        assertThat(pixels).containsOnly(SegmentLayout.HOLE_VALUE);
    }

    @Test
    void aGapInARampIsBridged() {
        int width = 32;
        byte[] layers = new byte[width * width];
        float[] pixels = new float[3 * width * width];
        for (int i = 0; i < layers.length; i++) {
            int x = i % width;
            layers[i] = x >= 14 && x < 18 ? GuidanceFrame.HOLE : GuidanceFrame.STATIC;
            for (int c = 0; c < 3; c++) {
                pixels[c * layers.length + i] = layers[i] == GuidanceFrame.HOLE ? 9 : x / 32f;
            }
        }
        HoleFilling.fill(width, width, layers, pixels, 0);
        for (int x = 14; x < 18; x++) {
            assertThat(pixels[16 * width + x]).isCloseTo(x / 32f, within(0.06f));
        }
    }
}
