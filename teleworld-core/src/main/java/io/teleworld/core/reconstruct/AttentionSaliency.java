package io.teleworld.core.reconstruct;

import java.util.Arrays;

/**
 * What moves, from the queries and keys of a geometry transformer (VGGT4D, arXiv 2511.19971): dynamic places attend
 * differently from static ones, layer by layer. Needs no training. Stateless.
 *
 * <p>For each frame, the Gram matrices of its tokens with those of six frames around it are summed up per token by mean
 * and deviation, over five ranges of layers; the product of the five is the saliency.
 */
public final class AttentionSaliency {

    /** Frames that a frame is compared with, relative to it. */
    private static final int[] SOURCES = {-6, -4, -2, 2, 4, 6};

    private static final double SMALLEST_RANGE = 1e-6;

    private AttentionSaliency() {}

    /** Queries or keys of one clip, [frames, layers, heads, tokens, dim], flat. */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large arrays; never compared
    public record Features(float[] values, int frames, int layers, int heads, int tokens, int dim) {

        public Features {
            if (frames < 1 || layers < 1 || heads < 1 || tokens < 2 || dim < 1) {
                throw new IllegalArgumentException("frames, layers, heads, tokens and dim are " + frames + ", " + layers
                        + ", " + heads + ", " + tokens + ", " + dim + "; at least 1 each, and 2 tokens");
            }
            if (values.length != (long) frames * layers * heads * tokens * dim) {
                throw new IllegalArgumentException(values.length + " values do not fill [" + frames + "," + layers + ","
                        + heads + "," + tokens + "," + dim + "]");
            }
        }

        private int at(int frame, int layer, int head, int token) {
            return (((frame * layers + layer) * heads + head) * tokens + token) * dim;
        }
    }

    /**
     * The saliency and its ingredients, each [frames, tokens] and normalised to [0,1] within a frame.
     *
     * @param meanShallow mean query-query similarity, layers 4–8
     * @param meanDeep the same, layers 18–22
     * @param spreadDeep deviation of the query-query similarity, layers 19–20
     * @param meanKeys mean key-key similarity of the first layer
     * @param spreadFirst deviation of the query-key similarity of the first layer
     * @param saliency (1−meanShallow)·(1−spreadDeep)·meanDeep·(1−meanKeys)·spreadFirst
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large arrays; never compared
    public record Result(
            double[] meanShallow,
            double[] meanDeep,
            double[] spreadDeep,
            double[] meanKeys,
            double[] spreadFirst,
            double[] saliency) {}

    /**
     * The saliency of every token of every frame. Frames without any other frame to compare with get zeros.
     *
     * @param queries and {@code keys}: of one clip, with at least 22 layers
     */
    public static Result of(Features queries, Features keys) {
        if (queries.layers() < 22
                || keys.layers() != queries.layers()
                || keys.frames() != queries.frames()
                || keys.heads() != queries.heads()
                || keys.tokens() != queries.tokens()
                || keys.dim() != queries.dim()) {
            throw new IllegalArgumentException("queries have " + queries.layers()
                    + " layers; at least 22, and keys of the same extents, are needed");
        }
        int frames = queries.frames();
        int tokens = queries.tokens();
        int n = frames * tokens;
        Result r = new Result(new double[n], new double[n], new double[n], new double[n], new double[n], new double[n]);
        for (int t = 0; t < frames; t++) {
            put(r.meanShallow, t, summary(queries, queries, t, 3, 7, false));
            put(r.meanDeep, t, summary(queries, queries, t, 17, 21, false));
            put(r.spreadDeep, t, summary(queries, queries, t, 18, 19, true));
            put(r.meanKeys, t, summary(keys, keys, t, 0, 0, false));
            put(r.spreadFirst, t, summary(queries, keys, t, 0, 0, true));
            double[] product = new double[tokens];
            for (int i = 0; i < tokens; i++) {
                int at = t * tokens + i;
                product[i] = (1 - r.meanShallow[at])
                        * (1 - r.spreadDeep[at])
                        * r.meanDeep[at]
                        * (1 - r.meanKeys[at])
                        * r.spreadFirst[at];
            }
            put(r.saliency, t, product);
        }
        return r;
    }

    /** Writes a frame's values, stretched to [0,1]. */
    private static void put(double[] all, int frame, double[] values) {
        double min = Arrays.stream(values).min().orElse(0);
        double max = Arrays.stream(values).max().orElse(0);
        for (int i = 0; i < values.length; i++) {
            all[frame * values.length + i] = (values[i] - min) / (max - min + SMALLEST_RANGE);
        }
    }

    /**
     * Per token of a frame: the dot products with the tokens of its sources, averaged over layers, heads and sources;
     * over source tokens their mean or their unbiased standard deviation.
     */
    private static double[] summary(
            Features reference, Features source, int t, int firstLayer, int lastLayer, boolean spread) {
        int tokens = reference.tokens();
        double[] out = new double[tokens];
        double[] row = new double[tokens];
        for (int i = 0; i < tokens; i++) {
            Arrays.fill(row, 0);
            int count = 0;
            for (int offset : SOURCES) {
                int other = t + offset;
                if (other < 0 || other >= reference.frames()) {
                    continue;
                }
                for (int layer = firstLayer; layer <= lastLayer; layer++) {
                    for (int head = 0; head < reference.heads(); head++) {
                        count++;
                        addDots(reference, source, t, other, layer, head, i, row);
                    }
                }
            }
            if (count > 0) {
                out[i] = spread ? deviation(row, count) : mean(row) / count;
            }
        }
        return out;
    }

    private static void addDots(
            Features a, Features b, int t, int other, int layer, int head, int token, double[] row) {
        int at = a.at(t, layer, head, token);
        for (int j = 0; j < row.length; j++) {
            int from = b.at(other, layer, head, j);
            double dot = 0;
            for (int k = 0; k < a.dim(); k++) {
                dot += (double) a.values()[at + k] * b.values()[from + k];
            }
            row[j] += dot;
        }
    }

    private static double mean(double[] v) {
        double sum = 0;
        for (double x : v) {
            sum += x;
        }
        return sum / v.length;
    }

    private static double deviation(double[] sums, int count) {
        double mean = mean(sums);
        double squares = 0;
        for (double x : sums) {
            squares += (x - mean) * (x - mean);
        }
        return Math.sqrt(squares / (sums.length - 1)) / count;
    }
}
