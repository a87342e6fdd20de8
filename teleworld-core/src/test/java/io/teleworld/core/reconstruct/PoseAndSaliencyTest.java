package io.teleworld.core.reconstruct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.camera.CameraEmbedding;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What the golden files do not say; these are checked by {@code GoldenCheck}. */
final class PoseAndSaliencyTest {

    @Test
    void camerasGoThereAndBack() {
        SplittableRandom random = new SplittableRandom(2);
        for (int i = 0; i < 50; i++) {
            Pose pose = Pose.yaw(random.nextDouble(-3, 3))
                    .compose(Pose.pitch(random.nextDouble(-3, 3)))
                    .compose(Pose.yaw(random.nextDouble(-3, 3)))
                    .compose(Pose.translation(random.nextDouble(), random.nextDouble(), -3));
            Intrinsics k = Intrinsics.ofHorizontalFieldOfView(518, 294, random.nextDouble(0.3, 2));
            PoseEncoding e = PoseEncoding.of(pose, k);
            assertThat(e.qw()).isNotNegative();
            assertThat(e.pose().rotationAngleTo(pose)).isLessThan(1e-6);
            assertThat(e.pose().distanceTo(pose)).isLessThan(1e-9);
            assertThat(e.intrinsics(518, 294).fx()).isCloseTo(k.fx(), within(1e-9));
        }
    }

    @Test
    void theWrittenFieldOfView() {
        PoseEncoding e = new PoseEncoding(0, 0, 0, 0, 0, 0, 2, Math.toRadians(60), Math.toRadians(75));
        assertThat(e.intrinsics(518, 294).fy()).isCloseTo(254.6115, within(1e-4));
        assertThat(e.intrinsics(518, 294).fx()).isCloseTo(337.5354, within(1e-4));
        assertThat(e.pose().rotationAngleTo(Pose.IDENTITY)).isZero();
        assertThatThrownBy(() -> new PoseEncoding(0, 0, 0, 0, 0, 0, 0, 1, 1)).hasMessageContaining("quaternion");
        assertThatThrownBy(() -> PoseEncoding.of(1, 2)).hasMessageContaining("9");
    }

    @Test
    void anEmbeddingStartsAtTheIdentityAndForgetsWhereTheWorldIs() {
        List<Pose> path = List.of(
                Pose.yaw(1).compose(Pose.translation(1, 2, 3)), Pose.yaw(1.2).compose(Pose.translation(1, 2, 4)));
        float[] e = CameraEmbedding.of(path);
        assertThat(e).hasSize(24);
        float[] identity = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
        assertThat(java.util.Arrays.copyOf(e, 12)).containsExactly(identity, within(1e-6f));
        Pose elsewhere = Pose.pitch(0.7).compose(Pose.translation(5, 0, 0));
        List<Pose> moved = path.stream().map(elsewhere::compose).toList();
        assertThat(CameraEmbedding.of(moved)).containsExactly(e, within(1e-5f));
    }

    @Test
    void unrealCamerasLookForward() {
        // At rest: the rows of the file are the axes of the camera, forward first, and its place in centimetres.
        Pose p = CameraEmbedding.parseUnreal("[1 0 0 0] [0 1 0 0] [0 0 1 0] [100 50 20 1]");
        // The camera's z is the world's x; its x (right) is the world's −y; its y (down) is −z.
        assertThat(p.r02()).isEqualTo(1);
        assertThat(p.r10()).isEqualTo(-1);
        assertThat(p.r21()).isEqualTo(-1);
        assertThat(new double[] {p.tx(), p.ty(), p.tz()}).containsExactly(1, -0.5, 0.2);
        assertThatThrownBy(() -> CameraEmbedding.parseUnreal("[1 2 3]")).hasMessageContaining("3 numbers");
    }

    @Test
    void stillClipsHaveNoSaliencyAndNoNaN() {
        float[] same = new float[3 * 22 * 2 * 4 * 3];
        java.util.Arrays.fill(same, 0.5f);
        AttentionSaliency.Features f = new AttentionSaliency.Features(same, 3, 22, 2, 4, 3);
        assertThat(AttentionSaliency.of(f, f).saliency()).containsOnly(0);
        AttentionSaliency.Features few = new AttentionSaliency.Features(new float[3 * 4], 1, 3, 1, 4, 1);
        assertThatThrownBy(() -> AttentionSaliency.of(few, few)).hasMessageContaining("22");
    }

