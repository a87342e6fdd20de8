package io.teleworld.training.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.GuidanceFrame;
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
    void guidanceShowsWhatWasSeenAtTheStart() {
        GroundTruthClip clip = walks(25).next(new SplittableRandom(3));
        SegmentSimulator exact = new SegmentSimulator(0);
        List<GuidanceFrame> guidance = exact.guidance(clip, 0, 25, 0, new SplittableRandom(1));
        assertThat(guidance).hasSize(25);
        // Not everything: the memory does not take in edges of depth, of which small pictures have many.
        assertThat(covered(guidance.get(0))).isGreaterThan(0.6);
        double all =
                guidance.stream().mapToDouble(WalkClipsTest::covered).average().orElseThrow();
        assertThat(all).isBetween(0.1, 1.0);
        // What the memory shows at the start is what was seen there.
        GuidanceFrame start = guidance.get(0);
        double error = 0;
        int known = 0;
        for (int p = 0; p < 44 * 24; p++) {
            if (start.layers()[p] != GuidanceFrame.HOLE) {
                known++;
                for (int c = 0; c < 3; c++) {
                    error += Math.abs((start.image().rgb()[3 * p + c] & 0xff) - (clip.rgb()[3 * p + c] & 0xff)) / 3.0;
                }
                assertThat(start.inverseDepth()[p]).isPositive();
            } else {
                assertThat(start.inverseDepth()[p]).isZero();
            }
        }
        assertThat(error / known).isLessThan(25);
    }

    @Test
    void historyAddsCoverage() {
        GroundTruthClip clip = walks(41).next(new SplittableRandom(11));
        SegmentSimulator exact = new SegmentSimulator(0);
        double alone = 0;
        double helped = 0;
        for (int seed = 0; seed < 4; seed++) {
            alone += mean(exact.guidance(clip, 28, 13, 0, new SplittableRandom(seed)));
            helped += mean(exact.guidance(clip, 28, 13, 3, new SplittableRandom(seed)));
        }
        assertThat(helped).isGreaterThanOrEqualTo(alone - 0.05);
        assertThatThrownBy(() -> new SegmentSimulator(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    private static double mean(List<GuidanceFrame> frames) {
        return frames.stream().mapToDouble(WalkClipsTest::covered).average().orElseThrow();
    }

    private static double covered(GuidanceFrame frame) {
        int known = 0;
        for (byte layer : frame.layers()) {
            known += layer != GuidanceFrame.HOLE ? 1 : 0;
        }
        return (double) known / frame.layers().length;
    }
}
