package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * Projects groups of four small pictures to tokens: pixel blocks to channels, two convolutions over time that halve its
 * rate, linear layers (FlashVSR, arXiv 2510.12747). Stateless; the graphs are immutable.
 */
public final class LowQualityProjection {

    private static final int KERNEL = 4;
    private static final double EPSILON = 1e-12;

    private final GraphBuilder b;
    private final String prefix;
    private final SuperResolutionConfig.Projection config;
    private final Dim batch;
    private final Dim groups;

    private LowQualityProjection(
            GraphBuilder b, String prefix, SuperResolutionConfig.Projection config, Dim batch, Dim groups) {
        this.b = b;
        this.prefix = prefix;
        this.config = config;
        this.batch = batch;
        this.groups = groups;
    }

    /**
     * Input {@code frames} [4·groups,3,H,W] in [-1,1], outputs {@code tokens.i} [groups,H/patch·W/patch,width]. Where the
     * configuration carries frames over, they are kept in registers.
     *
     * @param width channels of a token
     */
    public static Graph graph(SuperResolutionConfig.Projection config, int width, int height, int pictureWidth) {
        GraphBuilder b = new GraphBuilder("low_quality_projection");
        Dim groups = Dim.symbol("groups");
        Value frames =
                b.input("frames", DType.F32, groups.times(KERNEL), Dim.of(3), Dim.of(height), Dim.of(pictureWidth));
        List<Value> tokens = apply(b, "", config, frames, Dim.of(1), groups, width);
        for (int i = 0; i < tokens.size(); i++) {
            b.output("tokens." + i, tokens.get(i));
        }
        return b.build();
    }

    /**
     * Projects {@code frames} [batch·groups·4,3,H,W] to tokens [batch·groups,h·w,width], one value per output. In a stream
     * batch is 1 and what is carried over is kept in registers; else every clip starts after zeros.
     */
    static List<Value> apply(
            GraphBuilder b,
            String prefix,
            SuperResolutionConfig.Projection config,
            Value frames,
            Dim batch,
            Dim groups,
            int width) {
        return new LowQualityProjection(b, prefix, config, batch, groups).tokens(frames, width);
    }

    private List<Value> tokens(Value frames, int width) {
        Value x = unshuffled(b, frames, config.patch());
        x = activated(convolved(x, 1, 4), 1);
        x = activated(convolved(x, 2, 2), 2);
        Dim n = batch.times(groups);
        Dim cells = x.dim(2).times(x.dim(3));
        x = b.reshape(
                b.transpose(x, 0, 2, 3, 1), n, cells, Dim.of(config.hidden().get(1)));
        List<Value> out = new ArrayList<>();
        for (int i = 0; i < config.outputs(); i++) {
            String name = prefix + "linear_layers." + i;
            out.add(b.linear(
                    x,
                    b.parameter(name + ".weight", width, config.hidden().get(1)),
                    b.parameter(name + ".bias", width)));
        }
        return out;
    }

    /** [n,C,h·p,w·p] to [n,C·p²,h,w], channels ordered by c, row and column. */
    static Value unshuffled(GraphBuilder b, Value x, int patch) {
        if (patch == 1) {
            return x;
        }
        Dim p = Dim.of(patch);
        Dim h = x.dim(2).dividedBy(patch);
        Dim w = x.dim(3).dividedBy(patch);
        Value blocks = b.transpose(b.reshape(x, x.dim(0), x.dim(1), h, p, w, p), 0, 1, 3, 5, 2, 4);
        return b.reshape(blocks, x.dim(0), x.dim(1).times((long) patch * patch), h, w);
    }

    /**
     * Convolution of kernel (4,3,3) and stride (2,1,1), two earlier frames in front, as a convolution over space of the
     * joined channels of four frames: x [batch·groups·perGroup,C,h,w].
     */
    private Value convolved(Value x, int number, int perGroup) {
        String name = prefix + "conv" + number;
        long in = x.dim(1).known();
        long out = config.hidden().get(number - 1);
        Dim clips = config.carry() ? batch : batch.times(groups);
        Dim steps = config.carry() ? groups.times(perGroup) : Dim.of(perGroup);
        Value clip = b.reshape(x, clips, steps, x.dim(1), x.dim(2), x.dim(3));
        Value padded = continued(clip, name);
        Dim pairs = steps.plus(2).dividedBy(2);
        Value paired = b.reshape(padded, clips, pairs, Dim.of(2 * in), x.dim(2), x.dim(3));
        Value joined = b.concat(2, b.slice(paired, 1, 0, -1), b.slice(paired, 1, 1, Op.Slice.TO_END));
        joined = b.reshape(joined, clips.times(pairs.plus(-1)), Dim.of(KERNEL * in), x.dim(2), x.dim(3));
        Value weight = b.parameter(name + ".weight", out, in, KERNEL, 3, 3);
        Value flat = b.reshape(b.transpose(weight, 0, 2, 1, 3, 4), Shape.of(out, KERNEL * in, 3, 3));
        return b.conv2d(
                b.pad(joined, Op.PadMode.EDGE, 0, 0, 1, 1, 0, 0, 1, 1), flat, b.parameter(name + ".bias", out), 1, 0);
    }

    /** A clip with the two frames before it in front: [clips,2+steps,C,h,w]. */
    private Value continued(Value clip, String name) {
        if (!config.carry()) {
            return b.concat(1, b.slice(clip, 1, -2, Op.Slice.TO_END), clip);
        }
        if (!batch.is(1)) {
            return b.pad(clip, Op.PadMode.CONSTANT, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0);
        }
        State.Register memory =
                new State.Register(name + ".memory", DType.F32, clip.shape().with(1, Dim.of(2)));
        Value padded = b.concat(1, b.readState(memory), clip);
        b.writeState(memory, b.slice(clip, 1, -2, Op.Slice.TO_END));
        return padded;
    }

    /** RMS normalisation over channels, then SiLU. */
    private Value activated(Value x, int number) {
        long channels = x.dim(1).known();
        Value gamma = b.parameter(prefix + "norm" + number + ".gamma", channels, 1, 1, 1);
        Value mean = b.reduceMean(b.mul(x, x), true, 1);
        Value normal = b.div(x, b.sqrt(b.add(mean, b.scalar(EPSILON))));
        return b.silu(b.mul(normal, b.reshape(gamma, Shape.of(1, channels, 1, 1))));
    }
}
