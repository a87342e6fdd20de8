package io.teleworld.geometry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class IntrinsicsTest {

    @Test
    void fieldOfViewReachesTheBorder() {
        double fov = Math.toRadians(75);
        Intrinsics k = Intrinsics.ofHorizontalFieldOfView(176, 96, fov);
        assertThat(k.fx()).isEqualTo(k.fy());
        assertThat(k.fx() * Math.tan(fov / 2) + k.cx()).isCloseTo(176, within(1e-12));
        assertThat(k.cx()).isEqualTo(88);
        assertThat(k.cy()).isEqualTo(48);
    }

    @Test
    void resizingKeepsDirections() {
        Intrinsics k = new Intrinsics(100, 50, 80, 70, 49, 26);
        Intrinsics r = k.resized(200, 25);
        assertThat(r).isEqualTo(new Intrinsics(200, 25, 160, 35, 98, 13));
        assertThat(r.resized(100, 50)).isEqualTo(k);
    }

    @Test
    void refusesWhatIsNoCamera() {
        assertThatThrownBy(() -> new Intrinsics(0, 1, 1, 1, 0, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0×1");
        for (double bad : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThatThrownBy(() -> new Intrinsics(1, 1, bad, 1, 0, 0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("focal length");
        }
        assertThatThrownBy(() -> new Intrinsics(1, 1, 1, 1, Double.NaN, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("principal point");
        for (double bad : new double[] {0, Math.PI, Double.NaN}) {
            assertThatThrownBy(() -> Intrinsics.ofHorizontalFieldOfView(1, 1, bad))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("field of view");
        }
    }
}
