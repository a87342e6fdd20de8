package io.teleworld.training.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.error.ModelFormatException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LatentCacheTest {

    private static final LatentCache.Header SHAPE = new LatentCache.Header(0, 3, 2, 2, 4, 2);
    private static final int LATENTS = 3 * 2 * 2 * 4;
    private static final int MASKS = 3 * 2 * 2 * 4;
    private static final int WEIGHTS = 3 * 2 * 4;

    @TempDir
    Path folder;

    private static float[] noise(long seed, int n) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) random.nextDouble();
        }
        return v;
    }

    private static LatentCache.Segment segment(int i) {
        return new LatentCache.Segment(
                noise(i, LATENTS),
                noise(300 + i, LATENTS),
                noise(100 + i, LATENTS),
                noise(200 + i, MASKS),
                noise(400 + i, WEIGHTS));
    }

    private void write(int first, int count) throws IOException {
        try (LatentCache.Writer writer = new LatentCache.Writer(folder, SHAPE)) {
            assertThat(writer.segments()).isEqualTo(first);
            for (int i = first; i < first + count; i++) {
                writer.append(segment(i));
            }
        }
    }

    @Test
    void readsBackWhatWasWrittenAndAppends() throws IOException {
        write(0, 2);
        write(2, 3);
        try (LatentCache cache = LatentCache.open(folder)) {
            assertThat(cache.header().segments()).isEqualTo(5);
            LatentCache.Segment read = LatentCache.Segment.of(cache.header());
            for (int i = 4; i >= 0; i--) {
                cache.read(i, read);
                LatentCache.Segment written = segment(i);
                assertThat(read.target()).containsExactly(written.target(), within(1e-3f));
                assertThat(read.context()).containsExactly(written.context(), within(1e-3f));
                assertThat(read.guidance()).containsExactly(written.guidance(), within(1e-3f));
                assertThat(read.mask()).containsExactly(written.mask(), within(3e-3f));
                assertThat(read.weight()).containsExactly(written.weight(), within(3e-3f));
            }
            assertThatThrownBy(() -> cache.read(5, read))
                    .isInstanceOf(IndexOutOfBoundsException.class)
                    .hasMessageContaining("segment 5 of 5");
        }
    }

    @Test
    void stylesAreKeptAndOlderCachesHaveNone() throws IOException {
        write(0, 2);
        Files.delete(folder.resolve("styles.bin"));
        try (LatentCache old = LatentCache.open(folder)) {
            assertThat(old.style(1)).isEmpty();
        }
        try (LatentCache.Writer writer = new LatentCache.Writer(folder, SHAPE)) {
            writer.append(segment(2), Optional.of(WorldStyle.HELL));
            writer.append(segment(3));
        }
        try (LatentCache.Writer writer = new LatentCache.Writer(folder, SHAPE)) {
            writer.append(segment(4), Optional.of(WorldStyle.TECH_BASE));
        }
        try (LatentCache cache = LatentCache.open(folder)) {
            assertThat(IntStream.range(0, 5).mapToObj(cache::style))
                    .containsExactly(
                            Optional.empty(),
                            Optional.empty(),
                            Optional.of(WorldStyle.HELL),
                            Optional.empty(),
                            Optional.of(WorldStyle.TECH_BASE));
            assertThatThrownBy(() -> cache.style(5)).isInstanceOf(IndexOutOfBoundsException.class);
        }
        Files.write(folder.resolve("styles.bin"), new byte[] {0, 0, 9, 0, 0});
        try (LatentCache cache = LatentCache.open(folder)) {
            assertThatThrownBy(() -> cache.style(2))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("style 9");
        }
        Files.write(folder.resolve("styles.bin"), new byte[4]);
        assertThatThrownBy(() -> LatentCache.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("4 styles of 5");
    }

    @Test
    void refusesWrongSizes() throws IOException {
        write(0, 1);
        try (LatentCache.Writer writer = new LatentCache.Writer(folder, SHAPE)) {
            LatentCache.Segment good = segment(0);
            LatentCache.Segment small = new LatentCache.Segment(
                    new float[LATENTS - 1], good.context(), good.guidance(), good.mask(), good.weight());
            assertThatThrownBy(() -> writer.append(small))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("" + (LATENTS - 1));
        }
        try (LatentCache cache = LatentCache.open(folder)) {
            LatentCache.Segment large = LatentCache.Segment.of(new LatentCache.Header(0, 4, 2, 2, 4, 2));
            assertThatThrownBy(() -> cache.read(0, large)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> new LatentCache.Writer(folder, new LatentCache.Header(0, 3, 2, 2, 5, 2)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cannot append");
    }

    @Test
    void refusesATruncatedFile() throws IOException {
        write(0, 2);
        try (FileChannel c = FileChannel.open(folder.resolve("latents.bin"), StandardOpenOption.WRITE)) {
            c.truncate(c.size() - 1);
        }
        assertThatThrownBy(() -> LatentCache.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("latents.bin");
        Files.delete(folder.resolve("latents.json"));
        assertThatThrownBy(() -> LatentCache.open(folder)).isInstanceOf(ModelFormatException.class);
    }

    @Test
    void statisticsAreThoseOfTheTargets() throws IOException {
        try (LatentCache.Writer writer = new LatentCache.Writer(folder, SHAPE)) {
            LatentCache.Segment segment = LatentCache.Segment.of(SHAPE);
            float[] target = segment.target();
            for (int i = 0; i < LATENTS; i++) {
                boolean second = i / 8 % 2 == 1;
                // Channel 0 is constant 3; channel 1 is 1 ± 2.
                target[i] = second ? 1 + (i % 2 == 0 ? 2 : -2) : 3;
            }
            writer.append(segment);
        }
        try (LatentCache cache = LatentCache.open(folder)) {
            LatentStatistics s = LatentStatistics.of(cache);
            assertThat(s.mean().get(0)).isCloseTo(3, within(1e-6));
            assertThat(s.mean().get(1)).isCloseTo(1, within(1e-6));
            assertThat(s.std().get(0)).isPositive().isLessThan(1e-3);
            assertThat(s.std().get(1)).isCloseTo(2, within(1e-6));
            s.write(folder);
            assertThat(LatentStatistics.read(folder)).isEqualTo(s);
        }
        assertThatThrownBy(() -> new LatentStatistics(List.of(0.0), List.of(0.0)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
