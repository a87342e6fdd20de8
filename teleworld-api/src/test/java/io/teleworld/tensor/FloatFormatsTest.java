package io.teleworld.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Every value of the narrow formats, against the formats' definitions. */
class FloatFormatsTest {

    @Test
    void f16MeansWhatIeeeSays() {
        for (int h = 0; h < 65536; h++) {
            int e = h >> 10 & 31;
            int m = h & 1023;
            double magnitude = e == 31
                    ? (m == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
                    : e == 0 ? m * Math.pow(2, -24) : (1 + m / 1024.0) * Math.pow(2, e - 15);
            float expected = (float) ((h & 0x8000) == 0 ? magnitude : -magnitude);
            float actual = FloatFormats.f16ToFloat((short) h);
            assertThat(Float.compare(actual, expected))
                    .as("bits %04x: %s", h, actual)
                    .isZero();
            if (!Float.isNaN(actual)) {
                assertThat(FloatFormats.floatToF16(actual)).isEqualTo((short) h);
            }
        }
        assertThat(FloatFormats.f16ToFloat(FloatFormats.floatToF16(Float.NaN))).isNaN();
    }

    @Test
    void f16RoundsToNearestEven() {
        for (int h = 0; h < 0x7bff; h++) {
            float low = FloatFormats.f16ToFloat((short) h);
            float high = FloatFormats.f16ToFloat((short) (h + 1));
            float middle = (low + high) / 2;
            short even = (short) (h % 2 == 0 ? h : h + 1);
            assertThat(FloatFormats.floatToF16(middle)).isEqualTo(even);
            assertThat(FloatFormats.floatToF16(Math.nextUp(middle))).isEqualTo((short) (h + 1));
            assertThat(FloatFormats.floatToF16(Math.nextDown(middle))).isEqualTo((short) h);
            assertThat(FloatFormats.floatToF16(-middle)).isEqualTo((short) (even | 0x8000));
        }
        assertThat(FloatFormats.floatToF16(65519.996f)).isEqualTo((short) 0x7bff);
        assertThat(FloatFormats.floatToF16(65520)).isEqualTo((short) 0x7c00);
        assertThat(FloatFormats.floatToF16(-1e30f)).isEqualTo((short) 0xfc00);
    }

    @Test
    void bf16IsTheUpperHalf() {
        for (int h = 0; h < 65536; h++) {
            float v = FloatFormats.bf16ToFloat((short) h);
            assertThat(Float.floatToRawIntBits(v)).isEqualTo(h << 16);
            if (!Float.isNaN(v)) {
                assertThat(FloatFormats.floatToBf16(v)).isEqualTo((short) h);
            } else {
                assertThat(FloatFormats.bf16ToFloat(FloatFormats.floatToBf16(v)))
                        .isNaN();
            }
        }
    }

    @Test
    void bf16RoundsToNearestEven() {
        for (int h = 0; h < 0x7f7f; h++) {
            float middle = Float.intBitsToFloat(h << 16 | 0x8000);
            assertThat(FloatFormats.floatToBf16(middle)).isEqualTo((short) (h % 2 == 0 ? h : h + 1));
            assertThat(FloatFormats.floatToBf16(Math.nextUp(middle))).isEqualTo((short) (h + 1));
            assertThat(FloatFormats.floatToBf16(Math.nextDown(middle))).isEqualTo((short) h);
        }
        assertThat(FloatFormats.floatToBf16(Float.MAX_VALUE)).isEqualTo((short) 0x7f80);
        // A NaN whose payload lies in the lower half must not become infinite.
        assertThat(FloatFormats.bf16ToFloat(FloatFormats.floatToBf16(Float.intBitsToFloat(0x7f800001))))
                .isNaN();
    }

    @Test
    void f8HasNoInfinities() {
        for (int b = 0; b < 256; b++) {
            int e = b >> 3 & 15;
            int m = b & 7;
            double magnitude = e == 15 && m == 7
                    ? Double.NaN
                    : e == 0 ? m / 8.0 * Math.pow(2, -6) : (1 + m / 8.0) * Math.pow(2, e - 7);
            float expected = (float) (b < 128 ? magnitude : -magnitude);
            assertThat(Float.compare(FloatFormats.f8e4m3ToFloat((byte) b), expected))
                    .as("bits %02x", b)
                    .isZero();
        }
        assertThat(FloatFormats.f8e4m3ToFloat((byte) 0x7e)).isEqualTo(448);
    }

    /** Against a search of all numbers: the nearest one, of two the even one; nothing but NaN becomes NaN. */
    @Test
    void e4m3IsTheNearestNumber() {
        SplittableRandom random = new SplittableRandom(7);
        for (int k = 0; k < 20_000; k++) {
            float v = (float) (random.nextDouble(-1, 1) * Math.scalb(1.0, random.nextInt(-13, 11)));
            if (k < 256 && (k & 0x7f) < 0x7e) {
                // Half-way between neighbours.
                v = (FloatFormats.f8e4m3ToFloat((byte) k) + FloatFormats.f8e4m3ToFloat((byte) (k + 1))) / 2;
            }
            int best = v < 0 ? 0x80 : 0;
            for (int b = best; b < (best | 0x7f); b++) {
                double d = Math.abs((double) FloatFormats.f8e4m3ToFloat((byte) b) - v);
                double least = Math.abs((double) FloatFormats.f8e4m3ToFloat((byte) best) - v);
                if (d < least || (d == least && b % 2 == 0)) {
                    best = b;
                }
            }
            assertThat(FloatFormats.floatToF8e4m3(v) & 0xff).as("code of %s", v).isEqualTo(best);
        }
        for (int b = 0; b < 256; b++) {
            float v = FloatFormats.f8e4m3ToFloat((byte) b);
            // A NaN's sign is not kept by widening.
            assertThat(FloatFormats.floatToF8e4m3(v)).isEqualTo((byte) (Float.isNaN(v) ? 0x7f : b));
        }
        assertThat(FloatFormats.floatToF8e4m3(Float.POSITIVE_INFINITY)).isEqualTo((byte) 0x7e);
        assertThat(FloatFormats.floatToF8e4m3(-1e9f)).isEqualTo((byte) 0xfe);
    }
}
