package io.teleworld.core.evaluate.worldscore;

/**
 * Optical flow from one picture to another. The array is not copied: who hands it over must not change it.
 *
 * @param width pixels
 * @param height pixels
 * @param xy displacement in pixels, row by row, x before y of each pixel
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of large arrays; never compared
public record FlowField(int width, int height, float[] xy) {

    public FlowField {
        if (width < 1 || height < 1 || xy.length != 2L * width * height) {
            throw new IllegalArgumentException("flow is " + width + "×" + height + " with " + xy.length
                    + " numbers; there must be two for each pixel");
        }
    }

    double x(int column, int row) {
        return xy[2 * (row * width + column)];
    }

    double y(int column, int row) {
        return xy[2 * (row * width + column) + 1];
    }
}
