package io.teleworld.core.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.RgbImage;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** In a box whose walls are painted with waves, seen from inside. */
class PoseRecoveryTest {

    private static final Intrinsics CAMERA = Intrinsics.ofHorizontalFieldOfView(88, 48, Math.toRadians(75));
    private static final double[] LOW = {-2, -1, -1.5};
    private static final double[] HIGH = {2.5, 1.2, 4};

    private static PoseRecovery.View look(Pose p) {
        byte[] rgb = new byte[3 * CAMERA.width() * CAMERA.height()];
        float[] depth = new float[CAMERA.width() * CAMERA.height()];
        for (int y = 0; y < CAMERA.height(); y++) {
            for (int x = 0; x < CAMERA.width(); x++) {
                double[] sum = new double[3];
                for (int s = 0; s < 9; s++) {
                    double u = (x + (s % 3 + 0.5) / 3 - CAMERA.cx()) / CAMERA.fx();
                    double v = (y + (s / 3 + 0.5) / 3 - CAMERA.cy()) / CAMERA.fy();
                    double z = hit(p, u, v);
                    if (s == 4) {
                        depth[y * CAMERA.width() + x] = (float) z;
                    }
                    double[] at = {
                        p.tx() + z * (p.r00() * u + p.r01() * v + p.r02()),
                        p.ty() + z * (p.r10() * u + p.r11() * v + p.r12()),
                        p.tz() + z * (p.r20() * u + p.r21() * v + p.r22())
                    };
                    for (int c = 0; c < 3; c++) {
                        sum[c] += 128
                                + 45 * Math.sin(5 * at[0] + 3 * at[1] + c)
                                + 40 * Math.sin(4 * at[2] - 6 * at[1])
                                + 30 * Math.sin(9 * at[0] + 8 * at[2] + 2 * c);
                    }
                }
                for (int c = 0; c < 3; c++) {
                    rgb[3 * (y * CAMERA.width() + x) + c] = (byte) Math.round(sum[c] / 9);
                }
            }
        }
        return new PoseRecovery.View(new RgbImage(CAMERA.width(), CAMERA.height(), rgb), depth);
    }

    private static double hit(Pose p, double u, double v) {
        double[] from = {p.tx(), p.ty(), p.tz()};
        double[] way = {
            p.r00() * u + p.r01() * v + p.r02(),
            p.r10() * u + p.r11() * v + p.r12(),
            p.r20() * u + p.r21() * v + p.r22()
        };
        double z = Double.POSITIVE_INFINITY;
        for (int a = 0; a < 3; a++) {
            double wall = way[a] > 0 ? HIGH[a] : LOW[a];
            z = Math.min(z, way[a] == 0 ? Double.POSITIVE_INFINITY : (wall - from[a]) / way[a]);
        }
        return z;
    }

    private static Pose motion(SplittableRandom random, double degrees, double distance) {
        double angle = Math.toRadians(degrees);
        return Pose.yaw(angle * (2 * random.nextDouble() - 1))
                .compose(Pose.pitch(angle * (2 * random.nextDouble() - 1)))
                .withTranslation(
                        distance * (2 * random.nextDouble() - 1),
                        distance * (2 * random.nextDouble() - 1),
                        distance * (2 * random.nextDouble() - 1));
    }

    @Property(tries = 20)
    void motionsAreRecovered(@ForAll long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Pose from = motion(random, 40, 0.5);
        Pose truth = motion(random, 2.5, 0.06);
        PoseRecovery.View a = look(from);
        PoseRecovery.View b = look(from.compose(truth));
        PoseRecovery.Alignment found = PoseRecovery.align(a.picture(), a.depth(), CAMERA, b.picture(), Pose.IDENTITY);
        assertThat(found.reliable()).isTrue();
        assertThat(Math.toDegrees(found.pose().rotationAngleTo(truth))).isLessThan(0.1);
        assertThat(found.pose().distanceTo(truth)).isLessThan(0.006);
    }

    @Test
    void neitherBrightnessNorAnIntruderMatters() {
        Pose truth = Pose.yaw(0.02).withTranslation(0.03, 0, 0.05);
        PoseRecovery.View a = look(Pose.IDENTITY);
        RgbImage b = look(truth).picture();
        byte[] rgb = new byte[b.rgb().length];
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < rgb.length; i++) {
            int x = i / 3 % b.width();
            int y = i / 3 / b.width();
            boolean intruder = x > 60 && x < 80 && y > 15 && y < 40;
            rgb[i] = (byte) (intruder ? random.nextInt(256) : (int) (0.8 * (b.rgb()[i] & 0xff) + 20));
        }
        PoseRecovery.Alignment found = PoseRecovery.align(
                a.picture(), a.depth(), CAMERA, new RgbImage(b.width(), b.height(), rgb), Pose.IDENTITY);
        assertThat(Math.toDegrees(found.pose().rotationAngleTo(truth))).isLessThan(0.15);
        assertThat(found.pose().distanceTo(truth)).isLessThan(0.01);
        assertThat(found.inliers()).isBetween(0.5, 0.95);
    }

    @Test
    void aPathIsFollowed() {
        List<Pose> truth = new ArrayList<>();
        List<RgbImage> video = new ArrayList<>();
        for (int i = 0; i < 33; i++) {
            truth.add(Pose.yaw(Math.toRadians(1.5 * i)).withTranslation(0.01 * i, 0, 0.02 * i));
            video.add(look(truth.get(i)).picture());
        }
        PoseRecovery.Track track =
                PoseRecovery.track(video, CAMERA, (frame, pose) -> look(pose).depth(), 8);
        assertThat(track.reliableShare()).isEqualTo(1);
        assertThat(track.poses()).hasSize(33);
        assertThat(track.poses().get(0)).isEqualTo(Pose.IDENTITY);
        assertThat(Math.toDegrees(track.poses().get(32).rotationAngleTo(truth.get(32))))
                .isLessThan(0.5);
        assertThat(track.poses().get(32).distanceTo(truth.get(32))).isLessThan(0.02);
        PoseRecovery.Track located = PoseRecovery.locate(video, CAMERA, (frame, pose) -> look(pose), 8);
        assertThat(Math.toDegrees(located.poses().get(32).rotationAngleTo(truth.get(32))))
                .isLessThan(0.1);
        assertThat(located.poses().get(32).distanceTo(truth.get(32))).isLessThan(0.01);
    }

    @Test
    void aCameraThatStandsStaysAndNoiseIsNotTrusted() {
        PoseRecovery.View a = look(Pose.IDENTITY);
        PoseRecovery.Alignment same =
                PoseRecovery.align(a.picture(), a.depth(), CAMERA, a.picture(), Pose.translation(0.02, 0, 0));
        assertThat(same.pose().distanceTo(Pose.IDENTITY)).isCloseTo(0, within(1e-3));
        byte[] noise = new byte[a.picture().rgb().length];
        new SplittableRandom(1).nextBytes(noise);
        PoseRecovery.Alignment lost =
                PoseRecovery.align(a.picture(), a.depth(), CAMERA, new RgbImage(88, 48, noise), Pose.IDENTITY);
        assertThat(lost.reliable()).isFalse();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PoseRecovery.align(a.picture(), new float[3], CAMERA, a.picture(), Pose.IDENTITY));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PoseRecovery.track(List.of(), CAMERA, (f, p) -> new float[0], 8));
    }
}
