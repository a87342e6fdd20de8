package io.teleworld.geometry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;

class PoseTest {

    private static final double STEP = 0.08;
    private static final double TURN = Math.toRadians(3);

    /** One discrete step: turn to the right, then move forward. */
    private static Pose step(Pose p, double yaw) {
        return p.compose(Pose.yaw(yaw)).compose(Pose.translation(0, 0, STEP));
    }

    @Example
    void walksAndTurns() {
        Pose p = Pose.IDENTITY;
        for (int k = 0; k < 3; k++) {
            p = step(p, 0);
        }
        for (int k = 0; k < 2; k++) {
            p = step(p, TURN);
        }
        assertThat(p.tx()).isCloseTo(0.012549, within(5e-7));
        assertThat(p.ty()).isZero();
        assertThat(p.tz()).isCloseTo(0.399452, within(5e-7));
        assertThat(p.r00()).isCloseTo(0.994522, within(5e-7));
        assertThat(p.r01()).isZero();
        assertThat(p.r02()).isCloseTo(0.104528, within(5e-7));
    }

    @Example
    void aFullTurnReturns() {
        Pose p = Pose.IDENTITY;
        for (int k = 0; k < 120; k++) {
            p = step(p, TURN);
        }
        assertThat(p.distanceTo(Pose.IDENTITY)).isLessThan(1e-13);
        double[] m = p.toRowMajor();
        double[] identity = Pose.IDENTITY.toRowMajor();
        for (int i = 0; i < 16; i++) {
            assertThat(m[i]).isCloseTo(identity[i], within(1e-13));
        }
    }

    @Example
    void signsOfTheAxes() {
        // Looking right means that forward gains +x; looking up that forward gains −y, as y points down.
        Pose right = Pose.yaw(Math.PI / 2);
        assertThat(right.r02()).isCloseTo(1, within(1e-15));
        Pose up = Pose.pitch(Math.PI / 2);
        assertThat(up.r12()).isCloseTo(-1, within(1e-15));
        assertThat(Pose.IDENTITY.rotationAngleTo(Pose.yaw(-0.3))).isCloseTo(0.3, within(1e-15));
        assertThat(Pose.IDENTITY.rotationAngleTo(Pose.yaw(Math.PI))).isCloseTo(Math.PI, within(1e-7));
    }

    @Property(tries = 200)
    void inverseUndoes(
            @ForAll @DoubleRange(min = -3, max = 3) double yaw,
            @ForAll @DoubleRange(min = -1.5, max = 1.5) double pitch,
            @ForAll @DoubleRange(min = -100, max = 100) double x,
            @ForAll @DoubleRange(min = -100, max = 100) double z) {
        Pose p = Pose.yaw(yaw).compose(Pose.pitch(pitch)).withTranslation(x, 1, z);
        Pose i = p.compose(p.inverse());
        assertThat(i.rotationAngleTo(Pose.IDENTITY)).isLessThan(1e-12);
        assertThat(i.distanceTo(Pose.IDENTITY)).isLessThan(1e-10);
        assertThat(Pose.ofRowMajor(p.toRowMajor())).isEqualTo(p);
        assertThat(Pose.ofRowMajor(Arrays.copyOf(p.toRowMajor(), 12))).isEqualTo(p);
        Pose q = Pose.translation(z, x, 2).compose(Pose.pitch(yaw));
        assertThat(p.compose(q).inverse().distanceTo(q.inverse().compose(p.inverse())))
                .isLessThan(1e-9);
    }

    @Example
    void refusesWhatIsNotRigid() {
        double[] m = Pose.IDENTITY.toRowMajor();
        m[0] = 1.001;
        assertThatThrownBy(() -> Pose.ofRowMajor(m))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("orthonormal");
        m[0] = -1;
        assertThatThrownBy(() -> Pose.ofRowMajor(m))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("reflection");
        m[0] = Double.NaN;
        assertThatThrownBy(() -> Pose.ofRowMajor(m))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("finite");
        assertThatThrownBy(() -> Pose.ofRowMajor(new double[9]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("9 entries");
    }
}
