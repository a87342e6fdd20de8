package io.teleworld;

import io.teleworld.error.TeleWorldException;
import java.awt.image.BufferedImage;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import org.jspecify.annotations.Nullable;

/**
 * A picture of 8-bit sRGB pixels. The array is shared, not copied: nobody writes to it after construction.
 *
 * @param width in pixels, at least 1
 * @param height in pixels, at least 1
 * @param rgb 3·width·height bytes, rows from the top, red first
 */
@SuppressWarnings("ArrayRecordComponent")
public record RgbImage(int width, int height, byte[] rgb) {

    /** The shortest side, in pixels, of a picture that {@link #read} accepts. */
    public static final int MIN_SIDE = 16;

    /** The most pixels of a picture that {@link #read} accepts. */
    public static final long MAX_PIXELS = 40_000_000;

    public RgbImage {
        if (width < 1 || height < 1) {
            throw new IllegalArgumentException(
                    "picture is " + width + "×" + height + "; both must be at least 1 pixel");
        }
        if (rgb.length != 3L * width * height) {
            throw new IllegalArgumentException(
                    "picture has " + rgb.length + " bytes; " + width + "×" + height + " needs " + 3L * width * height);
        }
    }

    /** Red, green and blue of a pixel as 0xRRGGBB. */
    public int pixel(int column, int row) {
        int i = 3 * (row * width + column);
        return (rgb[i] & 0xff) << 16 | (rgb[i + 1] & 0xff) << 8 | (rgb[i + 2] & 0xff);
    }

