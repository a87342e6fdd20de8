package io.teleworld.worlds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class RenderingTest {

    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(88, 48, Math.toRadians(75));

    private static Pose pose(double x, double h, double y, double yawDegrees, double pitchDegrees) {
        return Pose.yaw(Math.toRadians(yawDegrees))
                .compose(Pose.pitch(Math.toRadians(pitchDegrees)))
                .withTranslation(x, -h, y);
    }

    @Test
    void closedRoomHasItsAnalyticDepth() {
        FreedoomWorld world = TinyWad.square(200, 96).world();
        RenderTarget t = new RenderTarget(88, 48);
        for (Pose p : List.of(pose(20, 41, -30, 0, 0), pose(20, 41, -30, 37, 12), pose(-90, 60, 80, 200, -25))) {
            world.render(p, CAMERA, 0, t);
            for (int y = 0; y < 48; y++) {
                for (int x = 0; x < 88; x++) {
                    double[] r = Tracer.ray(p, CAMERA, x, y);
                    double wall =
                            Math.min((Math.signum(r[3]) * 200 - r[0]) / r[3], (Math.signum(r[5]) * 200 - r[2]) / r[5]);
                    double plane = r[4] > 0 ? -r[1] / r[4] : (-96 - r[1]) / r[4];
                    double expected = Math.min(wall, plane);
                    assertThat((double) t.depth()[y * 88 + x]).isCloseTo(expected, within(1e-4 * expected));
                    assertThat(t.label()[y * 88 + x]).isEqualTo(World.LABEL_STATIC);
                }
            }
        }
    }

    @Test
    void stepAndSkyAgreeWithASectorWalkingTracer() {
        TinyWad wad = TinyWad.step(16);
        FreedoomWorld world = wad.world();
        DoomMap map = TinyWad.step(16).map();
        SplittableRandom random = new SplittableRandom(4);
        int skies = 0;
        for (int i = 0; i < 12; i++) {
            int sector = i % 2;
            double x = (sector == 0 ? -1 : 1) * (20 + 180 * random.nextDouble());
            double y = 200 * random.nextDouble() - 100;
            Pose p = pose(x, 41 + 16 * sector, y, 360 * random.nextDouble(), 45 * random.nextDouble() - 10);
            skies += compare(world, map, sector, p);
        }
        assertThat(skies).as("pixels of sky").isGreaterThan(50);
    }

    private static int compare(FreedoomWorld world, DoomMap map, int sector, Pose p) {
        RenderTarget t = new RenderTarget(88, 48);
        world.render(p, CAMERA, 0, t);
        int sky = 0;
        int wrong = 0;
        for (int y = 0; y < 48; y++) {
            for (int x = 0; x < 88; x++) {
                double expected = Tracer.depth(map, sector, Tracer.ray(p, CAMERA, x, y));
                float z = t.depth()[y * 88 + x];
                sky += Double.isInfinite(expected) ? 1 : 0;
                boolean same =
                        Double.isInfinite(expected) ? Float.isInfinite(z) : Math.abs(z - expected) < 1e-4 * expected;
                wrong += same ? 0 : 1;
            }
        }
        assertThat(wrong).as("pixels that disagree").isLessThanOrEqualTo(2);
        return sky;
    }

    @Test
    void spriteStandsWhereItsThingIs() {
        FreedoomWorld world = TinyWad.square(256, 128).thing(0, 100, 0, 2028).world();
        assertThat(world.instances()).containsExactly(new InstanceInfo(2, "floor lamp", false));
        RenderTarget t = new RenderTarget(88, 48);
        world.render(pose(0, 41, 0, 0, 0), CAMERA, 0, t);
        int top = 48;
        int bottom = -1;
        int left = 88;
        int right = -1;
        for (int i = 0; i < 88 * 48; i++) {
            if (t.label()[i] == 2) {
                assertThat(t.depth()[i]).isCloseTo(100f, within(0.01f));
                top = Math.min(top, i / 88);
                bottom = Math.max(bottom, i / 88);
                left = Math.min(left, i % 88);
                right = Math.max(right, i % 88);
            }
        }
        // 48 units high on the floor, 20 wide about the middle, seen from 41 units up at distance 100.
        double f = CAMERA.fy() / 100;
        assertThat(top).isCloseTo((int) (24 - 7 * f), within(1));
        assertThat(bottom).isCloseTo((int) (24 + 41 * f) - 1, within(1));
        assertThat(left).isCloseTo((int) (44 - 10 * f), within(1));
        assertThat(right).isCloseTo((int) (44 + 10 * f) - 1, within(1));
    }

    @Test
    void monstersShowTheSideThatIsSeen() {
        // Facing north (90°), seen from the south: its back, rotation 5, shade 100.
        FreedoomWorld world = TinyWad.square(50, 128).thing(0, 20, 90, 3004).world();
        assertThat(world.instances().get(0).dynamic()).as("no room to walk").isFalse();
        RenderTarget t = new RenderTarget(88, 48);
        world.render(pose(0, 41, -30, 0, 0), CAMERA, 0, t);
        int i = 30 * 88 + 44;
        assertThat(t.label()[i]).isEqualTo(2);
        float gain = Texture.toLinear(t.rgb()[3 * i]) / Texture.toLinear(100);
        assertThat(Texture.toLinear(t.rgb()[3 * i + 1])).isCloseTo(gain * Texture.toLinear(155), within(0.03f));
    }

    @Test
    void sameViewGivesSameBytes() {
        RenderTarget a = new RenderTarget(88, 48);
        RenderTarget b = new RenderTarget(88, 48);
        Pose p = pose(-120, 41, 7, 80, 5);
        FreedoomWorld world = TinyWad.step(16).world();
        world.render(p, CAMERA, 3.5, a);
        b.rgb()[5] = 9;
        world.render(pose(-20, 41, 7, 0, 0), CAMERA, 1, b);
        TinyWad.step(16).world().render(p, CAMERA, 3.5, b);
        assertThat(Arrays.equals(b.rgb(), a.rgb())).isTrue();
        assertThat(Arrays.equals(b.depth(), a.depth())).isTrue();
        assertThat(Arrays.equals(b.label(), a.label())).isTrue();
        RoomWorld room = RoomWorld.generate(3);
        Pose q = room.spawn(new SplittableRandom(1));
        room.render(q, CAMERA, 2, a);
        RoomWorld.generate(3).render(q, CAMERA, 2, b);
        assertThat(Arrays.equals(b.rgb(), a.rgb())).isTrue();
    }

    @Test
    void roomsAgreeWithABruteForceTracer() {
        RenderTarget t = new RenderTarget(88, 48);
        for (int seed = 1; seed <= 3; seed++) {
            RoomWorld room = RoomWorld.generate(seed);
            SplittableRandom random = new SplittableRandom(seed);
            Pose p = room.spawn(random).compose(Pose.pitch(0.2 * random.nextDouble()));
            room.render(p, CAMERA, 1.25, t);
            List<Surface> all = room.surfaces(1.25);
            int wrong = 0;
            int compared = 0;
            for (int y = 0; y < 48; y += 2) {
                for (int x = 0; x < 88; x += 2) {
                    double[] hit = Tracer.trace(all, Tracer.ray(p, CAMERA, x, y));
                    int i = y * 88 + x;
                    boolean same = hit[0] == t.label()[i]
                            && (Double.isInfinite(hit[1])
                                    ? Float.isInfinite(t.depth()[i])
                                    : Math.abs(t.depth()[i] - hit[1]) < 1e-4 * hit[1]);
                    wrong += same ? 0 : 1;
                    compared++;
                }
            }
            assertThat(wrong).as("of " + compared + " rays in " + room.name()).isLessThanOrEqualTo(3);
        }
    }

    @Test
    void unprojectedPointsLandOnTheOtherViewsDepth() {
        RoomWorld room = RoomWorld.generate(5);
        Pose a = room.spawn(new SplittableRandom(2));
        Pose b = room.move(a, 10, 0, 6).compose(Pose.yaw(0.06));
        float[] flow = room.flow(a, 1, b, 1, CAMERA);
        RenderTarget ta = new RenderTarget(88, 48);
        RenderTarget tb = new RenderTarget(88, 48);
        room.render(a, CAMERA, 1, ta);
        room.render(b, CAMERA, 1, tb);
        Pose toB = b.inverse();
        int checked = 0;
        List<Double> errors = new ArrayList<>();
        for (int i = 0; i < 88 * 48; i++) {
            if (Float.isNaN(flow[2 * i]) || ta.label()[i] == World.LABEL_NONE) {
                continue;
            }
            double[] r = Tracer.ray(a, CAMERA, i % 88, i / 88);
            double z = ta.depth()[i];
            Pose p = toB.compose(Pose.translation(r[0] + z * r[3], r[1] + z * r[4], r[2] + z * r[5]));
            double u = i % 88 + 0.5 + flow[2 * i];
            double v = i / 88 + 0.5 + flow[2 * i + 1];
            assertThat(u).isCloseTo(CAMERA.fx() * p.tx() / p.tz() + CAMERA.cx(), within(1e-2));
            assertThat(v).isCloseTo(CAMERA.fy() * p.ty() / p.tz() + CAMERA.cy(), within(1e-2));
            // Interpolate 1/z where the four neighbours belong together.
            int x0 = (int) Math.floor(u - 0.5);
            int y0 = (int) Math.floor(v - 0.5);
            if (x0 < 1 || y0 < 1 || x0 > 85 || y0 > 45) {
                continue;
            }
            double fu = u - 0.5 - x0;
            double fv = v - 0.5 - y0;
            double n00 = 1.0 / tb.depth()[y0 * 88 + x0];
            double n01 = 1.0 / tb.depth()[y0 * 88 + x0 + 1];
            double n10 = 1.0 / tb.depth()[y0 * 88 + 88 + x0];
            double n11 = 1.0 / tb.depth()[y0 * 88 + 88 + x0 + 1];
            if (!flat(tb.depth(), x0, y0)) {
                continue;
            }
            double near = (1 - fv) * ((1 - fu) * n00 + fu * n01) + fv * ((1 - fu) * n10 + fu * n11);
            errors.add(Math.abs(1 / near - p.tz()) / p.tz());
            checked++;
        }
        assertThat(checked).isGreaterThan(2000);
        errors.sort(Double::compare);
        assertThat(errors.get((int) (0.99 * errors.size()))).isLessThan(0.005);
    }

    /** Whether the 4×4 pixels round a place lie on one plane, where 1/z is affine in the image. */
    private static boolean flat(float[] z, int x0, int y0) {
        for (int j = -1; j <= 2; j++) {
            for (int i = -1; i <= 2; i++) {
                int c = (y0 + j) * 88 + x0 + i;
                double across = i < 1 ? 1.0 / z[c] - 2.0 / z[c + 1] + 1.0 / z[c + 2] : 0;
                double down = j < 1 ? 1.0 / z[c] - 2.0 / z[c + 88] + 1.0 / z[c + 176] : 0;
                if (Math.max(Math.abs(across), Math.abs(down)) * z[c] > 1e-4) {
                    return false;
                }
            }
        }
        return true;
    }

    @Test
    void flowFollowsWhatMoves() {
        RoomWorld room = RoomWorld.generate(2);
        SplittableRandom random = new SplittableRandom(8);
        RenderTarget a = new RenderTarget(88, 48);
        RenderTarget b = new RenderTarget(88, 48);
        int followed = 0;
        int moved = 0;
        for (int k = 0; k < 40; k++) {
            Pose p = room.spawn(random);
            double t = 10 * random.nextDouble();
            room.render(p, CAMERA, t, a);
            room.render(p, CAMERA, t + 0.2, b);
            float[] flow = room.flow(p, t, p, t + 0.2, CAMERA);
            for (int i = 0; i < 88 * 48; i++) {
                if (Float.isNaN(flow[2 * i])) {
                    continue;
                }
                if (a.label()[i] < 2) {
                    assertThat(Math.hypot(flow[2 * i], flow[2 * i + 1])).isLessThan(1e-3);
                    continue;
                }
                double length = Math.hypot(flow[2 * i], flow[2 * i + 1]);
                moved += length > 0.5 ? 1 : 0;
                int x = (int) Math.min(87, Math.max(0, i % 88 + 0.5 + flow[2 * i]));
                int y = (int) Math.min(47, Math.max(0, i / 88 + 0.5 + flow[2 * i + 1]));
                followed += b.label()[y * 88 + x] == a.label()[i] ? 1 : -10;
            }
        }
        assertThat(moved).as("pixels that move").isGreaterThan(200);
        assertThat(followed).as("moving pixels found again, less 10 per miss").isPositive();
    }

    @Test
    void supersamplingComesCloserToTheTruth() {
        double plain = 0;
        double smooth = 0;
        for (int seed = 1; seed <= 3; seed++) {
            RoomWorld room = RoomWorld.generate(seed);
            Pose p = room.spawn(new SplittableRandom(seed));
            RenderTarget big = new RenderTarget(88 * 5, 48 * 5, 1, true);
            room.render(p, CAMERA.resized(88 * 5, 48 * 5), 0, big);
            RenderTarget one = new RenderTarget(88, 48, 1, true);
            RenderTarget two = new RenderTarget(88, 48, 2, true);
            room.render(p, CAMERA, 0, one);
            room.render(p, CAMERA, 0, two);
            int differ = 0;
            for (int i = 0; i < 88 * 48; i++) {
                differ += two.depth()[i] == one.depth()[i] ? 0 : 1;
            }
            assertThat(differ).as("depths that depend on the filter").isLessThanOrEqualTo(4);
            for (int i = 0; i < 88 * 48 * 3; i++) {
                double sum = 0;
                int x = i / 3 % 88;
                int y = i / 3 / 88;
                for (int j = 0; j < 25; j++) {
                    sum += Texture.toLinear(big.rgb()[((y * 5 + j / 5) * 440 + x * 5 + j % 5) * 3 + i % 3]);
                }
                int truth = Texture.toSrgb((float) (sum / 25)) & 255;
                plain += Math.pow((one.rgb()[i] & 255) - truth, 2);
                smooth += Math.pow((two.rgb()[i] & 255) - truth, 2);
            }
        }
        double n = 3.0 * 88 * 48 * 3;
        double psnr = 10 * Math.log10(255 * 255 / (smooth / n));
        assertThat(smooth).as("squared error").isLessThan(0.5 * plain);
        assertThat(psnr).as("dB against 5×5 rays").isGreaterThan(34);
    }

    @Test
    void sizesMustAgree() {
        FreedoomWorld world = TinyWad.square(200, 96).world();
        RenderTarget t = new RenderTarget(10, 10);
        assertThatThrownBy(() -> world.render(Pose.IDENTITY, CAMERA, 0, t))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("88×48")
                .hasMessageContaining("10×10");
        assertThatThrownBy(() -> new RenderTarget(10, 10, 9, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 to 8");
        assertThatThrownBy(() -> world.render(Pose.IDENTITY, CAMERA, Double.NaN, t))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("NaN");
    }
}
