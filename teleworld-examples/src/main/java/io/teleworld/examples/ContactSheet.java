package io.teleworld.examples;

import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Some frames of a video in one picture, each with its number, time and keys. Confined to one thread. */
final class ContactSheet {

    private static final int COLUMNS = 4;

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
        PictureGrid grid = new PictureGrid(COLUMNS);
        for (WorldFrame frame : frames) {
            String label = String.format(Locale.ROOT, "%d %.2fs %s", frame.index(), frame.timeSeconds(), frame.keys());
            grid.add(label, frame.image());
        }
        return grid.draw();
    }
}