    /**
     * Reads a PNG, JPEG, BMP or GIF file. Transparent pictures are composited on black, grey ones widened.
     *
     * @throws TeleWorldException of category USER, in one line, if the file cannot be read, is no picture, has a side
     *     shorter than {@link #MIN_SIDE} pixels or more than {@link #MAX_PIXELS} pixels (found in its header, before
     *     anything is decoded), or is not RGB or grey (such as CMYK)
     */
    public static RgbImage read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw unusable(file, Files.exists(file) ? "is not a regular file" : "there is no such file", null);
        }
        try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
            if (in == null) {
                throw unusable(file, "cannot be opened", null);
            }
            Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
            if (!readers.hasNext()) {
                throw unusable(file, "is not a picture in a known format (PNG, JPEG, BMP, GIF)", null);
            }
            // ImageIO takes a fourth JPEG component for transparency; in practice it is CMYK's black.
            if (jpegComponents(in) == 4) {
                throw unusable(file, "is a CMYK picture; save it as RGB", null);
            }
            ImageReader reader = readers.next();
            try {
                reader.setInput(in, true, true);
                return read(file, reader);
            } finally {
                reader.dispose();
            }
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
            throw unusable(file, "is a damaged picture: " + oneLine(e), e);
        }
    }

    private static RgbImage read(Path file, ImageReader reader) throws IOException {
        int w = reader.getWidth(0);
        int h = reader.getHeight(0);
        if (w < MIN_SIDE || h < MIN_SIDE) {
            throw unusable(file, "is " + w + "×" + h + " pixels; each side must have at least " + MIN_SIDE, null);
        }
        if ((long) w * h > MAX_PIXELS) {
            throw unusable(
                    file,
                    "is " + w + "×" + h + " pixels; at most " + MAX_PIXELS / 1_000_000 + " million are allowed",
                    null);
        }
        return of(reader.read(0));
    }

    /** The components that a JPEG file's frame header declares, or 0 if this is another file. */
    private static int jpegComponents(ImageInputStream in) throws IOException {
        in.mark();
        try {
            if (in.readUnsignedShort() != 0xFFD8) {
                return 0;
            }
            while (true) {
                int marker = in.readUnsignedShort();
                int length = in.readUnsignedShort();
                boolean startOfFrame = marker >= 0xFFC0
                        && marker <= 0xFFCF
                        && marker != 0xFFC4
                        && marker != 0xFFC8
                        && marker != 0xFFCC;
                if (startOfFrame) {
                    in.skipBytes(5);
                    return in.readUnsignedByte();
                }
                if (marker < 0xFF00 || length < 2 || marker == 0xFFDA) {
                    return 0;
                }
                in.skipBytes(length - 2);
            }
        } catch (EOFException e) {
            return 0;
        } finally {
            in.reset();
        }
    }

    /** Copies an AWT picture; transparency is composited on black. */
    public static RgbImage of(BufferedImage image) {
        int w = image.getWidth();
        int h = image.getHeight();
        byte[] rgb = new byte[Math.multiplyExact(3, Math.multiplyExact(w, h))];
        int[] line = new int[w];
        int o = 0;
        for (int y = 0; y < h; y++) {
            image.getRGB(0, y, w, 1, line, 0, w);
            for (int argb : line) {
                int a = argb >>> 24;
                for (int shift = 16; shift >= 0; shift -= 8) {
                    rgb[o++] = (byte) (((argb >>> shift & 0xff) * a + 127) / 255);
                }
            }
        }
        return new RgbImage(w, h, rgb);
    }

    /** A copy as an AWT picture of type {@link BufferedImage#TYPE_INT_RGB}. */
    public BufferedImage toBufferedImage() {
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        int[] line = new int[width];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                line[x] = pixel(x, y);
            }
            image.setRGB(0, y, width, 1, line, 0, width);
        }
        return image;
    }

    /**
     * Writes a PNG file.
     *
     * @throws TeleWorldException of category USER if it cannot be written
     */
    public void writePng(Path file) {
        try (var out = Files.newOutputStream(file)) {
            ImageIO.write(toBufferedImage(), "png", out);
        } catch (IOException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER, file + ": cannot be written: " + oneLine(e), e);
        }
    }

    /**
     * This picture at another size: its centre is cut to the new aspect, then shrunk by averaging over each new pixel's
     * area, or enlarged linearly.
     */
    public RgbImage fit(int newWidth, int newHeight) {
        if (newWidth < 1 || newHeight < 1) {
            throw new IllegalArgumentException(
                    "new size is " + newWidth + "×" + newHeight + "; both must be at least 1 pixel");
        }
        if (newWidth == width && newHeight == height) {
            return this;
        }
        double scale = Math.min((double) width / newWidth, (double) height / newHeight);
        Taps horizontal = Taps.of(width, newWidth, scale);
        Taps vertical = Taps.of(height, newHeight, scale);
        float[] narrow = new float[3 * newWidth * height];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < newWidth; x++) {
                int first = horizontal.first[x];
                float[] weights = horizontal.weights[x];
                for (int c = 0; c < 3; c++) {
                    float sum = 0;
                    for (int k = 0; k < weights.length; k++) {
                        sum += weights[k] * (rgb[3 * (y * width + first + k) + c] & 0xff);
                    }
                    narrow[3 * (y * newWidth + x) + c] = sum;
                }
            }
        }
        byte[] out = new byte[3 * newWidth * newHeight];
        int stride = 3 * newWidth;
        for (int y = 0; y < newHeight; y++) {
            int first = vertical.first[y];
            float[] weights = vertical.weights[y];
            for (int i = 0; i < stride; i++) {
                float sum = 0;
                for (int k = 0; k < weights.length; k++) {
                    sum += weights[k] * narrow[(first + k) * stride + i];
                }
                out[y * stride + i] = (byte) Math.max(0, Math.min(255, Math.round(sum)));
            }
        }
        return new RgbImage(newWidth, newHeight, out);
    }

    @Override
    public boolean equals(@Nullable Object o) {
        return o instanceof RgbImage i && i.width == width && i.height == height && Arrays.equals(i.rgb, rgb);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * width + height) + Arrays.hashCode(rgb);
    }

    @Override
    public String toString() {
        return "picture " + width + "×" + height;
    }

    private static TeleWorldException unusable(Path file, String why, @Nullable Throwable cause) {
        return new TeleWorldException(TeleWorldException.Category.USER, file + ": " + why, cause);
    }

    private static String oneLine(Throwable e) {
        String m = e.getMessage();
        return m == null ? e.getClass().getSimpleName() : m.replaceAll("\\s+", " ");
    }

    /** For each new pixel of one axis the old pixels that it averages. */
    private static final class Taps {
        private final int[] first;
        private final float[][] weights;

        private Taps(int[] first, float[][] weights) {
            this.first = first;
            this.weights = weights;
        }

        static Taps of(int oldSize, int newSize, double scale) {
            double offset = 0.5 * (oldSize - scale * newSize);
            int[] first = new int[newSize];
            float[][] weights = new float[newSize][];
            for (int i = 0; i < newSize; i++) {
                if (scale >= 1) {
                    double from = Math.max(0, offset + i * scale);
                    double to = Math.min(oldSize, offset + (i + 1) * scale);
                    int a = Math.min(oldSize - 1, (int) Math.floor(from));
                    int b = Math.max(a + 1, Math.min(oldSize, (int) Math.ceil(to)));
                    first[i] = a;
                    weights[i] = new float[b - a];
                    for (int k = a; k < b; k++) {
                        weights[i][k - a] =
                                (float) (Math.max(0, Math.min(to, k + 1) - Math.max(from, k)) / (to - from));
                    }
                } else {
                    double centre = offset + (i + 0.5) * scale - 0.5;
                    int a = Math.max(0, Math.min(oldSize - 2, (int) Math.floor(centre)));
                    double f = Math.max(0, Math.min(1, centre - a));
                    first[i] = oldSize == 1 ? 0 : a;
                    weights[i] = oldSize == 1 ? new float[] {1} : new float[] {(float) (1 - f), (float) f};
                }
            }
            return new Taps(first, weights);
        }
    }
}
