package io.teleworld.examples;

import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Some frames of a video in one picture, each with its number, time and keys. Confined to one thread. */
final class ContactSheet {

    private static final int COLUMNS = 4;
    private static final int GAP = 4;
    private static final int LABEL = PixelFont.HEIGHT + 4;
    private static final byte GREY = 32;

    private final List<WorldFrame> frames = new ArrayList<>();
    private final double step;

    /**
     * @param total frames that are expected
     * @param cells frames that are shown of them, evenly spread
     */
    ContactSheet(int total, int cells) {
        this.step = cells == 1 ? total : Math.max(1, (double) (total - 1) / (cells - 1));
    }

    /** Takes a frame; frames come in order. */
    void add(WorldFrame frame) {
        if (frame.index() >= Math.round(frames.size() * step)) {
            frames.add(frame);
        }
    }

    /** The sheet of the frames so far, of which there must be one. */
    RgbImage draw() {
        if (frames.isEmpty()) {
            throw new IllegalStateException("a contact sheet needs at least one frame");
        }
        int w = frames.get(0).image().width();
        int h = frames.get(0).image().height();
        int rows = (frames.size() + COLUMNS - 1) / COLUMNS;
        int width = COLUMNS * (w + GAP) + GAP;
        int height = rows * (h + LABEL + GAP) + GAP;
        byte[] rgb = new byte[3 * width * height];
        Arrays.fill(rgb, GREY);
        for (int i = 0; i < frames.size(); i++) {
            WorldFrame frame = frames.get(i);
            int left = GAP + i % COLUMNS * (w + GAP);
            int top = GAP + i / COLUMNS * (h + LABEL + GAP);
            String label = String.format(Locale.ROOT, "%d %.2fs %s", frame.index(), frame.timeSeconds(), frame.keys());
            PixelFont.draw(rgb, width, label, left, top + 2, left + w);
            for (int y = 0; y < h; y++) {
                System.arraycopy(frame.image().rgb(), 3 * y * w, rgb, 3 * ((top + LABEL + y) * width + left), 3 * w);
            }
        }
        return new RgbImage(width, height, rgb);
    }
}
