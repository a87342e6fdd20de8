package io.teleworld.core.camera;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.Key;
import io.teleworld.Keys;
import io.teleworld.geometry.Pose;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class CameraTest {

    private static final KeyboardCamera CAMERA = new KeyboardCamera(CameraOptions.DEFAULT);
    private static final CameraState ORIGIN = CameraState.at(Pose.IDENTITY);

    @Property(tries = 200)
    void aSecondInOneStepEqualsASecondInManySteps(
            @ForAll @IntRange(min = 0, max = 255) int before,
            @ForAll @IntRange(min = 0, max = 255) int bits,
            @ForAll @IntRange(min = 2, max = 60) int steps,
            @ForAll @DoubleRange(min = 0.1, max = 10) double depth) {
        CameraState start = CAMERA.advance(ORIGIN, new Keys(before), 0.3, depth, false);
        CameraState once = CAMERA.advance(start, new Keys(bits), 1, depth, false);
        CameraState many = start;
        for (int i = 0; i < steps; i++) {
            many = CAMERA.advance(many, new Keys(bits), 1.0 / steps, depth, false);
        }
        assertSame(once, many, 1e-9);
    }

    @Test
    void theLawHoldsAcrossThePitchLimit() {
        Keys up = Keys.of(Key.UP, Key.W, Key.LEFT);
        CameraState once = CAMERA.advance(ORIGIN, up, 6, 1, false);
        CameraState many = ORIGIN;
        for (int i = 0; i < 6 * 24; i++) {
            many = CAMERA.advance(many, up, 1.0 / 24, 1, false);
        }
        assertSame(once, many, 1e-9);
        assertThat(Math.toDegrees(once.pitch())).isCloseTo(60, within(1e-9));
        CameraState back = CAMERA.advance(once, Keys.of(Key.DOWN), 2, 1, false);
        assertThat(Math.toDegrees(back.pitch())).isBetween(38.0, 41.0);
    }

    @Property(tries = 100)
    void pitchStaysWithinItsLimitAndNoRollBuildsUp(@ForAll List<@IntRange(min = 0, max = 255) Integer> script) {
        CameraState s = ORIGIN;
        for (int bits : script) {
            s = CAMERA.advance(s, new Keys(bits), 0.7, 1, false);
            assertThat(Math.abs(s.pitch())).isLessThanOrEqualTo(CameraOptions.DEFAULT.pitchLimit() + 1e-12);
            assertThat(s.pose().r10()).as("the camera's right axis stays level").isCloseTo(0, within(1e-12));
        }
    }

    @Test
    void terminalSpeedsAreThoseOfTheSpecification() {
        assertThat(speed(Keys.of(Key.W))).isCloseTo(0.5, within(1e-9));
        assertThat(speed(Keys.of(Key.S))).isCloseTo(0.375, within(1e-9));
        assertThat(speed(Keys.of(Key.A))).isCloseTo(0.375, within(1e-9));
        assertThat(speed(Keys.of(Key.S, Key.D))).isCloseTo(0.375, within(1e-9));
        assertThat(speed(Keys.of(Key.W, Key.S, Key.D))).isCloseTo(0.375, within(1e-9));
        assertThat(speed(Keys.NONE)).isCloseTo(0.04, within(1e-9));
        assertThat(speed(Keys.of(Key.LEFT))).isCloseTo(0, within(1e-9));
        CameraState s = CAMERA.advance(ORIGIN, Keys.of(Key.RIGHT), 5, 2, false);
        assertThat(Math.toDegrees(s.yawSpeed())).isCloseTo(18, within(1e-9));
        assertThat(s.yaw()).isPositive();
        CameraState still =
                new KeyboardCamera(CameraOptions.DEFAULT.withIdleSpeed(0)).advance(ORIGIN, Keys.NONE, 5, 2, false);
        assertSame(still, ORIGIN, 0);
    }

    private static double speed(Keys keys) {
        CameraState s = CAMERA.advance(ORIGIN, keys, 10, 2, false);
        return Math.hypot(s.forward(), s.right());
    }

    @Test
    void aStepInputFollowsTheCriticallyDampedResponse() {
        CameraState s = CAMERA.advance(ORIGIN, Keys.of(Key.W), 0.15, 1, false);
        assertThat(s.forward()).isCloseTo(0.25 * (1 - 2 / Math.E), within(1e-12));
    }

    @Test
    void aWallAheadStopsForwardMotionOnly() {
        KeyboardCamera.Path path =
                CAMERA.path(ORIGIN, Keys.of(Key.W), 160, KeyboardCamera.FRAMES_PER_SECOND, 1, pose -> 1 - pose.tz());
        assertThat(path.poses()).hasSize(160);
        assertThat(path.end().z()).isBetween(0.69, 0.8);
        assertThat(path.end().forward()).isCloseTo(0, within(1e-6));
        CameraState away = CAMERA.advance(path.end(), Keys.of(Key.S), 2, 1, true);
        assertThat(away.z()).isLessThan(path.end().z() - 0.3);
    }

    @Test
    void levelMotionKeepsTheHeight() {
        KeyboardCamera level = new KeyboardCamera(CameraOptions.DEFAULT.withLevel(true));
        CameraState s = level.advance(ORIGIN, Keys.of(Key.W, Key.UP, Key.RIGHT), 4, 1, false);
        assertThat(s.y()).isZero();
        assertThat(CAMERA.advance(ORIGIN, Keys.of(Key.W, Key.UP), 4, 1, false).y())
                .isNegative();
    }

    @Test
    void aStartPoseIsReproduced() {
        Pose pose = Pose.yaw(2.2).compose(Pose.pitch(0.4)).withTranslation(1, 2, 3);
        assertThat(CameraState.at(pose).pose().rotationAngleTo(pose)).isLessThan(1e-12);
        double c = Math.cos(0.3);
        double s = Math.sin(0.3);
        Pose rolled = pose.compose(new Pose(c, -s, 0, s, c, 0, 0, 0, 1, 0, 0, 0));
        assertThat(CameraState.at(rolled).pose().rotationAngleTo(rolled)).isLessThan(1e-12);
    }

    @Test
    void aTapShorterThanAStepActsOnce() {
        KeyTimeline timeline = new KeyTimeline();
        timeline.press(0.10, Key.W);
        timeline.release(0.12, Key.W);
        assertThat(timeline.sample(0.25).keys()).isEqualTo(Keys.of(Key.W));
        assertThat(timeline.sample(0.50).keys()).isEqualTo(Keys.NONE);
        assertThat(timeline.sample(0.75).lastEventSeconds()).isEqualTo(0.12);
    }

    @Test
    void keysAreStickyAndFutureEventsWait() {
        KeyTimeline timeline = new KeyTimeline();
        timeline.set(0.1, Keys.of(Key.D));
        timeline.set(0.9, Keys.of(Key.A));
        assertThat(timeline.sample(0.25).keys()).isEqualTo(Keys.of(Key.D));
        assertThat(timeline.sample(0.5).keys()).isEqualTo(Keys.of(Key.D));
        assertThat(timeline.sample(1.0).keys()).isEqualTo(Keys.of(Key.A));
        timeline.press(1.1, Key.D);
        timeline.release(1.2, Key.D);
        assertThat(timeline.sample(1.25).keys()).as("the held key wins").isEqualTo(Keys.of(Key.A));
        assertThatThrownBy(() -> timeline.set(Double.NaN, Keys.NONE)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theTimelineIsBounded() {
        KeyTimeline timeline = new KeyTimeline();
        for (int i = 0; i < 3 * KeyTimeline.CAPACITY; i++) {
            timeline.set(i, i % 2 == 0 ? Keys.of(Key.W) : Keys.of(Key.LEFT));
        }
        assertThat(timeline.sample(-1).keys()).isEqualTo(Keys.of(Key.LEFT, Key.W));
        assertThat(timeline.sample(1e9).lastEventSeconds()).isEqualTo(3.0 * KeyTimeline.CAPACITY - 1);
    }

    @Test
    void worldPlayVectors() {
        DiscreteCamera rule = DiscreteCamera.WORLD_PLAY;
        List<Pose> path = rule.path(Pose.IDENTITY, DiscreteCamera.parse("w-3, w+right-2"));
        Pose end = path.get(path.size() - 1);
        assertThat(path).hasSize(6);
        assertThat(end.tx()).isCloseTo(0.012549, within(1e-6));
        assertThat(end.tz()).isCloseTo(0.399452, within(1e-6));
        assertThat(end.r00()).isCloseTo(0.994522, within(1e-6));
        assertThat(end.r02()).isCloseTo(0.104528, within(1e-6));

        List<Pose> loop = rule.path(Pose.IDENTITY, DiscreteCamera.parse("w+right-120"));
        double[] closed = loop.get(120).toRowMajor();
        double[] identity = Pose.IDENTITY.toRowMajor();
        for (int i = 0; i < 16; i++) {
            assertThat(closed[i]).isCloseTo(identity[i], within(i % 4 == 3 ? 1e-12 : 1e-14));
        }
    }

    @Test
    void poseStringsReadAndPrint() {
        List<DiscreteCamera.Action> actions = DiscreteCamera.parse("w-3, right-0.5");
        assertThat(actions)
                .containsExactly(
                        new DiscreteCamera.Action(Keys.of(Key.W), 3),
                        new DiscreteCamera.Action(Keys.of(Key.RIGHT), 0.5));
        assertThat(DiscreteCamera.print(actions)).isEqualTo("w-3, right-0.5");
        Pose half = DiscreteCamera.WORLD_PLAY.path(Pose.IDENTITY, actions).get(4);
        assertThat(Math.toDegrees(half.rotationAngleTo(Pose.IDENTITY))).isCloseTo(1.5, within(1e-9));
        for (String bad : List.of("", "w", "w-", "w-x", "jump-3", "w--1", "w-0", "w-NaN")) {
            assertThatThrownBy(() -> DiscreteCamera.parse(bad)).as(bad).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Property(tries = 100)
    void printedActionsReadBack(
            @ForAll @IntRange(min = 1, max = 255) int bits,
            @ForAll @DoubleRange(min = 0, max = 50, minIncluded = false) double steps) {
        List<DiscreteCamera.Action> actions = List.of(new DiscreteCamera.Action(new Keys(bits), steps));
        assertThat(DiscreteCamera.parse(DiscreteCamera.print(actions))).isEqualTo(actions);
    }

    @Test
    void sceneDepthIsClampedAndSmoothed() {
        SceneDepth depth = new SceneDepth(1);
        depth.observe(1, 1);
        depth.observe(1, 1);
        double after = depth.observe(100, 1);
        assertThat(depth.sessionMedian()).isCloseTo(1, within(0.02));
        assertThat(after).isCloseTo(1 + 3 * (1 - Math.exp(-1)), within(0.05));
        assertThat(depth.observe(0.001, 1e9)).isCloseTo(0.25, within(0.01));
    }

    @Test
    void theCentralMedianLeavesTheBorderOut() {
        float[] image = new float[100];
        java.util.Arrays.fill(image, 9);
        for (int y = 2; y < 8; y++) {
            for (int x = 2; x < 8; x++) {
                image[y * 10 + x] = 2;
            }
        }
        image[44] = Float.NaN;
        image[45] = 0;
        assertThat(SceneDepth.centralMedian(image, 10, 10)).isEqualTo(2);
        assertThat(SceneDepth.centralMedian(new float[4], 2, 2)).isNaN();
    }

    private static void assertSame(CameraState a, CameraState b, double tolerance) {
        double[] p = a.pose().toRowMajor();
        double[] q = b.pose().toRowMajor();
        for (int i = 0; i < 16; i++) {
            assertThat(p[i]).isCloseTo(q[i], within(tolerance));
        }
        assertThat(a.forward()).isCloseTo(b.forward(), within(tolerance));
        assertThat(a.pitchSpeed()).isCloseTo(b.pitchSpeed(), within(tolerance));
        assertThat(a.yawSpeed()).isCloseTo(b.yawSpeed(), within(tolerance));
    }
}
