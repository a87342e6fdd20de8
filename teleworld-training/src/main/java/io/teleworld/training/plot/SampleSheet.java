package io.teleworld.training.plot;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;

/**
 * Rows of labelled pictures of one size in a PNG file: samples beside ground truth. Confined to one thread.
 *
 * <p>Works without a display.
 */
public final class SampleSheet {

    private static final int LABEL = 14;
    private static final int GAP = 2;

    private final int width;
    private final int height;
    private final List<List<BufferedImage>> rows = new ArrayList<>();
    private final List<String> labels = new ArrayList<>();

    /**
     * An empty sheet.
     *
     * @param width of each picture in pixels
     * @param height of each picture in pixels
     */
    public SampleSheet(int width, int height) {
        if (width < 1 || height < 1) {
            throw new IllegalArgumentException("picture size is " + width + "×" + height + "; at least 1×1");
        }
        this.width = width;
        this.height = height;
    }

    /** Starts a new row under a label. */
    public SampleSheet row(String label) {
        labels.add(label);
        rows.add(new ArrayList<>());
        return this;
    }

    /** Adds a picture of 8-bit RGB bytes, row by row, to the last row. */
    public SampleSheet rgb(byte[] pixels) {
        requireLength(pixels.length);
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < width * height; i++) {
            int r = pixels[3 * i] & 255;
            int g = pixels[3 * i + 1] & 255;
            int b = pixels[3 * i + 2] & 255;
            image.setRGB(i % width, i / width, r << 16 | g << 8 | b);
        }
        return add(image);
    }

    /**
     * Adds a picture in planes [3,H,W] of a larger array to the last row.
     *
     * @param values colours in [−1, 1]; beyond is clamped
     * @param offset of the first element
     * @param planeStride elements between two planes; H·W unless frames lie between them
     */
    public SampleSheet planes(float[] values, int offset, int planeStride) {
        byte[] pixels = new byte[3 * width * height];
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < width * height; i++) {
                float v = values[offset + c * planeStride + i];
                pixels[3 * i + c] = (byte) Math.round(Math.max(0f, Math.min(255f, (v + 1f) * 127.5f)));
            }
        }
        return rgb(pixels);
    }

    /** Adds one plane [H,W] as grey from {@code low} (black) to {@code high} (white) to the last row. */
    public SampleSheet grey(float[] values, int offset, float low, float high) {
        byte[] pixels = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++) {
            float v = (values[offset + i] - low) / (high - low);
            byte b = (byte) Math.round(255 * Math.max(0f, Math.min(1f, v)));
            pixels[3 * i] = b;
            pixels[3 * i + 1] = b;
            pixels[3 * i + 2] = b;
        }
        return rgb(pixels);
    }

    private void requireLength(int length) {
        if (length != 3 * width * height) {
            throw new IllegalArgumentException(length + " bytes do not fill an RGB picture of " + width + "×" + height);
        }
    }

    private SampleSheet add(BufferedImage image) {
        if (rows.isEmpty()) {
            row("");
        }
        rows.get(rows.size() - 1).add(image);
        return this;
    }

    /** The sheet as one picture. */
    public BufferedImage render() {
        int columns = Math.max(1, rows.stream().mapToInt(List::size).max().orElse(1));
        int rowHeight = height + LABEL + GAP;
        BufferedImage sheet = new BufferedImage(
                columns * (width + GAP), Math.max(1, rows.size() * rowHeight), BufferedImage.TYPE_INT_RGB);
        Graphics2D g = sheet.createGraphics();
        try {
            g.setFont(new Font(Font.MONOSPACED, Font.PLAIN, 11));
            g.setColor(Color.WHITE);
            for (int r = 0; r < rows.size(); r++) {
                g.drawString(labels.get(r), 2, r * rowHeight + LABEL - 3);
                for (int c = 0; c < rows.get(r).size(); c++) {
                    g.drawImage(rows.get(r).get(c), c * (width + GAP), r * rowHeight + LABEL, null);
                }
            }
        } finally {
            g.dispose();
        }
        return sheet;
    }

    /** Writes the sheet, replacing a file that is there. */
    public void write(Path file) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        if (!ImageIO.write(render(), "png", file.toFile())) {
            throw new IOException("no PNG writer on this Java runtime");
        }
    }
}
