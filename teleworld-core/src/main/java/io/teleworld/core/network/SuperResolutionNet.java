package io.teleworld.core.network;

import io.teleworld.core.network.WindowTransformer.Attention;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.List;
import java.util.Map;

/**
 * Streaming super-resolution in one step (paper §3.6.3, after FlashVSR, arXiv 2510.12747): {@link LowQualityProjection},
 * {@link WindowTransformer}, {@link ConditionalDecoder}, {@link ColourCorrection} in one graph. Stateless; the graphs are
 * immutable.
 *
 * <p>Pictures come in the groups of the autoencoder: the first group is the first frame four times, later ones are four
 * frames. A group sees itself and what came before, so nothing waits for frames to come.
 */
public final class SuperResolutionNet {

    private static final int GROUP = SuperResolutionConfig.GROUP;
    private static final int TAPS = 5;

    private SuperResolutionNet() {}

    /**
     * One group of an endless video. Inputs {@code frames} [4,3,H,W] in [-1,1] and {@code position} [1], the group's number
     * as F32; output {@code enlarged} [4,3,scale·H,scale·W] in [-1,1]. Keeps its memory in registers and in the frame
     * caches of group {@link WindowTransformer#CACHE_GROUP}, one entry per group of frames.
     *
     * @param height of the small pictures
     * @param width of the small pictures
     */
    public static Graph streamGraph(SuperResolutionConfig config, int height, int width, Attention attention) {
        GraphBuilder b = new GraphBuilder("super_resolution");
        require(config, height, width);
        Value frames = b.input("frames", DType.F32, Dim.of(GROUP), Dim.of(3), Dim.of(height), Dim.of(width));
        Value position = b.input("position", DType.F32, Dim.of(1));
        Value y = enlarged(b, config, frames, Dim.of(1), 1, position, attention);
        b.output("enlarged", b.clip(y, -1, 1));
        return b.build();
    }

    /**
     * Whole clips, for training. Input {@code frames} [batch,4·groups,3,H,W], output {@code enlarged}
     * [batch,4·groups,3,scale·H,scale·W], not clipped; the first three frames mean nothing.
     *
     * @param groups at least 1
     */
    public static Graph clipGraph(
            SuperResolutionConfig config, int height, int width, int groups, Attention attention) {
        GraphBuilder b = new GraphBuilder("super_resolution_clips");
        require(config, height, width);
        Dim batch = Dim.symbol("batch");
        Dim steps = Dim.of((long) groups * GROUP);
        Value clips = b.input("frames", DType.F32, batch, steps, Dim.of(3), Dim.of(height), Dim.of(width));
        Value frames = b.reshape(clips, batch.times(steps), Dim.of(3), Dim.of(height), Dim.of(width));
        float[] positions = new float[groups];
        for (int i = 0; i < groups; i++) {
            positions[i] = i;
        }
        Value y = enlarged(b, config, frames, batch, groups, b.constant(positions, groups), attention);
        b.output("enlarged", b.reshape(y, batch, steps, Dim.of(3), y.dim(2), y.dim(3)));
        return b.build();
    }

    /** Weights to start training from, by name; the result is close to the bicubic enlargement at first. */
    public static Map<String, float[]> initialise(SuperResolutionConfig config, long seed) {
        double relu = Math.sqrt(2);
        ParameterInit init = ParameterInit.empty()
                .with("transformer\\.(.*\\.)?scale_shift_table", new ParameterInit.Rule.Normal(0.02))
                .with(".*\\.gamma", new ParameterInit.Rule.Constant(1))
                .with(".*\\.norm[^.]*\\.weight", new ParameterInit.Rule.Constant(1))
                .with(".*\\.bias", new ParameterInit.Rule.Constant(0))
                .with(".*\\.conv\\.[02]\\.weight", new ParameterInit.Rule.FanIn(relu))
                .with(".*\\.conv\\.4\\.weight", new ParameterInit.Rule.FanIn(0.2))
                .with("decoder\\.decoder\\." + lastLayer(config) + "\\.weight", new ParameterInit.Rule.FanIn(0.02))
                .with("transformer\\.condition_embedder\\..*", new ParameterInit.Rule.Normal(0.02))
                .with("transformer\\..*\\.weight", new ParameterInit.Rule.XavierUniform(1))
                .with(".*\\.weight", new ParameterInit.Rule.FanIn(1));
        int height = config.projection().patch() * config.transformer().window().get(1);
        int width = config.projection().patch() * config.transformer().window().get(2);
        int groups = config.transformer().window().get(0);
        return init.draw(clipGraph(config, height, width, groups, Attention.NEIGHBOURS), seed);
    }

    /** The number of the decoder's last layer, by which its weights are named. */
    public static int lastLayer(SuperResolutionConfig config) {
        int identity = config.decoder().identityConvolutions() ? 2 : 0;
        int layers = 3 + identity;
        for (VideoAutoencoderConfig.Stage s : config.decoder().stages()) {
            layers += s.blocks() + 3;
        }
        return layers + 1 + identity;
    }

