package io.teleworld.core.evaluate;

import io.teleworld.RgbImage;

/** Agreement of two pictures of the same size. Stateless and thread-safe. */
public final class ImageMetrics {

    private static final int WINDOW = 11;
    private static final double SIGMA = 1.5;
    private static final double C1 = square(0.01 * 255);
    private static final double C2 = square(0.03 * 255);
    private static final double[] GAUSSIAN = gaussian();

    private ImageMetrics() {}

    /** Mean squared error over all pixels and channels, of values in [0, 1]. */
    public static double meanSquaredError(RgbImage a, RgbImage b) {
        requireSameSize(a, b);
        byte[] x = a.rgb();
        byte[] y = b.rgb();
        long sum = 0;
        for (int i = 0; i < x.length; i++) {
            int d = (x[i] & 0xff) - (y[i] & 0xff);
            sum += (long) d * d;
        }
        return sum / (255.0 * 255.0 * x.length);
    }

    /** Peak signal-to-noise ratio in dB over all pixels and channels; +∞ for equal pictures. */
    public static double psnr(RgbImage a, RgbImage b) {
        return psnr(meanSquaredError(a, b));
    }

    /**
     * Peak signal-to-noise ratio in dB, 10·log10(1/MSE).
     *
     * @param meanSquaredError of values in [0, 1], at least 0
     */
    public static double psnr(double meanSquaredError) {
        if (!(meanSquaredError >= 0)) {
            throw new IllegalArgumentException("mean squared error is " + meanSquaredError + "; it must be at least 0");
        }
        return meanSquaredError == 0 ? Double.POSITIVE_INFINITY : -10 * Math.log10(meanSquaredError);
    }

    /**
     * Structural similarity: the mean over channels and over all places where a Gaussian window of 11×11 pixels (σ 1.5)
     * fits, with K1 = 0.01 and K2 = 0.03 (Wang et al. 2004).
     *
     * @return in [−1, 1]; 1 for equal pictures
     * @throws IllegalArgumentException if the sizes differ or a side is shorter than the window
     */
    public static double ssim(RgbImage a, RgbImage b) {
        requireSameSize(a, b);
        if (a.width() < WINDOW || a.height() < WINDOW) {
            throw new IllegalArgumentException("picture is " + a.width() + "×" + a.height()
                    + "; structural similarity needs at least " + WINDOW + "×" + WINDOW);
        }
        double sum = 0;
        for (int channel = 0; channel < 3; channel++) {
            sum += ssim(plane(a, channel), plane(b, channel), a.width(), a.height());
        }
        return sum / 3;
    }

    private static double ssim(double[] x, double[] y, int width, int height) {
        double[] mx = blur(x, width, height);
        double[] my = blur(y, width, height);
        double[] xx = blur(product(x, x), width, height);
        double[] yy = blur(product(y, y), width, height);
        double[] xy = blur(product(x, y), width, height);
        double sum = 0;
        for (int i = 0; i < mx.length; i++) {
            double means = mx[i] * my[i];
            double squares = mx[i] * mx[i] + my[i] * my[i];
            double variances = xx[i] + yy[i] - squares;
            sum += (2 * means + C1) * (2 * (xy[i] - means) + C2) / ((squares + C1) * (variances + C2));
        }
        return sum / mx.length;
    }

    private static double[] plane(RgbImage image, int channel) {
        byte[] rgb = image.rgb();
        double[] out = new double[rgb.length / 3];
        for (int i = 0; i < out.length; i++) {
            out[i] = rgb[3 * i + channel] & 0xff;
        }
        return out;
    }

    private static double[] product(double[] a, double[] b) {
        double[] out = new double[a.length];
        for (int i = 0; i < a.length; i++) {
            out[i] = a[i] * b[i];
        }
        return out;
    }

    /** The window's weighted mean wherever it fits. */
    private static double[] blur(double[] in, int width, int height) {
        int w = width - WINDOW + 1;
        int h = height - WINDOW + 1;
        double[] rows = new double[w * height];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < w; x++) {
                double sum = 0;
                for (int k = 0; k < WINDOW; k++) {
                    sum += GAUSSIAN[k] * in[y * width + x + k];
                }
                rows[y * w + x] = sum;
            }
        }
        double[] out = new double[w * h];
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                double sum = 0;
                for (int k = 0; k < WINDOW; k++) {
                    sum += GAUSSIAN[k] * rows[(y + k) * w + x];
                }
                out[y * w + x] = sum;
            }
        }
        return out;
    }

    private static double[] gaussian() {
        double[] weights = new double[WINDOW];
        double sum = 0;
        for (int k = 0; k < WINDOW; k++) {
            weights[k] = Math.exp(-square(k - WINDOW / 2) / (2 * SIGMA * SIGMA));
            sum += weights[k];
        }
        for (int k = 0; k < WINDOW; k++) {
            weights[k] /= sum;
        }
        return weights;
    }

    private static double square(double v) {
        return v * v;
    }

    private static void requireSameSize(RgbImage a, RgbImage b) {
        if (a.width() != b.width() || a.height() != b.height()) {
            throw new IllegalArgumentException("pictures are " + a.width() + "×" + a.height() + " and " + b.width()
                    + "×" + b.height() + "; both must have the same size");
        }
    }
}
