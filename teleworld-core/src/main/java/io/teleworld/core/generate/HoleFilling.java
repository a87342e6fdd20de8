package io.teleworld.core.generate;

import io.teleworld.GuidanceFrame;

/**
 * Fills the holes of a picture from what is known around them by pulling and pushing along a pyramid: each level halves
 * the one before, taking the mean of what is known; on the way back a hole takes the bilinear sample of the coarser level.
 * Known pixels stay as they are; holes lie within the range of the known pixels. Stateless.
 */
public final class HoleFilling {

    private static final int CHANNELS = 3;

    private HoleFilling() {}

    /**
     * Fills in place.
     *
     * @param layers width·height values, row by row; {@link GuidanceFrame#HOLE} is to be filled
     * @param pixels holds [3, height, width] at {@code offset}. If nothing is known, all becomes
     *     {@link SegmentLayout#HOLE_VALUE}.
     */
    public static void fill(int width, int height, byte[] layers, float[] pixels, int offset) {
        int area = width * height;
        float[] colour = new float[CHANNELS * area];
        float[] weight = new float[area];
        boolean holes = false;
        for (int i = 0; i < area; i++) {
            if (layers[i] == GuidanceFrame.HOLE) {
                holes = true;
            } else {
                weight[i] = 1;
                for (int c = 0; c < CHANNELS; c++) {
                    colour[c * area + i] = pixels[offset + c * area + i];
                }
            }
        }
        if (holes) {
            fill(new Level(width, height, colour, weight));
            System.arraycopy(colour, 0, pixels, offset, colour.length);
        }
    }

    /** @param colour of what has a weight; elsewhere 0 */
    @SuppressWarnings("ArrayRecordComponent") // filled in place; never compared
    private record Level(int width, int height, float[] colour, float[] weight) {

        int area() {
            return width * height;
        }
    }

    private static void fill(Level fine) {
        if (fine.area() == 1) {
            if (fine.weight[0] == 0) {
                java.util.Arrays.fill(fine.colour, SegmentLayout.HOLE_VALUE);
            }
            return;
        }
        Level coarse = halved(fine);
        fill(coarse);
        for (int y = 0; y < fine.height; y++) {
            float sy = Math.min(coarse.height - 1f, Math.max(0, (y + 0.5f) / 2 - 0.5f));
            for (int x = 0; x < fine.width; x++) {
                int at = y * fine.width + x;
                if (fine.weight[at] > 0) {
                    continue;
                }
                float sx = Math.min(coarse.width - 1f, Math.max(0, (x + 0.5f) / 2 - 0.5f));
                for (int c = 0; c < CHANNELS; c++) {
                    fine.colour[c * fine.area() + at] = sample(coarse, c, sx, sy);
                }
            }
        }
    }

    private static float sample(Level level, int channel, float x, float y) {
        int x0 = (int) x;
        int y0 = (int) y;
        int x1 = Math.min(level.width - 1, x0 + 1);
        int y1 = Math.min(level.height - 1, y0 + 1);
        float fx = x - x0;
        float fy = y - y0;
        int base = channel * level.area();
        float above =
                level.colour[base + y0 * level.width + x0] * (1 - fx) + level.colour[base + y0 * level.width + x1] * fx;
        float below =
                level.colour[base + y1 * level.width + x0] * (1 - fx) + level.colour[base + y1 * level.width + x1] * fx;
        return above * (1 - fy) + below * fy;
    }

    /** Means over 2×2 pixels of what is known of them; a pixel of which a part is known is known. */
    private static Level halved(Level fine) {
        int width = (fine.width + 1) / 2;
        int height = (fine.height + 1) / 2;
        float[] colour = new float[CHANNELS * width * height];
        float[] weight = new float[width * height];
        for (int y = 0; y < fine.height; y++) {
            for (int x = 0; x < fine.width; x++) {
                int from = y * fine.width + x;
                float w = fine.weight[from];
                if (w > 0) {
                    int to = y / 2 * width + x / 2;
                    weight[to] += w;
                    for (int c = 0; c < CHANNELS; c++) {
                        colour[c * width * height + to] += w * fine.colour[c * fine.area() + from];
                    }
                }
            }
        }
        for (int i = 0; i < weight.length; i++) {
            if (weight[i] > 0) {
                for (int c = 0; c < CHANNELS; c++) {
                    colour[c * weight.length + i] /= weight[i];
                }
                weight[i] = 1;
            }
        }
        return new Level(width, height, colour, weight);
    }
}
