package io.teleworld.training.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import io.teleworld.worlds.RoomWorld;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class WalkClipsTest {

    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(44, 24, Math.toRadians(75));
    private static final RoomWorld ROOM = RoomWorld.generate(5);

    private static WalkClips walks(int frames) {
        return new WalkClips(List.of(r -> ROOM), CAMERA, frames, 1);
    }

    @Test
    void keyframesAreFramesOfTheWholeWalk() {
        WalkClips some = new WalkClips(List.of(r -> ROOM), CAMERA, List.of(List.of(0, 4, 9)), 1);
        GroundTruthClip keyframes = some.next(new SplittableRandom(3));
        GroundTruthClip all = new WalkClips(List.of(r -> ROOM), CAMERA, 10, 1).next(new SplittableRandom(3));
        assertThat(keyframes.frames()).isEqualTo(3);
        int picture = 3 * CAMERA.width() * CAMERA.height();
        int[] at = {0, 4, 9};
        for (int i = 0; i < 3; i++) {
            assertThat(keyframes.poses().get(i)).isEqualTo(all.poses().get(at[i]));
            assertThat(java.util.Arrays.copyOfRange(keyframes.rgb(), i * picture, (i + 1) * picture))
                    .isEqualTo(java.util.Arrays.copyOfRange(all.rgb(), at[i] * picture, (at[i] + 1) * picture));
        }
        assertThatThrownBy(() -> new WalkClips(List.of(r -> ROOM), CAMERA, List.of(List.of(0, 4, 4)), 1))
                .hasMessageContaining("ascend");
    }

    @Test
    void clipsMoveAndSeeThingsAtWalkingDistance() {
        GroundTruthClip clip = walks(25).next(new SplittableRandom(1));
        assertThat(clip.frames()).isEqualTo(25);
        assertThat(clip.height()).isEqualTo(24);
        for (float d : clip.depth()) {
            assertThat(d).isGreaterThan(0).isLessThan(100);
        }
        Pose first = clip.poses().get(0);
        Pose last = clip.poses().get(24);
        double moved = Math.hypot(last.tx() - first.tx(), last.tz() - first.tz());
        double turned = Math.abs(last.r02() - first.r02()) + Math.abs(last.r22() - first.r22());
        assertThat(moved + turned).isGreaterThan(0.01);
        // Eye heights per frame: nobody runs faster than that.
        for (int t = 1; t < 25; t++) {
            Pose a = clip.poses().get(t - 1);
            Pose b = clip.poses().get(t);
            assertThat(Math.hypot(b.tx() - a.tx(), b.tz() - a.tz())).isLessThan(1);
        }
    }

    @Test
    void sameRandomNumbersGiveTheSameClip() {
        GroundTruthClip a = walks(5).next(new SplittableRandom(8));
        GroundTruthClip b = walks(5).next(new SplittableRandom(8));
        GroundTruthClip c = walks(5).next(new SplittableRandom(9));
        assertThat(a.rgb()).isEqualTo(b.rgb()).isNotEqualTo(c.rgb());
        assertThat(a.depth()).isEqualTo(b.depth());
    }

    @Test
    void anEmptyListOfWorldsIsRefused() {
        assertThatThrownBy(() -> new WalkClips(List.of(), CAMERA, 5, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0 worlds");
    }

    @Test
    void normalisedPixelsAreChannelsFirst() {
        GroundTruthClip clip = walks(2).next(new SplittableRandom(2));
        float[] out = new float[2 + 3 * 8 * 8];
        clip.normalised(1, 1, 4, 6, 8, 8, out, 2);
        int at = ((24 + 4 + 3) * 44 + 6 + 5) * 3;
        for (int c = 0; c < 3; c++) {
            assertThat(out[2 + (c * 8 + 3) * 8 + 5]).isEqualTo((clip.rgb()[at + c] & 0xff) / 127.5f - 1f);
        }
    }

    @Test
    void poolHandsOutWhatWasRenderedAndReportsFailures() {
        try (ClipPool pool = new ClipPool(walks(1), 3, 1, 4)) {
            pool.await(3);
            assertThat(pool.size()).isEqualTo(3);
            assertThat(pool.next(new SplittableRandom(1)).frames()).isEqualTo(1);
        }
        try (ClipPool broken = new ClipPool(
                r -> {
                    throw new IllegalStateException("no world");
                },
                3,
                1,
                4)) {
            assertThatThrownBy(() -> broken.await(1)).hasRootCauseMessage("no world");
        }
    }

    @Test
    void theStartPictureDeterminesWhatItShows() {
        GroundTruthClip clip = walks(25).next(new SplittableRandom(3));
        assertThat(CoVisibility.withStart(clip, 0, 0, 4)).containsOnly(1f);
        float[] later = CoVisibility.withStart(clip, 21, 24, 4);
        assertThat(later).hasSize(11 * 6);
        double mean = 0;
        for (float share : later) {
            assertThat(share).isBetween(0f, 1.0001f);
            mean += share / later.length;
        }
        assertThat(mean).isBetween(0.05, 0.98);
    }

    @Test
    void whatTurnsOutOfViewIsNotDetermined() {
        GroundTruthClip clip = walks(2).next(new SplittableRandom(3));
        Pose start = clip.poses().get(0);
        Pose behind = start.compose(new Pose(-1, 0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 0));
        GroundTruthClip turned = new GroundTruthClip(
                clip.intrinsics(), clip.rgb(), clip.depth(), clip.dynamic(), List.of(start, behind));
        assertThat(CoVisibility.withStart(turned, 1, 1, 4)).containsOnly(0f);
        GroundTruthClip still = new GroundTruthClip(
                clip.intrinsics(),
                twice(clip.rgb()),
                twice(clip.depth()),
                new byte[clip.dynamic().length],
                List.of(start, start));
        assertThat(CoVisibility.withStart(still, 1, 1, 4)).containsOnly(1f);
    }

    private static byte[] twice(byte[] frames) {
        byte[] out = frames.clone();
        System.arraycopy(out, 0, out, out.length / 2, out.length / 2);
        return out;
    }

    private static float[] twice(float[] frames) {
        float[] out = frames.clone();
        System.arraycopy(out, 0, out, out.length / 2, out.length / 2);
        return out;
    }
}
