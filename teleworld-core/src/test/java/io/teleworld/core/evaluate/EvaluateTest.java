package io.teleworld.core.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.RgbImage;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class EvaluateTest {

    private static RgbImage grey(int width, int height, int value) {
        byte[] rgb = new byte[3 * width * height];
        Arrays.fill(rgb, (byte) value);
        return new RgbImage(width, height, rgb);
    }

    private static RgbImage noise(int width, int height, long seed) {
        byte[] rgb = new byte[3 * width * height];
        new SplittableRandom(seed).nextBytes(rgb);
        return new RgbImage(width, height, rgb);
    }

    private static RgbImage shifted(RgbImage image, int by) {
        byte[] rgb = image.rgb().clone();
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) Math.min(255, (rgb[i] & 0xff) + by);
        }
        return new RgbImage(image.width(), image.height(), rgb);
    }

    @Test
    void psnrOfKnownErrors() {
        assertThat(ImageMetrics.psnr(0.001)).isCloseTo(30, within(1e-9));
        assertThat(ImageMetrics.psnr(grey(8, 8, 100), grey(8, 8, 116))).isCloseTo(24.048, within(5e-4));
        assertThat(ImageMetrics.psnr(grey(8, 8, 3), grey(8, 8, 3))).isInfinite();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ImageMetrics.psnr(grey(8, 8, 0), grey(8, 9, 0)))
                .withMessageContaining("8×8 and 8×9");
    }

    @Test
    void ssimOfFlatPicturesIsItsLuminanceTerm() {
        double c1 = 0.01 * 255 * 0.01 * 255;
        double expected = (2 * 100.0 * 150 + c1) / (100.0 * 100 + 150.0 * 150 + c1);
        assertThat(ImageMetrics.ssim(grey(16, 12, 100), grey(16, 12, 150))).isCloseTo(expected, within(1e-6));
    }

    @Test
    void ssimTellsStructureFromNoise() {
        RgbImage a = noise(32, 24, 1);
        assertThat(ImageMetrics.ssim(a, a)).isCloseTo(1, within(1e-9));
        assertThat(ImageMetrics.ssim(a, noise(32, 24, 2))).isBetween(-0.1, 0.1);
        assertThat(ImageMetrics.ssim(a, shifted(a, 8))).isGreaterThan(0.95);
        assertThatIllegalArgumentException().isThrownBy(() -> ImageMetrics.ssim(grey(10, 20, 0), grey(10, 20, 0)));
    }

    @Test
    void ssimOfOneWindowFollowsTheFormula() {
        RgbImage a = noise(11, 11, 3);
        RgbImage b = noise(11, 11, 4);
        double mean = 0;
        for (int c = 0; c < 3; c++) {
            double total = 0;
            double ma = 0;
            double mb = 0;
            double aa = 0;
            double bb = 0;
            double ab = 0;
            for (int y = 0; y < 11; y++) {
                for (int x = 0; x < 11; x++) {
                    double g = Math.exp(-((x - 5) * (x - 5) + (y - 5) * (y - 5)) / 4.5);
                    double u = a.rgb()[3 * (11 * y + x) + c] & 0xff;
                    double v = b.rgb()[3 * (11 * y + x) + c] & 0xff;
                    total += g;
                    ma += g * u;
                    mb += g * v;
                    aa += g * u * u;
                    bb += g * v * v;
                    ab += g * u * v;
                }
            }
            ma /= total;
            mb /= total;
            double va = aa / total - ma * ma;
            double vb = bb / total - mb * mb;
            double cov = ab / total - ma * mb;
            mean += (2 * ma * mb + 6.5025)
                    * (2 * cov + 58.5225)
                    / ((ma * ma + mb * mb + 6.5025) * (va + vb + 58.5225))
                    / 3;
        }
        assertThat(ImageMetrics.ssim(a, b)).isCloseTo(mean, within(1e-9));
    }

    @Test
    void qualityOfFlatColouredAndSharpPictures() {
        FrameQuality flat = FrameQuality.of(grey(9, 9, 77));
        assertThat(flat.sharpness()).isCloseTo(0, within(1e-12));
        assertThat(flat.saturation()).isZero();
        assertThat(flat.contrast()).isCloseTo(0, within(1e-9));

        byte[] red = new byte[3 * 25];
        for (int i = 0; i < 25; i++) {
            red[3 * i] = (byte) 200;
            red[3 * i + 1] = (byte) 100;
            red[3 * i + 2] = (byte) 50;
        }
        assertThat(FrameQuality.of(new RgbImage(5, 5, red)).saturation()).isCloseTo(0.75, within(1e-12));

        byte[] halves = new byte[3 * 16];
        Arrays.fill(halves, 24, 48, (byte) 255);
        assertThat(FrameQuality.of(new RgbImage(4, 4, halves)).contrast()).isCloseTo(0.5, within(1e-9));
        assertThat(FrameQuality.of(noise(32, 32, 5)).sharpness()).isGreaterThan(0.1);
    }

    @Test
    void driftComparesTheEnds() {
        double[] m = new double[20];
        Arrays.fill(m, 0, 3, 2);
        Arrays.fill(m, 3, 17, 100);
        Arrays.fill(m, 17, 20, 1.5);
        assertThat(Drift.delta(m)).isCloseTo(0.5, within(1e-12));
        assertThat(Drift.change(m)).isCloseTo(-0.5, within(1e-12));
        assertThatIllegalArgumentException().isThrownBy(() -> Drift.delta(new double[0]));
    }

    @Test
    void videoDriftErrorOfTheKnownVector() {
        double[] m = {1, 0.95, 0.9, 0.92};
        assertThat(Drift.videoDriftError(m, Drift.Weighting.LINEAR)).isCloseTo(0.43, within(1e-12));
        assertThat(Drift.videoDriftError(m, Drift.Weighting.LOGARITHMIC)).isCloseTo(0.124245, within(1e-6));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Drift.videoDriftError(new double[] {0, 1}, Drift.Weighting.LINEAR));
    }

    @Test
    void chunksCoverEveryFrameOnce() {
        assertThat(Drift.chunkMeans(new double[] {1, 2, 3, 4, 5}, 2)).containsExactly(1.5, 4);
        assertThat(Drift.chunkMeans(new double[] {1, 2, 3}, 3)).containsExactly(1, 2, 3);
        assertThatIllegalArgumentException().isThrownBy(() -> Drift.chunkMeans(new double[] {1}, 2));
    }

    @Test
    void bootstrapCoversTheMeanAboutAsOftenAsItSays() {
        SplittableRandom random = new SplittableRandom(11);
        Bootstrap bootstrap = new Bootstrap(400, 0.95, 1);
        int covered = 0;
        for (int trial = 0; trial < 300; trial++) {
            double[] v = new double[40];
            for (int i = 0; i < v.length; i++) {
                v[i] = 5 + random.nextGaussian();
            }
            Bootstrap.Interval interval = bootstrap.mean(v);
            covered += interval.lower() <= 5 && 5 <= interval.upper() ? 1 : 0;
        }
        assertThat(covered).isBetween(270, 297);
    }

    @Test
    void pairedDifferenceRemovesWhatPairsShare() {
        SplittableRandom random = new SplittableRandom(12);
        double[] a = new double[30];
        double[] b = new double[30];
        for (int i = 0; i < a.length; i++) {
            double shared = 50 * random.nextGaussian();
            a[i] = shared + 1 + 0.1 * random.nextGaussian();
            b[i] = shared;
        }
        Bootstrap.Interval d = Bootstrap.DEFAULT.difference(a, b);
        assertThat(d.mean()).isCloseTo(1, within(0.1));
        assertThat(d.isAbove(0)).isTrue();
        assertThat(d).isEqualTo(Bootstrap.DEFAULT.difference(a, b));
        assertThat(Bootstrap.DEFAULT.difference(b, a).isAbove(0)).isFalse();
        assertThatIllegalArgumentException().isThrownBy(() -> Bootstrap.DEFAULT.difference(a, new double[1]));
    }

    @Test
    void percentilesInterpolate() {
        double[] sorted = {1, 2, 4};
        assertThat(Bootstrap.percentile(sorted, 0)).isEqualTo(1);
        assertThat(Bootstrap.percentile(sorted, 0.5)).isEqualTo(2);
        assertThat(Bootstrap.percentile(sorted, 0.75)).isEqualTo(3);
        assertThat(Bootstrap.percentile(sorted, 1)).isEqualTo(4);
    }
}
