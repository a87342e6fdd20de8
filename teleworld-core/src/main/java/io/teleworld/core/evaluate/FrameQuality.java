package io.teleworld.core.evaluate;

import io.teleworld.RgbImage;

/**
 * What one picture looks like by itself, for measuring drift without a reference. Immutable.
 *
 * @param sharpness variance of the Laplacian of luma, luma in [0, 1]; at least 0
 * @param saturation mean of (max − min)/max over pixels, in [0, 1]; black counts as 0
 * @param contrast standard deviation of luma, in [0, 0.5]
 */
public record FrameQuality(double sharpness, double saturation, double contrast) {

    /** Measures a picture of at least 3×3 pixels. Luma is that of ITU-R BT.601 on the sRGB values as they are. */
    public static FrameQuality of(RgbImage image) {
        int w = image.width();
        int h = image.height();
        if (w < 3 || h < 3) {
            throw new IllegalArgumentException("picture is " + w + "×" + h + "; at least 3×3 pixels are needed");
        }
        byte[] rgb = image.rgb();
        double[] luma = new double[w * h];
        double saturation = 0;
        Moments contrast = new Moments();
        for (int i = 0; i < luma.length; i++) {
            int r = rgb[3 * i] & 0xff;
            int g = rgb[3 * i + 1] & 0xff;
            int b = rgb[3 * i + 2] & 0xff;
            int max = Math.max(r, Math.max(g, b));
            int min = Math.min(r, Math.min(g, b));
            saturation += max == 0 ? 0 : (double) (max - min) / max;
            luma[i] = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
            contrast.add(luma[i]);
        }
        Moments laplacian = new Moments();
        for (int y = 1; y < h - 1; y++) {
            for (int x = 1; x < w - 1; x++) {
                int i = y * w + x;
                laplacian.add(luma[i - 1] + luma[i + 1] + luma[i - w] + luma[i + w] - 4 * luma[i]);
            }
        }
        return new FrameQuality(laplacian.variance(), saturation / luma.length, Math.sqrt(contrast.variance()));
    }

    /** Running mean and variance. */
    private static final class Moments {
        private long count;
        private double mean;
        private double squares;

        void add(double v) {
            count++;
            double d = v - mean;
            mean += d / count;
            squares += d * (v - mean);
        }

        double variance() {
            return squares / count;
        }
    }
}