    private static void require(SuperResolutionConfig config, int height, int width) {
        int p = config.projection().patch();
        int h = p * config.transformer().window().get(1);
        int w = p * config.transformer().window().get(2);
        if (height < h || width < w || height % h != 0 || width % w != 0) {
            throw new IllegalArgumentException("pictures are " + height + "×" + width
                    + " (height × width); they must be multiples of " + h + "×" + w);
        }
        if (config.transformer().window().get(0) != 1
                || config.transformer().noiseChannels() != null
                || config.transformer().textDim() != null) {
            throw new IllegalArgumentException(
                    "window is " + config.transformer().window() + ", noise_channels "
                            + config.transformer().noiseChannels() + ", text_dim "
                            + config.transformer().textDim()
                            + "; a stream without look-ahead needs windows of one frame, and neither noise nor text");
        }
    }

    private static Value enlarged(
            GraphBuilder b,
            SuperResolutionConfig config,
            Value frames,
            Dim batch,
            int groups,
            Value positions,
            Attention attention) {
        int p = config.projection().patch();
        int rows = (int) (frames.dim(2).known() / p);
        int columns = (int) (frames.dim(3).known() / p);
        int d = config.transformer().width();
        List<Value> low =
                LowQualityProjection.apply(b, "projection.", config.projection(), frames, batch, Dim.of(groups), d)
                        .stream()
                        .map(t -> b.reshape(t, batch, Dim.of((long) groups * rows * columns), Dim.of(d)))
                        .toList();
        Value velocity = WindowTransformer.apply(
                b, config.transformer(), "transformer.", batch, groups, rows, columns, low, positions, attention);
        // The step starts from nothing: x0 = 0 − v.
        Value latents = b.reshape(
                b.transpose(b.neg(velocity), 0, 2, 1, 3, 4),
                batch.times(groups),
                velocity.dim(1),
                velocity.dim(3),
                velocity.dim(4));
        Value cells = ConditionalDecoder.cells(b, "decoder.", config.decoder(), latents, frames, batch, Dim.of(groups));
        boolean corrected = config.colour() != ColourCorrection.Method.NONE;
        int patch = config.decoder().patch();
        boolean added = config.residual() && !corrected && patch % config.scale() == 0;
        if (added) {
            // Added cell by cell, the large pictures are put together once instead of twice.
            cells = b.add(cells, bicubicCells(b, frames, config.scale(), patch));
        }
        Value y = ConditionalDecoder.pictures(b, config.decoder(), cells);
        if (added || !config.residual() && !corrected) {
            return y;
        }
        Value enlarged = bicubic(b, frames, config.scale());
        if (config.residual()) {
            y = b.add(y, enlarged);
        }
        return ColourCorrection.apply(b, config.colour(), y, enlarged);
    }

    /** Bicubic enlargement (a = −½, half-pixel centres, borders continued) of [n,3,H,W], as one convolution. */
    static Value bicubic(GraphBuilder b, Value x, int scale) {
        return scale == 1 ? x : b.depthToSpace(bicubicCells(b, x, scale, scale), scale);
    }

    /**
     * The same as cells of {@code cell}² large pixels: [n,3·cell²,H·scale/cell,W·scale/cell], by colour, row and column.
     *
     * @param cell a multiple of the scale
     */
    private static Value bicubicCells(GraphBuilder b, Value x, int scale, int cell) {
        int stride = cell / scale;
        int size = stride + TAPS - 1;
        float[] kernel = new float[3 * cell * cell * size * size];
        for (int c = 0; c < 3; c++) {
            for (int row = 0; row < cell; row++) {
                double[] v = taps((row % scale + 0.5) / scale - 0.5);
                for (int column = 0; column < cell; column++) {
                    double[] u = taps((column % scale + 0.5) / scale - 0.5);
                    int first = ((c * cell + row) * cell + column) * size * size;
                    for (int i = 0; i < TAPS; i++) {
                        for (int j = 0; j < TAPS; j++) {
                            kernel[first + (row / scale + i) * size + column / scale + j] = (float) (v[i] * u[j]);
                        }
                    }
                }
            }
        }
        Value padded = b.pad(x, Op.PadMode.EDGE, 0, 0, 2, 2, 0, 0, 2, 2);
        return b.conv(
                padded,
                b.constant(kernel, 3L * cell * cell, 1, size, size),
                null,
                List.of(stride, stride),
                List.of(0, 0, 0, 0),
                List.of(1, 1),
                3);
    }

    /** A picture alone: input {@code frames} [n,3,H,W], output {@code enlarged}; what super-resolution is compared with. */
    public static Graph bicubicGraph(int scale, int height, int width) {
        GraphBuilder b = new GraphBuilder("bicubic");
        Value x = b.input(
                "frames", DType.F32, new Shape(List.of(Dim.symbol("n"), Dim.of(3), Dim.of(height), Dim.of(width))));
        b.output("enlarged", b.clip(bicubic(b, x, scale), -1, 1));
        return b.build();
    }

    /** Weights of the five pixels around one for a place so far beside its centre, in [-½,½]. */
    private static double[] taps(double offset) {
        double[] out = new double[TAPS];
        for (int i = 0; i < TAPS; i++) {
            double t = Math.abs(i - 2 - offset);
            out[i] = t <= 1 ? (1.5 * t - 2.5) * t * t + 1 : t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
        }
        return out;
    }
}
