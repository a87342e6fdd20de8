package io.teleworld.worlds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.Key;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;

class WalkingTest {

    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(88, 48, Math.toRadians(75));
    private static final FreedoomWorld ROOM = TinyWad.square(200, 96).world();
    private static final RoomWorld HOUSE = RoomWorld.generate(7);

    @Property(tries = 300)
    void nobodyLeavesAClosedRoom(
            @ForAll @DoubleRange(min = -180, max = 180) double x,
            @ForAll @DoubleRange(min = -180, max = 180) double y,
            @ForAll @DoubleRange(min = -2000, max = 2000) double dx,
            @ForAll @DoubleRange(min = -2000, max = 2000) double dy) {
        Pose end = ROOM.move(Pose.translation(x, -41, y), dx, 0, dy);
        assertThat(Math.abs(end.tx())).isLessThanOrEqualTo(184.001);
        assertThat(Math.abs(end.tz())).isLessThanOrEqualTo(184.001);
        assertThat(end.ty()).isEqualTo(-41);
    }

    @Property(tries = 200)
    void noWallOfAHouseIsCrossed(
            @ForAll long seed,
            @ForAll @DoubleRange(min = -400, max = 400) double dx,
            @ForAll @DoubleRange(min = -400, max = 400) double dz) {
        Pose start = HOUSE.spawn(new SplittableRandom(seed));
        Pose at = start;
        for (int i = 0; i < 8; i++) {
            Pose next = HOUSE.move(at, dx / 8, 0, dz / 8);
            // What lies between two places nearer than a wall's distance is seen, not hidden: no surface upright
            // between them at eye height.
            double length = Math.hypot(next.tx() - at.tx(), next.tz() - at.tz());
            if (length > 1e-3) {
                for (Surface s : HOUSE.surfaces(0)) {
                    if (s.ny == 0 && s.label == World.LABEL_STATIC) {
                        double a = s.side(at.tx(), at.ty(), at.tz());
                        double b = s.side(next.tx(), next.ty(), next.tz());
                        if (a > 0 && b < 0) {
                            double[] ray = {at.tx(), at.ty(), at.tz(), next.tx() - at.tx(), 0, next.tz() - at.tz()};
                            double t = a / (a - b);
                            assertThat(contains(s, ray, t))
                                    .as("a wall was crossed")
                                    .isFalse();
                        }
                    }
                }
            }
            at = next;
        }
    }

    private static boolean contains(Surface s, double[] ray, double t) {
        double x = ray[0] + t * ray[3];
        double y = ray[1];
        double z = ray[2] + t * ray[5];
        double[] lo = {1e9, 1e9, 1e9};
        double[] hi = {-1e9, -1e9, -1e9};
        for (int i = 0; i < s.corners.length; i++) {
            lo[i % 3] = Math.min(lo[i % 3], s.corners[i]);
            hi[i % 3] = Math.max(hi[i % 3], s.corners[i]);
        }
        return x > lo[0] - 0.01 && x < hi[0] + 0.01 && y > lo[1] && y < hi[1] && z > lo[2] - 0.01 && z < hi[2] + 0.01;
    }

    @Test
    void lowStepsAreClimbedAndHighOnesAreNot() {
        Pose west = Pose.translation(-60, -41, 0);
        Pose up = TinyWad.step(24).world().move(west, 120, 0, 0);
        assertThat(up.tx()).isCloseTo(60, within(1e-9));
        assertThat(up.ty()).isEqualTo(-65);
        Pose stopped = TinyWad.step(25).world().move(west, 120, 0, 0);
        assertThat(stopped.tx()).isCloseTo(-16, within(1e-6));
        assertThat(stopped.ty()).isEqualTo(-41);
    }

    @Test
    void wallsAreSlidAlong() {
        Pose end = ROOM.move(Pose.translation(0, -41, 150), 60, 0, 100);
        assertThat(end.tx()).isCloseTo(60, within(1e-6));
        assertThat(end.tz()).isCloseTo(184, within(1e-6));
    }

    @Test
    void spawnStandsAndIsRepeatable() {
        Pose a = ROOM.spawn(new SplittableRandom(5));
        assertThat(a).isEqualTo(ROOM.spawn(new SplittableRandom(5)));
        assertThat(a.ty()).isEqualTo(-41);
        assertThat(a.r11()).isEqualTo(1);
        assertThat(Math.max(Math.abs(a.tx()), Math.abs(a.tz()))).isLessThanOrEqualTo(184);
    }

    @Test
    void outAndBackReturnsOnTheSamePoses() {
        Trajectory t =
                new TrajectorySampler().sample(HOUSE, CAMERA, 41, TrajectoryKind.OUT_AND_BACK, new SplittableRandom(3));
        assertThat(t.frames()).isEqualTo(41);
        for (int i = 0; i < 41; i++) {
            assertThat(t.poses().get(i)).isEqualTo(t.poses().get(40 - i));
        }
        assertThat(t.poses().get(20)).isNotEqualTo(t.poses().get(0));
        for (int i = 1; i <= 20; i++) {
            assertThat(t.keys().get(41 - i).forward())
                    .isEqualTo(-t.keys().get(i).forward());
            assertThat(t.keys().get(41 - i).yaw()).isEqualTo(-t.keys().get(i).yaw());
        }
    }

    @Test
    void fullTurnCloses() {
        Trajectory t =
                new TrajectorySampler().sample(HOUSE, CAMERA, 37, TrajectoryKind.FULL_TURN, new SplittableRandom(4));
        assertThat(t.poses().get(36)).isEqualTo(t.poses().get(0));
        double turned = 0;
        for (int i = 1; i < 37; i++) {
            turned += t.poses().get(i - 1).rotationAngleTo(t.poses().get(i));
            assertThat(t.poses().get(i).distanceTo(t.poses().get(0))).isZero();
        }
        assertThat(turned).isCloseTo(2 * Math.PI, within(0.5));
    }

    @Test
    void walksAreSmoothRepeatableAndFollowTheirKeys() {
        for (int seed = 0; seed < 6; seed++) {
            TrajectorySampler sampler = new TrajectorySampler();
            Trajectory t = sampler.sample(HOUSE, CAMERA, 49, TrajectoryKind.RANDOM, new SplittableRandom(seed));
            assertThat(sampler.sample(HOUSE, CAMERA, 49, TrajectoryKind.RANDOM, new SplittableRandom(seed)))
                    .isEqualTo(t);
            for (int i = 1; i < 49; i++) {
                Pose a = t.poses().get(i - 1);
                Pose b = t.poses().get(i);
                // At most twice 0.25·d* per second, and 45° per second of yaw with 12° of pitch.
                assertThat(a.distanceTo(b)).isLessThan(0.5 * t.startDepth() / 16 * 1.2 + 1.5);
                assertThat(a.rotationAngleTo(b)).isLessThan(Math.toRadians(50) / 16);
            }
            for (int i = 8; i < 49; i++) {
                boolean held = true;
                for (int j = i - 6; j <= i; j++) {
                    held &= t.keys().get(j).contains(Key.RIGHT);
                }
                if (held) {
                    Pose d = t.poses().get(i - 1).inverse().compose(t.poses().get(i));
                    assertThat(Math.atan2(d.r02(), d.r22())).as("turns right").isPositive();
                }
            }
        }
    }
}
