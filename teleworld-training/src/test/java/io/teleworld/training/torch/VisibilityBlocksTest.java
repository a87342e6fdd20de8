package io.teleworld.training.torch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class VisibilityBlocksTest {

    @Test
    void groupsRowsThatSeeTheSame() {
        byte[] bits = bits("1100", "1100", "0011", "1100");
        VisibilityBlocks b = VisibilityBlocks.of(bits, 4, 4);
        assertThat(b).isNotNull();
        assertThat(b.rowSizes()).containsExactly(2, 1, 1);
        assertThat(b.columnSizes()).containsExactly(2, 2);
        assertThat(b.groups()).hasSize(2);
        assertThat(b.groups().get(0).rows()).containsExactly(0, 2);
        assertThat(b.groups().get(0).columns()).containsExactly(0);
        assertThat(b.groups().get(1).rows()).containsExactly(1);
        assertThat(b.groups().get(1).columns()).containsExactly(1);
    }

    @Test
    void masksThatHideLittleOrEverythingOfARowAreLeftToHiding() {
        assertThat(VisibilityBlocks.of(bits("1111", "1111"), 2, 4)).isNull();
        assertThat(VisibilityBlocks.of(bits("1100", "0000"), 2, 4)).isNull();
        byte[] noise = new byte[200 * 64];
        SplittableRandom r = new SplittableRandom(1);
        for (int i = 0; i < noise.length; i++) {
            noise[i] = (byte) r.nextInt(2);
        }
        assertThat(VisibilityBlocks.of(noise, 200, 64)).isNull();
    }

    /** Painting the groups back gives the mask. */
    @Test
    void groupsAreTheMask() {
        SplittableRandom r = new SplittableRandom(2);
        for (int trial = 0; trial < 50; trial++) {
            int frames = r.nextInt(2, 7);
            int perFrame = r.nextInt(1, 5);
            int n = frames * perFrame;
            byte[] bits = new byte[n * n];
            boolean[] seen = new boolean[frames * frames];
            for (int i = 0; i < seen.length; i++) {
                seen[i] = i / frames == i % frames || r.nextInt(3) == 0;
            }
            for (int i = 0; i < bits.length; i++) {
                bits[i] = (byte) (seen[i / n / perFrame * frames + i % n / perFrame] ? 1 : 0);
            }
            VisibilityBlocks b = VisibilityBlocks.of(bits, n, n);
            if (b != null) {
                assertThat(painted(b, n)).isEqualTo(bits);
            }
        }
    }

    private static byte[] painted(VisibilityBlocks b, int n) {
        byte[] out = new byte[n * n];
        for (VisibilityBlocks.Group g : b.groups()) {
            for (int row : g.rows()) {
                for (int column : g.columns()) {
                    for (long i = start(b.rowSizes(), row); i < start(b.rowSizes(), row + 1); i++) {
                        for (long j = start(b.columnSizes(), column); j < start(b.columnSizes(), column + 1); j++) {
                            out[(int) (i * n + j)]++;
                        }
                    }
                }
            }
        }
        return out;
    }

    private static long start(long[] sizes, int index) {
        long sum = 0;
        for (int i = 0; i < index; i++) {
            sum += sizes[i];
        }
        return sum;
    }

    private static byte[] bits(String... rows) {
        byte[] out = new byte[rows.length * rows[0].length()];
        for (int i = 0; i < out.length; i++) {
            out[i] = (byte) (rows[i / rows[0].length()].charAt(i % rows[0].length()) - '0');
        }
        return out;
    }
}
