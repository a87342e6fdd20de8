package io.teleworld.core.reconstruct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class ReconstructTest {

    private static final double[] SOURCE = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1};
    private static final double[] ONES = {1, 1, 1, 1, 1};

    private static double[] target(double... last) {
        double[] t = new double[15];
        double c = Math.cos(Math.toRadians(30));
        double s = Math.sin(Math.toRadians(30));
        for (int i = 0; i < 5; i++) {
            double x = SOURCE[3 * i];
            double y = SOURCE[3 * i + 1];
            t[3 * i] = 2 * (c * x - s * y) + 1;
            t[3 * i + 1] = 2 * (s * x + c * y) + 2;
            t[3 * i + 2] = 2 * SOURCE[3 * i + 2] + 3;
        }
        for (int a = 0; a < last.length; a++) {
            t[12 + a] += last[a];
        }
        return t;
    }

    private static void assertSimilarity(Similarity s, double scale, double x, double y, double z) {
        assertThat(s.scale()).isCloseTo(scale, within(2e-8));
        assertThat(s.rigid().tx()).isCloseTo(x, within(2e-8));
        assertThat(s.rigid().ty()).isCloseTo(y, within(2e-8));
        assertThat(s.rigid().tz()).isCloseTo(z, within(2e-8));
    }

    @Test
    void similarityVectors() {
        Similarity exact = Similarity.fit(SOURCE, target(), ONES);
        assertSimilarity(exact, 2, 1, 2, 3);
        assertThat(exact.rigid().r10()).isCloseTo(0.5, within(1e-12));
        double[] noisy = target(0.3, -0.1, 0.2);
        assertSimilarity(Similarity.fit(SOURCE, noisy, ONES), 2.03253946, 0.97922347, 2.0142106, 2.98985011);
        assertSimilarity(
                Similarity.fit(SOURCE, noisy, new double[] {1, 1, 1, 1, 0.1}),
                2.00540077,
                0.99522451,
                2.00310901,
                2.99758713);
    }

    @Test
    void anOutlierHardlyMovesTheRobustFit() {
        double[] noisy = target(5, -5, 5);
        double plain = Math.abs(Similarity.fit(SOURCE, noisy, ONES).scale() - 2);
        double robust = Math.abs(Similarity.fitRobust(SOURCE, noisy, ONES, 0.1).scale() - 2);
        assertThat(robust).isLessThan(0.3 * plain);
        assertSimilarity(Similarity.fitRobust(SOURCE, target(), ONES, 0.1), 2, 1, 2, 3);
    }

    @Property(tries = 100)
    void similaritiesAreRecoveredAndCompose(@ForAll long seed) {
        Random r = new Random(seed);
        Pose rigid = Pose.yaw(r.nextGaussian())
                .compose(Pose.pitch(r.nextGaussian()))
                .withTranslation(r.nextGaussian(), r.nextGaussian(), r.nextGaussian());
        Similarity truth = new Similarity(Math.exp(r.nextGaussian()), rigid);
        double[] source = new double[30];
        double[] target = new double[30];
        double[] weights = new double[10];
        for (int i = 0; i < 10; i++) {
            weights[i] = r.nextDouble() + 0.1;
            for (int a = 0; a < 3; a++) {
                source[3 * i + a] = r.nextGaussian();
            }
            System.arraycopy(truth.apply(source[3 * i], source[3 * i + 1], source[3 * i + 2]), 0, target, 3 * i, 3);
        }
        Similarity found = Similarity.fit(source, target, weights);
        assertThat(found.scale()).isCloseTo(truth.scale(), within(1e-9 * truth.scale()));
        assertThat(found.rigid().rotationAngleTo(rigid)).isLessThan(1e-7);
        double[] twice = truth.compose(truth).apply(1, 2, 3);
        double[] once = truth.apply(1, 2, 3);
        assertThat(twice).containsExactly(truth.apply(once[0], once[1], once[2]), within(1e-9 * (1 + truth.scale())));
    }

    @Test
    void aMirroredTargetStillGivesARotation() {
        double[] mirrored = SOURCE.clone();
        for (int i = 0; i < 15; i += 3) {
            mirrored[i] = -mirrored[i];
        }
        Similarity s = Similarity.fit(SOURCE, mirrored, ONES);
        assertThat(s.scale()).isBetween(0.1, 1.0);
        assertThatThrownBy(() -> Similarity.fit(new double[15], mirrored, ONES))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void scaleShiftVector() {
        DepthAlignment.Line line =
                DepthAlignment.fit(new double[] {1, 2, 3, 4}, new double[] {2.6, 4.4, 6.6, 8.4}, true);
        assertThat(line.scale()).isCloseTo(1.96, within(1e-12));
        assertThat(line.shift()).isCloseTo(0.6, within(1e-12));
    }

    private static float[] ramp(int n, double scale, double shift) {
        float[] out = new float[n];
        for (int i = 0; i < n; i++) {
            out[i] = (float) (scale * (1 + 2.0 * i / n) + shift);
        }
        return out;
    }

    @Test
    void depthIsAlignedToTheMemoryDespiteOutliersAndHoles() {
        DepthAlignment alignment = new DepthAlignment(DepthAlignment.Model.SCALE_SHIFT);
        float[] prediction = ramp(1000, 1, 0);
        float[] memory = ramp(1000, 1.3, 0.2);
        for (int i = 0; i < 1000; i += 10) {
            memory[i] = 50;
            memory[i + 1] = 0;
        }
        DepthAlignment.Result result = alignment.align(prediction, memory);
        assertThat(result.outcome()).isEqualTo(DepthAlignment.Outcome.FITTED);
        assertThat(result.pixels()).isEqualTo(900);
        assertThat(result.medianResidual()).isLessThan(0.02);
        assertThat(alignment.apply(prediction)[500]).isCloseTo(memory[505] - 0.0065f * 2, within(0.08f));
    }

    @Test
    void inverseDepthIsAligned() {
        DepthAlignment alignment = new DepthAlignment(DepthAlignment.Model.INVERSE_SCALE_SHIFT);
        float[] memory = ramp(100, 1, 1);
        float[] prediction = new float[100];
        for (int i = 0; i < 100; i++) {
            prediction[i] = (1 / memory[i] - 0.1f) / 0.003f;
        }
        assertThat(alignment.align(prediction, memory).outcome()).isEqualTo(DepthAlignment.Outcome.FITTED);
        assertThat(alignment.apply(prediction)[30]).isCloseTo(memory[30], within(1e-3f));
    }

    @Test
    void littleOverlapKeepsTheLastFitAndNonsenseIsRejected() {
        DepthAlignment alignment = new DepthAlignment(DepthAlignment.Model.SCALE_SHIFT);
        float[] prediction = ramp(1000, 1, 0);
        assertThat(alignment.align(prediction, new float[1000]).outcome()).isEqualTo(DepthAlignment.Outcome.FIRST);
        assertThat(alignment.align(prediction, ramp(1000, 1.5, 0)).outcome()).isEqualTo(DepthAlignment.Outcome.FITTED);
        float[] few = new float[1000];
        Arrays.fill(few, 0, 15, 9f);
        assertThat(alignment.align(prediction, few).outcome()).isEqualTo(DepthAlignment.Outcome.KEPT);
        assertThat(alignment.align(prediction, ramp(1000, 4, 0)).outcome())
                .as("the scale jumped")
                .isEqualTo(DepthAlignment.Outcome.REJECTED);
        float[] noise = new float[1000];
        Random r = new Random(1);
        for (int i = 0; i < 1000; i++) {
            noise[i] = (float) Math.exp(2 * r.nextGaussian());
        }
        assertThat(alignment.align(prediction, noise).outcome()).isEqualTo(DepthAlignment.Outcome.REJECTED);
        assertThat(alignment.line().scale()).isCloseTo(1.5, within(1e-6));
    }

    @Test
    void multiOtsuVector() {
        float[] values = new float[1000];
        Arrays.fill(values, 0, 700, 0.05f);
        Arrays.fill(values, 700, 900, 0.4f);
        Arrays.fill(values, 900, 1000, 0.9f);
        assertThat(Thresholds.multiOtsu(values, 2).score()).isCloseTo(0.0472, within(5e-5));
        assertThat(Thresholds.multiOtsu(values, 3).score()).isCloseTo(0.0702, within(5e-5));
        assertThat(Thresholds.multiOtsu(values, 4).score()).isNaN();
        Thresholds.Split best = Thresholds.saliency(values);
        assertThat(best.classes()).isEqualTo(3);
        assertThat(best.highest()).isBetween(0.4, 0.9);
        assertThat(Thresholds.saliency(new float[50]).highest()).isInfinite();
    }

    @Test
    void edgesAreStepsNotSlants() {
        int w = 40;
        int h = 30;
        float[] floor = new float[w * h];
        float[] step = new float[w * h];
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                floor[y * w + x] = 30f / (y + 3);
                step[y * w + x] = x < 20 ? 1f : 1.3f;
            }
        }
        assertThat(DepthMaps.edges(floor, w, h, 1.1)).containsOnly((byte) 0);
        byte[] edges = DepthMaps.edges(step, w, h, 1.1);
        for (int x = 0; x < w; x++) {
            assertThat(edges[5 * w + x]).as("column %d", x).isEqualTo((byte) (x == 19 || x == 20 ? 1 : 0));
        }
        assertThat(DepthMaps.dilate(edges, w, h, 3)[5 * w + 16]).isEqualTo((byte) 1);
        assertThat(DepthMaps.dilate(edges, w, h, 3)[5 * w + 15]).isZero();
    }

    @Test
    void normalsOfAPlane() {
        Intrinsics k = Intrinsics.ofHorizontalFieldOfView(20, 10, 1);
        double nx = -0.4;
        double nz = -Math.sqrt(1 - 0.16);
        float[] depth = new float[200];
        for (int y = 0; y < 10; y++) {
            for (int x = 0; x < 20; x++) {
                depth[y * 20 + x] = (float) (2 * nz / (nx * (x + 0.5 - k.cx()) / k.fx() + nz));
            }
        }
        float[] n = DepthMaps.normals(depth, k);
        for (int i = 0; i < 200; i++) {
            assertThat(n[3 * i]).isCloseTo((float) nx, within(1e-3f));
            assertThat(n[3 * i + 1]).isCloseTo(0, within(1e-3f));
            assertThat(n[3 * i + 2]).isCloseTo((float) nz, within(1e-3f));
        }
    }

    @Test
    void percentilesIgnoreWhatIsNotASurface() {
        float[] v = {Float.NaN, 0, -1, Float.POSITIVE_INFINITY, 3, 1, 2, 5, 4};
        assertThat(DepthMaps.median(v)).isEqualTo(3);
        assertThat(DepthMaps.percentile(v, 0)).isEqualTo(1);
        assertThat(DepthMaps.percentile(v, 1)).isEqualTo(5);
        assertThat(DepthMaps.percentile(v, 0.2)).isEqualTo(2);
        assertThat(DepthMaps.median(new float[3])).isNaN();
    }

    /** A grey wall at depth 4 with a texture, and a red square at depth 2 whose left edge is at column {@code x0}. */
    private static GeometricDynamicMask.View scene(double cameraX, int x0) {
        Intrinsics k = Intrinsics.ofHorizontalFieldOfView(64, 48, 1.2);
        byte[] rgb = new byte[3 * 64 * 48];
        float[] depth = new float[64 * 48];
        for (int y = 0; y < 48; y++) {
            for (int x = 0; x < 64; x++) {
                int i = y * 64 + x;
                boolean square = x >= x0 && x < x0 + 12 && y >= 16 && y < 28;
                depth[i] = square ? 2 : 4;
                double wall = cameraX + (x + 0.5 - k.cx()) / k.fx() * 4;
                int grey = 110 + (int) (10 * Math.sin(3 * wall));
                rgb[3 * i] = (byte) (square ? 230 : grey);
                rgb[3 * i + 1] = (byte) (square ? 20 : grey);
                rgb[3 * i + 2] = (byte) (square ? 20 : grey);
            }
        }
        return new GeometricDynamicMask.View(Pose.translation(cameraX, 0, 0), k, rgb, depth);
    }

    @Test
    void aMovingSquareIsFound() {
        GeometricDynamicMask.View view = scene(0, 20);
        GeometricDynamicMask.Result result =
                GeometricDynamicMask.of(view, List.of(scene(-0.1, 4), scene(0.1, 36), scene(0.2, 50)));
        assertThat(result.reliable()).isTrue();
        int both = 0;
        int either = 0;
        for (int i = 0; i < view.depth().length; i++) {
            boolean truth = view.depth()[i] == 2;
            both += truth && result.mask()[i] != 0 ? 1 : 0;
            either += truth || result.mask()[i] != 0 ? 1 : 0;
        }
        assertThat((double) both / either).isGreaterThan(0.9);
    }

    @Test
    void aStillSceneHasAnEmptyMask() {
        GeometricDynamicMask.View wall = scene(0, 100);
        GeometricDynamicMask.Result result = GeometricDynamicMask.of(wall, List.of(scene(-0.1, 100), scene(0.1, 100)));
        assertThat(result.mask()).containsOnly((byte) 0);
        assertThat(GeometricDynamicMask.of(wall, List.of(wall)).reliable()).isFalse();
    }
}
