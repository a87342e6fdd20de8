package io.teleworld.training.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class WorldStyleTest {

    private static final int W = 10;
    private static final int H = 4;

    /** Grey frames; the second has {@code sky} pixels of sky and {@code red} red ones. */
    private static GroundTruthClip clip(String world, int sky, int red) {
        byte[] rgb = new byte[2 * 3 * W * H];
        java.util.Arrays.fill(rgb, (byte) 100);
        float[] depth = new float[2 * W * H];
        java.util.Arrays.fill(depth, 3);
        for (int i = 0; i < sky; i++) {
            depth[W * H + i] = Float.POSITIVE_INFINITY;
        }
        for (int i = sky; i < sky + red; i++) {
            rgb[3 * (W * H + i)] = (byte) 200;
        }
        return new GroundTruthClip(
                Intrinsics.ofHorizontalFieldOfView(W, H, 1.3),
                rgb,
                depth,
                new byte[2 * W * H],
                Collections.nCopies(2, Pose.IDENTITY),
                world);
    }

    @Test
    void whatIsSeenDecides() {
        assertThat(WorldStyle.of(clip("freedoom1/E1M1", 0, 0), 0, 1)).contains(WorldStyle.TECH_BASE);
        assertThat(WorldStyle.of(clip("freedoom1/E1M1", 5, 30), 0, 1)).contains(WorldStyle.OUTDOORS);
        assertThat(WorldStyle.of(clip("freedoom1/E1M1", 0, 30), 0, 1)).contains(WorldStyle.HELL);
        assertThat(WorldStyle.of(clip("room/7", 5, 30), 0, 1)).contains(WorldStyle.ROOM);
        // Only of the frames that are asked for; and of no world without a name.
        assertThat(WorldStyle.of(clip("freedoom1/E1M1", 5, 30), 0, 0)).contains(WorldStyle.TECH_BASE);
        assertThat(WorldStyle.of(clip("", 5, 30), 0, 1)).isEmpty();
    }

    @Test
    void aWorldsClipKnowsIt() {
        GroundTruthClip clip = new WalkClips(
                        List.of(r -> io.teleworld.worlds.RoomWorld.generate(5)),
                        Intrinsics.ofHorizontalFieldOfView(48, 32, 1.3),
                        2,
                        1)
                .next(new java.util.SplittableRandom(4));
        assertThat(WorldStyle.of(clip, 0, 1)).contains(WorldStyle.ROOM);
    }

    @Test
    void embeddingsAreFixedAndFarApart() {
        for (WorldStyle a : WorldStyle.values()) {
            float[] values = a.embedding(4, 64).toFloatArray();
            assertThat(a.embedding(4, 64).toFloatArray()).containsExactly(values);
            for (WorldStyle b : WorldStyle.values()) {
                float[] other = b.embedding(4, 64).toFloatArray();
                double product = 0;
                double length = 0;
                for (int i = 0; i < values.length; i++) {
                    product += values[i] * other[i];
                    length += values[i] * values[i];
                }
                assertThat(Math.abs(product)).isLessThanOrEqualTo(a == b ? length * 1.001 : 0.35 * length);
            }
        }
    }
}
