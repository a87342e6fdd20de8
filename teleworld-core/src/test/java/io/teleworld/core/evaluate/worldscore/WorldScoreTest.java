package io.teleworld.core.evaluate.worldscore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.core.evaluate.worldscore.MetricMath.ScaleRule;
import io.teleworld.core.evaluate.worldscore.MetricMath.TranslationError;
import io.teleworld.geometry.Pose;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WorldScoreTest {

    private static Pose last(int frames, CameraLayout... layouts) {
        List<Pose> poses = LayoutPath.of(List.of(layouts), frames, 1).poses();
        return poses.get(poses.size() - 1);
    }

    @Test
    void layoutsMoveTheCameraAsTheyAreCalled() {
        assertThat(last(50, CameraLayout.PUSH_IN)).isEqualTo(Pose.translation(0, 0, 1));
        assertThat(last(50, CameraLayout.MOVE_LEFT).tx()).isCloseTo(-0.5, within(1e-12));
        assertThat(last(50, CameraLayout.PAN_RIGHT).rotationAngleTo(Pose.yaw(Math.toRadians(30))))
                .isCloseTo(0, within(1e-9));
        Pose orbit = last(50, CameraLayout.ORBIT_LEFT);
        assertThat(orbit.tx()).isCloseTo(-0.5, within(1e-12));
        assertThat(orbit.tz()).isCloseTo(1 - Math.sqrt(0.75), within(1e-12));
        assertThat(orbit.rotationAngleTo(Pose.yaw(Math.toRadians(30)))).isCloseTo(0, within(1e-9));
    }

    @Test
    void layoutsFollowOneAnother() {
        LayoutPath path =
                LayoutPath.of(List.of(CameraLayout.PAN_LEFT, CameraLayout.PUSH_IN, CameraLayout.MOVE_RIGHT), 50, 1);
        assertThat(path.poses()).hasSize(148);
        assertThat(path.anchorFrames()).containsExactly(0, 49, 98, 147);
        double[] end = path.savedMatrices().get(147);
        assertThat(end[3]).isCloseTo(0.066987, within(1e-6));
        assertThat(end[11]).isCloseTo(1.116025, within(1e-6));
        double[] inside = LayoutPath.of(List.of(CameraLayout.ORBIT_LEFT), 50, 1)
                .savedMatrices()
                .get(25);
        assertThat(inside[3]).isCloseTo(0.264097, within(1e-6));
        assertThat(inside[11]).isCloseTo(0.001411, within(1e-6));
    }

    @ParameterizedTest
    @EnumSource(CameraLayout.class)
    void aPathBeginsAtTheIdentityAndHasNoJumps(CameraLayout layout) {
        assertThat(CameraLayout.ofKey(layout.key())).isEqualTo(layout);
        List<Pose> poses = LayoutPath.of(List.of(layout, layout), 20, 2).poses();
        assertThat(poses.get(0)).isEqualTo(Pose.IDENTITY);
        for (int i = 1; i < poses.size(); i++) {
            assertThat(poses.get(i).distanceTo(poses.get(i - 1))).isLessThan(0.2);
            assertThat(poses.get(i).rotationAngleTo(poses.get(i - 1))).isLessThan(Math.toRadians(1.6));
        }
    }

    @Test
    void wrongPathsAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> LayoutPath.of(List.of(), 5, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> LayoutPath.of(List.of(CameraLayout.FIXED), 1, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> LayoutPath.of(List.of(CameraLayout.FIXED), 5, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> CameraLayout.ofKey("pull_left"));
    }

    @Test
    void scoresOfKnownValues() {
        assertThat(Metric.CAMERA_ERROR.normalise(3, 0.1)).isCloseTo(0.8, within(1e-12));
        assertThat(Metric.CAMERA_ERROR.normalise(6, 0.05)).isCloseTo(0.734847, within(1e-6));
        assertThat(Metric.MOTION_SMOOTHNESS.normalise(20, 0.98, 0.01)).isCloseTo(0.686986, within(1e-6));
        assertThat(Metric.REPROJECTION_ERROR.normalise(0.3)).isCloseTo(0.720123, within(1e-6));
        assertThat(Metric.OPTICAL_FLOW_AEPE.normalise(0.3)).isCloseTo(0.748322, within(1e-6));
        assertThat(Metric.MOTION_ACCURACY.normalise(0)).isCloseTo(0.520957, within(1e-6));
        assertThat(Metric.OPTICAL_FLOW.normalise(0)).isCloseTo(0.239495, within(1e-6));
        assertThat(Metric.CLIP_SCORE.normalise(25.25444)).isCloseTo(0.25, within(1e-5));
        assertThat(Metric.CLIP_AESTHETIC.normalise(6.100767)).isCloseTo(0.75, within(1e-5));
        assertThatIllegalArgumentException().isThrownBy(() -> Metric.CAMERA_ERROR.normalise(100));
        assertThatIllegalArgumentException().isThrownBy(() -> Metric.GRAM_MATRIX.normalise(Double.NaN));
    }

    @Property(tries = 200)
    void scoresLieInTheUnitRange(@ForAll @IntRange(max = 10) int metric, @ForAll long seed) {
        Metric m = Metric.values()[metric];
        SplittableRandom random = new SplittableRandom(seed);
        double[] values = random.doubles(m.scales().size(), -200, 200).toArray();
        assertThat(m.normalise(values)).isBetween(0.0, 1.0);
    }

    /** The published row of TeleWorld, whose three motion scores are given. */
    @Test
    void theTableOfAPublishedRow() {
        double[] row = {76.58, 74.44, 73.20, 87.35, 88.82, 85.59, 61.66, 53.94, 31.50, 34.18};
        Map<Metric, Double> instance = new EnumMap<>(Metric.class);
        for (Metric m : Metric.values()) {
            instance.put(m, row[m.aspect().ordinal()] / 100);
        }
        ScoreTable table = ScoreTable.of(List.of(instance));
        assertThat(table.staticScore()).isEqualTo(78.23);
        assertThat(table.dynamicScore()).isEqualTo(66.73);
        assertThat(table.rows()).containsEntry("3d_consistency", 87.35).hasSize(12);
        instance.keySet().removeIf(m -> !m.aspect().isStatic());
        ScoreTable scenes = ScoreTable.of(List.of(instance));
        assertThat(scenes.staticScore()).isEqualTo(78.23);
        assertThat(scenes.dynamicScore()).isCloseTo(0.7 * 78.23, within(0.011));
    }

    @Test
    void metricsCountEqually() {
        Map<Metric, Double> both = Map.of(Metric.CLIP_IQA, 0.2, Metric.CLIP_AESTHETIC, 1.0);
        Map<Metric, Double> one = Map.of(Metric.CLIP_IQA, 0.4);
        ScoreTable table = ScoreTable.of(List.of(both, one));
        assertThat(table.aspects()).containsEntry(Aspect.SUBJECTIVE_QUALITY, 65.0);
        assertThatIllegalArgumentException().isThrownBy(() -> ScoreTable.of(List.of(Map.of(Metric.CLIP_IQA, 1.5))));
    }

    private static FlowField flow(int w, int h, double fx, double fy) {
        float[] xy = new float[2 * w * h];
        for (int i = 0; i < w * h; i++) {
            xy[2 * i] = (float) fx;
            xy[2 * i + 1] = (float) fy;
        }
        return new FlowField(w, h, xy);
    }

    @Test
    void endPointErrorOfEvenFlows() {
        double error = MetricMath.endPointError(flow(40, 40, 3.2, -1.4), flow(40, 40, -3, 1));
        assertThat(error).isCloseTo(Math.hypot(0.2, 0.4), within(1e-6));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MetricMath.endPointError(flow(30, 40, 0, 0), flow(30, 40, 0, 0)));
    }

    @Test
    void theMedianIsTheLowerOfTwo() {
        assertThat(MetricMath.medianMagnitude(new FlowField(2, 2, new float[] {1, 0, 0, 2, 3, 4, 0, 9})))
                .isEqualTo(2);
    }

    @Test
    void squaresWrap() {
        byte[] a = {10, 20, (byte) 200, 0};
        byte[] b = {7, 36, (byte) 180, (byte) 255};
        assertThat(MetricMath.wrappedSquaredError(a, b)).isEqualTo(38.5);
        assertThat(MetricMath.wrappedSquaredError(new byte[] {16}, new byte[] {0}))
                .isZero();
        assertThat(MetricMath.wrappedSquaredError(new byte[] {17}, new byte[] {0}))
                .isEqualTo(33);
    }

    @Test
    void gramMatrixOfTwoMaps() {
        assertThat(MetricMath.gramMatrix(new float[] {1, 2, 3, 4}, 2)).containsExactly(1.25, 2.75, 2.75, 6.25);
        assertThatIllegalArgumentException().isThrownBy(() -> MetricMath.gramMatrix(new float[3], 2));
    }

    @Test
    void drivingBackwardsIsForgivenOnlyByTheFreeScale() {
        List<Pose> truth = List.of(Pose.IDENTITY, Pose.translation(0, 0, 0.5), Pose.translation(0, 0, 1));
        List<Pose> back = List.of(Pose.IDENTITY, Pose.translation(0, 0, -0.25), Pose.translation(0, 0, -0.5));
        TranslationError free = MetricMath.translationError(truth, back, ScaleRule.BEST);
        assertThat(free.scale()).isCloseTo(-2, within(1e-12));
        assertThat(free.error()).isCloseTo(0, within(1e-12));
        TranslationError strict = MetricMath.translationError(truth, back, ScaleRule.BEST_POSITIVE);
        assertThat(strict.scale()).isZero();
        assertThat(strict.error()).isCloseTo(0.5, within(1e-12));
    }

    @Property(tries = 100)
    void noOtherScaleIsBetter(
            @ForAll @Size(9) List<@DoubleRange(min = -2, max = 2) Double> t,
            @ForAll @Size(9) List<@DoubleRange(min = -2, max = 2) Double> e,
            @ForAll @DoubleRange(min = -5, max = 5) double other) {
        List<Pose> truth = poses(t);
        List<Pose> estimated = poses(e);
        TranslationError best = MetricMath.translationError(truth, estimated, ScaleRule.BEST);
        double sum = 0;
        for (int i = 0; i < truth.size(); i++) {
            Pose p = estimated.get(i);
            sum += truth.get(i).distanceTo(Pose.translation(other * p.tx(), other * p.ty(), other * p.tz()));
        }
        assertThat(best.error()).isLessThanOrEqualTo(sum / truth.size() + 1e-9);
    }

    private static List<Pose> poses(List<Double> v) {
        return List.of(
                Pose.translation(v.get(0), v.get(1), v.get(2)),
                Pose.translation(v.get(3), v.get(4), v.get(5)),
                Pose.translation(v.get(6), v.get(7), v.get(8)));
    }

    @Test
    void rotationErrorIsAMeanInDegrees() {
        List<Pose> truth = List.of(Pose.IDENTITY, Pose.IDENTITY);
        List<Pose> turned = List.of(Pose.yaw(Math.toRadians(2)), Pose.pitch(Math.toRadians(-4)));
        assertThat(MetricMath.rotationError(truth, turned)).isCloseTo(3, within(1e-9));
        assertThatIllegalArgumentException().isThrownBy(() -> MetricMath.rotationError(truth, List.of()));
    }
}
