package io.teleworld.training.data;

import java.util.SplittableRandom;

/** Smooth random fields, for errors that neighbouring pixels share. */
public final class SmoothNoise {

    private static final int GRID_ROWS = 5;
    private static final int GRID_COLUMNS = 8;

    private SmoothNoise() {}

    /** Gaussian noise of unit deviation on a coarse grid, interpolated to height·width values. */
    public static float[] field(SplittableRandom random, int height, int width) {
        float[] grid = new float[GRID_ROWS * GRID_COLUMNS];
        for (int k = 0; k < grid.length; k++) {
            grid[k] = (float) random.nextGaussian();
        }
        float[] out = new float[height * width];
        for (int y = 0; y < height; y++) {
            float gy = y * (GRID_ROWS - 1f) / height;
            int iy = (int) gy;
            float fy = gy - iy;
            for (int x = 0; x < width; x++) {
                float gx = x * (GRID_COLUMNS - 1f) / width;
                int ix = (int) gx;
                float fx = gx - ix;
                int at = iy * GRID_COLUMNS + ix;
                float a = grid[at] * (1 - fx) + grid[at + 1] * fx;
                float b = grid[at + GRID_COLUMNS] * (1 - fx) + grid[at + GRID_COLUMNS + 1] * fx;
                out[y * width + x] = a * (1 - fy) + b * fy;
            }
        }
        return out;
    }
}
