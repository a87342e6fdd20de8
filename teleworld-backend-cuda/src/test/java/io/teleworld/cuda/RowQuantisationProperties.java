package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.tensor.FloatFormats;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class RowQuantisationProperties {

    /** The largest magnitude keeps its value, and no number is further off than half a step of E4M3. */
    @Property(tries = 200)
    void noNumberIsFurtherOffThanHalfAStep(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 200) int width,
            @ForAll @IntRange(min = -100, max = 100) int power) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] row = new float[width];
        float top = 0;
        for (int i = 0; i < width; i++) {
            row[i] = (float) (random.nextDouble(-1, 1) * Math.scalb(1.0, power));
            top = Math.max(top, Math.abs(row[i]));
        }
        byte[] codes = new byte[width];
        float scale = RowQuantisation.quantise(row, codes);
        double largest = 0;
        for (int i = 0; i < width; i++) {
            double back = FloatFormats.f8e4m3ToFloat(codes[i]) * (double) scale;
            largest = Math.max(largest, Math.abs(back));
            double halfStep = Math.max(Math.abs(row[i]) / 16, scale * 0x1p-10);
            assertThat(Math.abs(back - row[i])).isLessThanOrEqualTo(halfStep * 1.0001);
        }
        assertThat(largest).isBetween(top * 0.99999, top * 1.00001);
    }

    @Property(tries = 20)
    void rowsOfZerosAndOfTheLeastNumbersStayFinite(@ForAll @IntRange(min = 1, max = 50) int width) {
        byte[] codes = new byte[width];
        assertThat(RowQuantisation.quantise(new float[width], codes)).isEqualTo(1);
        assertThat(codes).containsOnly(0);
        float[] tiny = new float[width];
        tiny[0] = Float.MIN_VALUE;
        assertThat(RowQuantisation.quantise(tiny, codes)).isEqualTo(1);
        assertThat(codes).containsOnly(0);
    }
}
