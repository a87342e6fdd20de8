package io.teleworld.examples;

import io.teleworld.RgbImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Pictures of one size in rows, each with a label above it. Confined to one thread. */
final class PictureGrid {

    private static final int GAP = 4;
    private static final int LABEL = PixelFont.HEIGHT + 4;
    private static final byte GREY = 32;

    private final int columns;
    private final List<String> labels = new ArrayList<>();
    private final List<RgbImage> pictures = new ArrayList<>();

    PictureGrid(int columns) {
        this.columns = columns;
    }

    /** Puts a picture behind those that are there. */
    void add(String label, RgbImage picture) {
        if (!pictures.isEmpty()
                && (picture.width() != pictures.get(0).width()
                        || picture.height() != pictures.get(0).height())) {
            throw new IllegalArgumentException("picture is " + picture.width() + "×" + picture.height()
                    + "; those before it are " + pictures.get(0).width() + "×"
                    + pictures.get(0).height());
        }
        labels.add(label);
        pictures.add(picture);
    }

    /** The grid of the pictures so far, of which there must be one. */
    RgbImage draw() {
        if (pictures.isEmpty()) {
            throw new IllegalStateException("a grid needs at least one picture");
        }
        int w = pictures.get(0).width();
        int h = pictures.get(0).height();
        int rows = (pictures.size() + columns - 1) / columns;
        int width = columns * (w + GAP) + GAP;
        int height = rows * (h + LABEL + GAP) + GAP;
        byte[] rgb = new byte[3 * width * height];
        Arrays.fill(rgb, GREY);
        for (int i = 0; i < pictures.size(); i++) {
            int left = GAP + i % columns * (w + GAP);
            int top = GAP + i / columns * (h + LABEL + GAP);
            PixelFont.draw(rgb, width, labels.get(i), left, top + 2, left + w);
            byte[] picture = pictures.get(i).rgb();
            for (int y = 0; y < h; y++) {
                System.arraycopy(picture, 3 * y * w, rgb, 3 * ((top + LABEL + y) * width + left), 3 * w);
            }
        }
        return new RgbImage(width, height, rgb);
    }
}