    @Test
    void smallNetworksOverKeyframes() {
        AttentionSaliency.Options two = AttentionSaliency.Options.keyframes(2, 3);
        assertThat(two.offsets()).containsExactly(-3, -2, -1, 1, 2, 3);
        assertThat(two.middle()).isEqualTo(new AttentionSaliency.Layers(0, 0));
        assertThat(two.deep()).isEqualTo(new AttentionSaliency.Layers(1, 1));
        AttentionSaliency.Options same = AttentionSaliency.Options.keyframes(24, 3);
        assertThat(same.deep()).isEqualTo(AttentionSaliency.Options.VGGT.deep());

        SplittableRandom random = new SplittableRandom(4);
        float[] q = new float[3 * 2 * 2 * 4 * 3];
        float[] k = new float[q.length];
        for (int i = 0; i < q.length; i++) {
            q[i] = (float) random.nextGaussian();
            k[i] = (float) random.nextGaussian();
        }
        AttentionSaliency.Result r = AttentionSaliency.of(
                new AttentionSaliency.Features(q, 3, 2, 2, 4, 3),
                new AttentionSaliency.Features(k, 3, 2, 2, 4, 3),
                two);
        assertThat(r.reliable()).containsOnly(true);
        // One ingredient by hand: queries of frame 0 with those of frames 1 and 2 in layer 0, mean of all products.
        double[] mean = new double[4];
        for (int n = 0; n < 4; n++) {
            for (int s = 1; s < 3; s++) {
                for (int h = 0; h < 2; h++) {
                    for (int m = 0; m < 4; m++) {
                        for (int d = 0; d < 3; d++) {
                            mean[n] += q[(h * 4 + n) * 3 + d] * (double) q[((s * 4 + h) * 4 + m) * 3 + d] / 16;
                        }
                    }
                }
            }
        }
        double min = java.util.Arrays.stream(mean).min().orElseThrow();
        double max = java.util.Arrays.stream(mean).max().orElseThrow();
        for (int n = 0; n < 4; n++) {
            assertThat(r.meanShallow()[n]).isCloseTo((mean[n] - min) / (max - min + 1e-6), within(1e-9));
        }
        // With one other keyframe nothing can be said.
        AttentionSaliency.Features pair =
                new AttentionSaliency.Features(java.util.Arrays.copyOf(q, 2 * 48), 2, 2, 2, 4, 3);
        AttentionSaliency.Result unreliable = AttentionSaliency.of(pair, pair, two);
        assertThat(unreliable.reliable()).containsOnly(false);
        assertThat(unreliable.saliency()).containsOnly(0);
    }

    @Test
    void masksAndWhatTheyHide() {
        assertThat(AttentionSaliency.mask(new double[12], 2, 3, 8, 12))
                .hasSize(192)
                .containsOnly(false);
        double[] s = new double[12];
        s[0] = 1;
        boolean[] mask = AttentionSaliency.mask(s, 2, 3, 8, 12);
        assertThat(mask[0]).isTrue();
        assertThat(mask[11]).isFalse();
        float[] keep = AttentionSaliency.attended(mask, 2, 2, 3, 8, 12);
        assertThat(keep[0]).isZero();
        assertThat(keep[2]).isEqualTo(1);
        assertThat(java.util.Arrays.copyOfRange(keep, 6, 12)).containsOnly(1);
        java.util.Arrays.fill(mask, 96, 192, true);
        assertThatThrownBy(() -> AttentionSaliency.attended(mask, 2, 2, 3, 8, 12))
                .hasMessageContaining("frame 1");
        assertThatThrownBy(() -> AttentionSaliency.mask(s, 2, 5, 8, 12)).hasMessageContaining("12");
    }

    @Test
    void theSpreadRatioDoesNotShrinkWithNoise() {
        SplittableRandom random = new SplittableRandom(9);
        double[] s = new double[60];
        double[] t = new double[60];
        double[] w = new double[20];
        for (int i = 0; i < 60; i++) {
            s[i] = random.nextGaussian();
            t[i] = 2 * s[i] + 0.5 * random.nextGaussian();
            w[i / 3] = 1;
        }
        double least = Similarity.fit(s, t, w).scale();
        double ratio =
                Similarity.fit(s, t, w, Similarity.ScaleRule.SPREAD_RATIO).scale();
        assertThat(ratio).isGreaterThan(least);
        assertThat(Similarity.fit(s, t, w, Similarity.ScaleRule.RIGID).scale()).isEqualTo(1);
    }
}
