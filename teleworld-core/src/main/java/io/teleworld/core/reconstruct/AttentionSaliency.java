package io.teleworld.core.reconstruct;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What moves, from the queries and keys of a geometry transformer (VGGT4D, arXiv 2511.19971): dynamic places attend
 * differently from static ones, layer by layer. Needs no training. Stateless.
 *
 * <p>For each frame, the Gram matrices of its tokens with those of other frames are summed up per token by mean and
 * deviation, over five ranges of layers; the product of the five is the saliency. Layers are those that attend across
 * frames.
 */
public final class AttentionSaliency {

    private static final double SMALLEST_RANGE = 1e-6;

    private AttentionSaliency() {}

    /**
     * Layers from {@code first} to {@code last}, both included, counted from 0.
     */
    public record Layers(int first, int last) {

        public Layers {
            if (first < 0 || last < first) {
                throw new IllegalArgumentException(
                        "layers are " + first + " to " + last + "; they must ascend from at least 0");
            }
        }
    }

    /**
     * What is compared.
     *
     * @param shallow layers of {@link Result#meanKeys} and {@link Result#spreadFirst}
     * @param middle layers of {@link Result#meanShallow}
     * @param deep layers of {@link Result#meanDeep}
     * @param deepSpread layers of {@link Result#spreadDeep}
     * @param offsets frames that a frame is compared with, relative to it, not 0; those outside the clip are left out
     * @param fewestSources a frame with fewer other frames to compare with gets zeros and is not reliable; at least 1
     */
    public record Options(
            Layers shallow, Layers middle, Layers deep, Layers deepSpread, List<Integer> offsets, int fewestSources) {

        /** Published code for the 24 layers of VGGT, every second frame of a video within 6 frames. */
        public static final Options VGGT = new Options(
                new Layers(0, 0),
                new Layers(3, 7),
                new Layers(17, 21),
                new Layers(18, 19),
                List.of(-6, -4, -2, 2, 4, 6),
                1);

        private static final int VGGT_LAYERS = 24;

        public Options {
            offsets = List.copyOf(offsets);
            if (offsets.isEmpty() || offsets.contains(0) || fewestSources < 1) {
                throw new IllegalArgumentException("offsets are " + offsets + ", fewest sources " + fewestSources
                        + "; other frames and at least 1 are needed");
            }
        }

        /**
         * For keyframes and a network of any depth: the same relative depths as in VGGT, and up to {@code near} keyframes
         * on each side, of which there must be two in all.
         *
         * @param layers of the network, at least 1
         * @param near at least 1
         */
        public static Options keyframes(int layers, int near) {
            if (layers < 1 || near < 1) {
                throw new IllegalArgumentException(
                        layers + " layers and " + near + " keyframes on each side; at least 1 each");
            }
            List<Integer> offsets = new ArrayList<>();
            for (int i = -near; i <= near; i++) {
                if (i != 0) {
                    offsets.add(i);
                }
            }
            return new Options(
                    scaled(VGGT.shallow, layers),
                    scaled(VGGT.middle, layers),
                    scaled(VGGT.deep, layers),
                    scaled(VGGT.deepSpread, layers),
                    offsets,
                    2);
        }

        private static Layers scaled(Layers l, int layers) {
            return new Layers(l.first * layers / VGGT_LAYERS, l.last * layers / VGGT_LAYERS);
        }

        private int layers() {
            return 1 + Math.max(Math.max(shallow.last, middle.last), Math.max(deep.last, deepSpread.last));
        }

        private int sources(int frame, int frames) {
            return (int) offsets.stream()
                    .filter(o -> frame + o >= 0 && frame + o < frames)
                    .count();
        }
    }

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
     * @param meanShallow mean query-query similarity, middle layers (VGGT: 4–8)
     * @param meanDeep the same, deep layers (VGGT: 18–22)
     * @param spreadDeep deviation of the query-query similarity, deep layers (VGGT: 19–20)
     * @param meanKeys mean key-key similarity of the first layer
     * @param spreadFirst deviation of the query-key similarity of the first layer
     * @param saliency (1−meanShallow)·(1−spreadDeep)·meanDeep·(1−meanKeys)·spreadFirst
     * @param reliable [frames] whether the frame had enough others to compare with
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier of large arrays; never compared
    public record Result(
            double[] meanShallow,
            double[] meanDeep,
            double[] spreadDeep,
            double[] meanKeys,
            double[] spreadFirst,
            double[] saliency,
            boolean[] reliable) {}

    /**
     * The saliency of every token of every frame. Frames without any other frame to compare with get zeros.
     *
     * @param queries and {@code keys}: of one clip, with at least 22 layers
     */
    public static Result of(Features queries, Features keys) {
        return of(queries, keys, Options.VGGT);
    }

