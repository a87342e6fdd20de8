package io.teleworld.examples;

import java.util.SplittableRandom;

/** What a session's memory could show of a view: parts of the true depth, with errors of scale and shape. Stateless. */
final class ImitatedMemory {

    private static final int ROWS = 5;
    private static final int COLUMNS = 8;
    private static final double SCALE_ERROR = 0.06;
    private static final double SHAPE_ERROR = 0.04;

    /** Depth in eye heights from which on there is nothing to remember. */
    private static final float FARTHEST = 64;

    private ImitatedMemory() {}

    /**
     * Inverse depth where the memory knows a static surface, 0 elsewhere.
     *
     * @param depth true planar depth
     * @param moving is never remembered
     */
    static float[] of(float[] depth, boolean[] moving, int width, int height, SplittableRandom random) {
        double scale = Math.exp(SCALE_ERROR * random.nextGaussian());
        double share = random.nextDouble(-1.2, 1.6);
        float[] hole = field(random, width, height);
        float[] wobble = field(random, width, height);
        float[] inverse = new float[depth.length];
        for (int i = 0; i < depth.length; i++) {
            if (hole[i] < share && depth[i] < FARTHEST && !moving[i]) {
                inverse[i] = (float) (1 / (depth[i] * scale * Math.exp(SHAPE_ERROR * wobble[i])));
            }
        }
        return inverse;
    }

    /** Gaussian noise on a coarse grid, interpolated. */
    private static float[] field(SplittableRandom random, int width, int height) {
        double[] grid = new double[ROWS * COLUMNS];
        for (int i = 0; i < grid.length; i++) {
            grid[i] = random.nextGaussian();
        }
        float[] out = new float[width * height];
        for (int i = 0; i < out.length; i++) {
            int y = i / width;
            int x = i % width;
            double v = y * (ROWS - 1.0) / height;
            double u = x * (COLUMNS - 1.0) / width;
            int row = (int) v;
            int column = (int) u;
            int at = row * COLUMNS + column;
            double fy = v - row;
            double fx = u - column;
            double top = grid[at] * (1 - fx) + grid[at + 1] * fx;
            double bottom = grid[at + COLUMNS] * (1 - fx) + grid[at + COLUMNS + 1] * fx;
            out[i] = (float) (top * (1 - fy) + bottom * fy);
        }
        return out;
    }
}