    /**
     * The saliency of every token of every frame. Frames with too few others to compare with get zeros.
     *
     * @param queries and {@code keys}: of one clip, with all layers that the options name
     */
    public static Result of(Features queries, Features keys, Options options) {
        if (queries.layers() < options.layers()
                || keys.layers() != queries.layers()
                || keys.frames() != queries.frames()
                || keys.heads() != queries.heads()
                || keys.tokens() != queries.tokens()
                || keys.dim() != queries.dim()) {
            throw new IllegalArgumentException("queries have " + queries.layers() + " layers; at least "
                    + options.layers() + ", and keys of the same extents, are needed");
        }
        int frames = queries.frames();
        int tokens = queries.tokens();
        int n = frames * tokens;
        Result r = new Result(
                new double[n],
                new double[n],
                new double[n],
                new double[n],
                new double[n],
                new double[n],
                new boolean[frames]);
        for (int t = 0; t < frames; t++) {
            r.reliable[t] = options.sources(t, frames) >= options.fewestSources;
            if (!r.reliable[t]) {
                continue;
            }
            put(r.meanShallow, t, summary(queries, queries, t, options, options.middle, false));
            put(r.meanDeep, t, summary(queries, queries, t, options, options.deep, false));
            put(r.spreadDeep, t, summary(queries, queries, t, options, options.deepSpread, true));
            put(r.meanKeys, t, summary(keys, keys, t, options, options.shallow, false));
            put(r.spreadFirst, t, summary(queries, keys, t, options, options.shallow, true));
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

    /**
     * The mask of what moves in full size: saliency brought to pixels bilinearly and cut at VGGT4D's threshold, one for all
     * frames of the clip. All false where saliency is constant. The clusters of VGGT4D's patch features are left out.
     *
     * @param saliency [frames,rows·columns], as {@link Result#saliency}
     * @return [frames,height,width]
     */
    public static boolean[] mask(double[] saliency, int rows, int columns, int height, int width) {
        int frames = saliency.length / (rows * columns);
        if (frames < 1 || frames * rows * columns != saliency.length || height < rows || width < columns) {
            throw new IllegalArgumentException(saliency.length + " saliencies are not of " + rows + "×" + columns
                    + " tokens, or " + height + "×" + width + " pixels are fewer");
        }
        float[] large = new float[frames * height * width];
        for (int t = 0; t < frames; t++) {
            enlarge(saliency, t * rows * columns, rows, columns, large, t * height * width, height, width);
        }
        double threshold = Thresholds.saliency(large).highest();
        boolean[] mask = new boolean[large.length];
        for (int i = 0; i < mask.length; i++) {
            mask[i] = large[i] > threshold;
        }
        return mask;
    }

    /** Pixel centres at +0.5 on both sides (align_corners false). */
    private static void enlarge(
            double[] small, int from, int rows, int columns, float[] large, int to, int height, int width) {
        for (int y = 0; y < height; y++) {
            double v = Math.max(0, Math.min(rows - 1, (y + 0.5) * rows / height - 0.5));
            int i = Math.min(rows - 1, (int) v);
            int below = from + Math.min(rows - 1, i + 1) * columns;
            int above = from + i * columns;
            for (int x = 0; x < width; x++) {
                double u = Math.max(0, Math.min(columns - 1, (x + 0.5) * columns / width - 0.5));
                int j = Math.min(columns - 1, (int) u);
                int right = Math.min(columns - 1, j + 1);
                double top = small[above + j] + (u - j) * (small[above + right] - small[above + j]);
                double bottom = small[below + j] + (u - j) * (small[below + right] - small[below + j]);
                large[to + y * width + x] = (float) (top + (v - i) * (bottom - top));
            }
        }
    }

    /**
     * Which tokens the second pass's first blocks attend to: 0 for those with a masked pixel, else 1 (VGGT4D's early
     * masking). Frames keep their queries everywhere; only keys and values are hidden.
     *
     * @param mask [frames,height,width]
     * @return [frames,rows·columns]
     * @throws IllegalArgumentException if a frame has no token left to attend to
     */
    public static float[] attended(boolean[] mask, int frames, int rows, int columns, int height, int width) {
        if (mask.length != frames * height * width || height % rows != 0 || width % columns != 0) {
            throw new IllegalArgumentException("mask of " + mask.length + " pixels is not of " + frames + " frames of "
                    + height + "×" + width + " pixels in " + rows + "×" + columns + " tokens");
        }
        int tokens = rows * columns;
        float[] keep = new float[frames * tokens];
        Arrays.fill(keep, 1);
        for (int i = 0; i < mask.length; i++) {
            if (mask[i]) {
                int t = i / (height * width);
                int row = i / width % height * rows / height;
                keep[t * tokens + row * columns + i % width * columns / width] = 0;
            }
        }
        for (int t = 0; t < frames; t++) {
            boolean any = false;
            for (int i = 0; i < tokens; i++) {
                any |= keep[t * tokens + i] > 0;
            }
            if (!any) {
                throw new IllegalArgumentException(
                        "all tokens of frame " + t + " are masked; at least one must be left");
            }
        }
        return keep;
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
            Features reference, Features source, int t, Options options, Layers layers, boolean spread) {
        int tokens = reference.tokens();
        double[] out = new double[tokens];
        double[] row = new double[tokens];
        for (int i = 0; i < tokens; i++) {
            Arrays.fill(row, 0);
            int count = 0;
            for (int offset : options.offsets) {
                int other = t + offset;
                if (other < 0 || other >= reference.frames()) {
                    continue;
                }
                for (int layer = layers.first; layer <= layers.last; layer++) {
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
