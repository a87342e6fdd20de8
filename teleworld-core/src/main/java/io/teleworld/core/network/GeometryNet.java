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
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Depth, its confidence and what moves, from one picture and what the 4D memory knows from that pose: a convolutional
 * U-Net on pixel blocks with a global context at its coarsest resolution. Stateless; the graphs are immutable.
 *
 * <p>With {@link GeometryNetConfig#attentionBlocks()} there are transformer blocks at the coarsest resolution, after
 * VGGT (arXiv 2503.11651) by turns within the picture and over the last keyframes, causally. Tokens of keyframes carry
 * their camera rays as seen from the picture that is looked at, see {@link CameraRays}: what is learnt does not depend
 * on where the world has its origin, and parallax can be read off. The blocks start as the identity.
 */
public final class GeometryNet {

    /** The group of the session's frame caches: keys and values of the last keyframes, without their rays. */
    public static final String CACHE_GROUP = "keyframes";

    /** Bound on the confidence's exponent, far beyond any useful confidence. */
    private static final double MAX_LOG_CONFIDENCE = 10;

    private static final int RAY_WIDTH = 64;
    private static final double EPSILON = 1e-5;

    /** Added to scores that must not count: exp makes it 0 as long as another key is left. */
    private static final double HIDDEN = 1e30;

    /** How the blocks get at other keyframes. */
    private enum Form {
        /** No blocks. */
        STILL,
        SESSION,
        CLIP,
        INSPECTED
    }

    private final GraphBuilder b;
    private final GeometryNetConfig config;
    private final Form form;
    /** Clips, and keyframes of each. */
    private final Dim batch;

    private final long frames;
    /** Of {@link Form#INSPECTED}. */
    private int maskedBlocks;

    private GeometryNet(GraphBuilder b, GeometryNetConfig config, Form form, Dim batch, long frames) {
        this.b = b;
        this.config = config;
        this.form = form;
        this.batch = batch;
        this.frames = frames;
    }

    /**
     * The network of a session. Input {@code image} F32 [batch,5,H,W]: RGB in [−1,1], inverse planar depth of the memory
     * (1/world unit, 0 where nothing is known) and the memory's mask (0 or 1).
     *
     * <p>Outputs, each F32 [batch,1,H,W]: {@code depth}, planar z in world units, exp of what the network says;
     * {@code confidence}, at least 1; {@code dynamic}, the logit of a pixel belonging to something that moves.
     *
     * <p>With attention a run takes one keyframe (batch is 1), sees the cached keyframes that the run's options make
     * visible in group {@link #CACHE_GROUP} and offers its own to the caches {@code attention.N.key} and
     * {@code attention.N.value}; there is a second input {@code rays} F32 [1+visible,tokens,9], first of the picture and
     * then of the visible keyframes in their order, all in the picture's camera frame.
     */
    public static Graph graph(GeometryNetConfig config, int height, int width) {
        boolean still = config.attentionBlocks() == 0;
        return build(
                config,
                height,
                width,
                still ? Form.STILL : Form.SESSION,
                still ? Dim.symbol("batch") : Dim.of(1),
                1,
                "geometry_net");
    }

    /**
     * For training: clips of keyframes in one pass, each keyframe seeing itself and the
     * {@link GeometryNetConfig#earlierKeyframes()} before it, as in a session. Inputs {@code image} F32
     * [batch·frames,5,H,W] and, with attention, {@code rays} F32 [batch,frames,frames,tokens,9], those of the second
     * frame seen from the first. Outputs as those of {@link #graph}, [batch·frames,1,H,W].
     *
     * @param frames keyframes of a clip, at least 1
     */
    public static Graph clipGraph(GeometryNetConfig config, int frames, int height, int width) {
        requireFrames(frames);
        return build(
                config,
                height,
                width,
                config.attentionBlocks() == 0 ? Form.STILL : Form.CLIP,
                Dim.symbol("batch"),
                frames,
                "geometry_net_clip");
    }

    /**
     * As {@link #clipGraph} for one clip, to look inside (VGGT4D, arXiv 2511.19971): the outputs {@code window.N.query}
     * and {@code window.N.key} F32 [frames,tokens,width] are those of the N-th block over keyframes, keys with their rays
     * as each frame sees its own; the input {@code attended} F32 [frames,tokens] is 0 for tokens whose keys and values
     * the first {@code maskedBlocks} blocks of either kind must not see, else 1. Each frame must keep at least one.
     */
    public static Graph inspectedGraph(GeometryNetConfig config, int frames, int maskedBlocks, int height, int width) {
        requireFrames(frames);
        if (config.attentionBlocks() == 0 || maskedBlocks < 0) {
            throw new IllegalArgumentException("attention_blocks is " + config.attentionBlocks() + ", masked blocks "
                    + maskedBlocks + "; at least 1 and 0 are needed to look inside");
        }
        GraphBuilder b = new GraphBuilder("geometry_net_inspected");
        GeometryNet net = new GeometryNet(b, config, Form.INSPECTED, Dim.of(1), frames);
        net.maskedBlocks = maskedBlocks;
        net.build(height, width);
        return b.build();
    }

    private static void requireFrames(int frames) {
        if (frames < 1) {
            throw new IllegalArgumentException("clips have " + frames + " keyframes; at least 1");
        }
    }

    private static Graph build(
            GeometryNetConfig config, int height, int width, Form form, Dim batch, int frames, String name) {
        GraphBuilder b = new GraphBuilder(name);
        new GeometryNet(b, config, form, batch, frames).build(height, width);
        return b.build();
    }

    /** Weights to start training from, by name; depth starts near 1 and confidence near 2. */
    public static Map<String, float[]> initialise(GeometryNetConfig config, long seed) {
        double relu = Math.sqrt(2);
        ParameterInit init = ParameterInit.empty()
                .with(".*\\.bias", new ParameterInit.Rule.Constant(0))
                .with("attention\\.\\d+\\.(to_out|ffn\\.2)\\.weight", new ParameterInit.Rule.Constant(0))
                .with("attention\\.\\d+\\.norm.*\\.weight", new ParameterInit.Rule.Constant(1))
                .with("attention\\..*\\.weight", new ParameterInit.Rule.XavierUniform(1))
                .with("head\\.conv2\\.weight", new ParameterInit.Rule.FanIn(0.1))
                .with(".*\\.residual\\.\\d+\\.conv2\\.weight", new ParameterInit.Rule.FanIn(0.2))
                .with("context\\.weight", new ParameterInit.Rule.FanIn(0.2))
                .with(".*\\.weight", new ParameterInit.Rule.FanIn(relu));
        return init.draw(graph(config, config.multiple(), config.multiple()), seed);
    }

    private void build(int height, int width) {
        int m = config.multiple();
        if (height < m || width < m || height % m != 0 || width % m != 0) {
            throw new IllegalArgumentException("picture is " + height + "×" + width
                    + " (height × width); both must be positive multiples of " + m);
        }
        int p = config.patchSize();
        List<Integer> widths = config.widths();
        Dim n = batch.times(frames);
        Value image = b.input("image", DType.F32, n, Dim.of(config.inputChannels()), Dim.of(height), Dim.of(width));
        Dim side = Dim.of(p);
        Dim h = Dim.of(height / p);
        Dim w = Dim.of(width / p);
        Value x = b.reshape(image, n, Dim.of(config.inputChannels()), h, side, w, side);
        x = b.reshape(b.transpose(x, 0, 1, 3, 5, 2, 4), n, Dim.of((long) config.inputChannels() * p * p), h, w);
        x = b.relu(conv(x, "stem", widths.get(0), 3, 1));

        List<Value> skips = new ArrayList<>();
        for (int level = 0; level < widths.size(); level++) {
            if (level > 0) {
                skips.add(x);
                x = b.relu(conv(x, "down." + level + ".conv", widths.get(level), 3, 2));
            }
            for (int i = 0; i < config.blocks().get(level); i++) {
                x = residual(x, "down." + level + ".residual." + i);
            }
        }
        x = context(x);
        if (config.attentionBlocks() > 0) {
            x = attention(x, height / m, width / m);
        }
        for (int level = widths.size() - 2; level >= 0; level--) {
            Value joined = b.concat(1, b.resize(x, 2, Op.ResizeMode.NEAREST), skips.get(level));
            x = b.relu(conv(joined, "up." + level + ".conv", widths.get(level), 3, 1));
            x = residual(x, "up." + level + ".residual.0");
        }
        x = b.relu(conv(x, "head.conv1", widths.get(0), 3, 1));
        Value maps = b.depthToSpace(conv(x, "head.conv2", 3L * p * p, 3, 1), p);
        List<Value> out = b.split(maps, 1, 1L, 1L, 1L);
        b.output("depth", b.exp(b.clip(out.get(0), -config.maxLogDepth(), config.maxLogDepth())));
        b.output("confidence", b.add(b.exp(b.clip(out.get(1), -MAX_LOG_CONFIDENCE, MAX_LOG_CONFIDENCE)), b.scalar(1)));
        b.output("dynamic", out.get(2));
    }

    private Value conv(Value x, String name, long out, int kernel, int stride) {
        Value weight = b.parameter(name + ".weight", out, x.dim(1).known(), kernel, kernel);
        return b.conv2d(x, weight, b.parameter(name + ".bias", out), stride, kernel / 2);
    }

    private Value residual(Value x, String name) {
        long c = x.dim(1).known();
        Value y = b.relu(conv(x, name + ".conv1", c, 3, 1));
        return b.relu(b.add(x, conv(y, name + ".conv2", c, 3, 1)));
    }

    /** What the whole picture says, added everywhere. */
    private Value context(Value x) {
        Dim n = x.dim(0);
        long c = x.dim(1).known();
        Value mean = b.reduceMean(x, false, 2, 3);
        Value y = b.linear(mean, b.parameter("context.weight", c, c), b.parameter("context.bias", c));
        return b.add(x, b.reshape(y, n, Dim.of(c), Dim.of(1), Dim.of(1)));
    }

    // ------------------------------------------------------------------------------------------ attention

    /** Blocks within the picture and over keyframes by turns, on the tokens of the coarsest resolution. */
    private Value attention(Value coarse, int rows, int columns) {
        long c = config.coarsestWidth();
        long tokens = (long) rows * columns;
        Dim n = coarse.dim(0);
        Value x = b.reshape(b.transpose(coarse, 0, 2, 3, 1), n, Dim.of(tokens), Dim.of(c));
        // [batch,frames,frames,tokens,·]; in a session [1,1,seen,tokens,·].
        Value rays = rays(tokens);
        Value own = b.slice(b.slice(rays, 1, 0, 1), 2, 0, 1);
        Value attended = form == Form.INSPECTED ? b.input("attended", DType.F32, Dim.of(frames), Dim.of(tokens)) : null;
        Value visible = form == Form.SESSION ? null : window();
        for (int i = 0; i < config.attentionBlocks(); i++) {
            String name = "attention." + i + ".";
            b.push("attention." + i);
            boolean window = i % 2 == 1;
            Value keep = i / 2 < maskedBlocks ? attended : null;
            Value y = norm(x, name + "norm1");
            Value q = b.rmsNorm(
                    withRays(linear(y, name + "to_q", c), linear(own, name + "ray_q", c), tokens),
                    b.parameter(name + "norm_q.weight", c),
                    EPSILON);
            Value k = linear(y, name + "to_k", c);
            Value v = linear(y, name + "to_v", c);
            Value mask;
            if (window) {
                if (form == Form.INSPECTED) {
                    String output = "window." + i / 2 + ".";
                    Value near = withRays(k, linear(own, name + "ray_k", c), tokens);
                    b.output(output + "query", q);
                    b.output(output + "key", b.rmsNorm(near, b.parameter(name + "norm_k.weight", c), EPSILON));
                }
                k = seen(k, name + "key", tokens);
                v = seen(v, name + "value", tokens);
                Value kr = linear(rays, name + "ray_k", c);
                Value vr = linear(rays, name + "ray_v", c);
                Dim length = Dim.of(tokens).times(k.dim(2));
                k = b.reshape(b.add(k, kr), n, length, Dim.of(c));
                v = b.reshape(b.add(v, vr), n, length, Dim.of(c));
                mask = windowMask(visible, keep, tokens);
            } else {
                k = withRays(k, linear(own, name + "ray_k", c), tokens);
                v = withRays(v, linear(own, name + "ray_v", c), tokens);
                mask = keep == null ? null : pictureMask(keep, tokens);
            }
            k = b.rmsNorm(k, b.parameter(name + "norm_k.weight", c), EPSILON);
            Value seenThere = b.attention(
                    q, k, v, mask, config.attentionHeads(), 1 / Math.sqrt((double) c / config.attentionHeads()));
            x = b.add(x, linear(seenThere, name + "to_out", c));
            y = linear(norm(x, name + "norm2"), name + "ffn.0", 2 * c);
            x = b.add(x, linear(b.geluTanh(y), name + "ffn.2", c));
            b.pop();
        }
        return b.transpose(b.reshape(x, n, Dim.of(rows), Dim.of(columns), Dim.of(c)), 0, 3, 1, 2);
    }

    private Value rays(long tokens) {
        Dim t = Dim.of(tokens);
        Dim w = Dim.of(CameraRays.WIDTH);
        Value rays;
        if (form == Form.SESSION) {
            Dim seen =
                    Dim.symbol(cache("attention.1.key", tokens).visibleSymbol()).plus(1);
            rays = b.reshape(b.input("rays", DType.F32, seen, t, w), Dim.of(1), Dim.of(1), seen, t, w);
        } else {
            rays = b.input("rays", DType.F32, batch, Dim.of(frames), Dim.of(frames), t, w);
        }
        Value y = b.gelu(linear(rays, "attention.rays.0", RAY_WIDTH));
        return linear(y, "attention.rays.2", RAY_WIDTH);
    }

    /** Adds what the rays of a picture's own tokens say; [batch,1,1,tokens,c], equal for all frames. */
    private Value withRays(Value x, Value own, long tokens) {
        Dim c = x.dim(2);
        Value perFrame = b.reshape(x, batch, Dim.of(frames), Dim.of(tokens), c);
        return b.reshape(
                b.add(perFrame, b.reshape(own, batch, Dim.of(1), Dim.of(tokens), c)), x.dim(0), Dim.of(tokens), c);
    }

    /** What each frame sees of all frames, [batch,1,frames,tokens,c]; in a session itself and then the visible ones. */
    private Value seen(Value own, String name, long tokens) {
        Dim c = own.dim(2);
        if (form != Form.SESSION) {
            return b.reshape(own, batch, Dim.of(1), Dim.of(frames), Dim.of(tokens), c);
        }
        State.FrameCache cache = cache(name, tokens);
        Value earlier = b.readState(cache);
        b.writeState(cache, own);
        Value all = b.concat(0, own, earlier);
        return b.reshape(all, Dim.of(1), Dim.of(1), all.dim(0), Dim.of(tokens), c);
    }

    private State.FrameCache cache(String name, long tokens) {
        return new State.FrameCache(
                name, CACHE_GROUP, DType.F32, Shape.of(tokens, config.coarsestWidth()), config.earlierKeyframes() + 1);
    }

    /** 1 where a frame (row) sees a frame (column), else 0: [frames,frames]. */
    private Value window() {
        int f = Math.toIntExact(frames);
        float[] visible = new float[f * f];
        for (int i = 0; i < f; i++) {
            for (int j = Math.max(0, i - config.earlierKeyframes()); j <= i; j++) {
                visible[i * f + j] = 1;
            }
        }
        return b.constant(visible, f, f);
    }

    private @Nullable Value windowMask(@Nullable Value visible, @Nullable Value keep, long tokens) {
        if (visible == null) {
            return null;
        }
        Dim one = Dim.of(1);
        Dim f = Dim.of(frames);
        Dim t = Dim.of(tokens);
        Value may = b.expand(b.reshape(visible, f, f, one), Shape.of(f, f, t));
        if (keep != null) {
            may = b.mul(may, b.reshape(keep, one, f, t));
        }
        Value m = b.reshape(hidden(may), one, f, one, Dim.of(frames * tokens));
        m = b.expand(m, Shape.of(batch, f, t, Dim.of(frames * tokens)));
        return b.reshape(m, batch.times(frames), one, t, Dim.of(frames * tokens));
    }

    private Value pictureMask(Value keep, long tokens) {
        Dim one = Dim.of(1);
        Value m = b.reshape(hidden(keep), Dim.of(frames), one, one, Dim.of(tokens));
        return b.expand(m, Shape.of(Dim.of(frames), one, Dim.of(tokens), Dim.of(tokens)));
    }

    /** 1 becomes 0 and 0 becomes {@value #HIDDEN} below. */
    private Value hidden(Value keep) {
        return b.mul(b.sub(keep, b.scalar(1)), b.scalar(HIDDEN));
    }

    private Value linear(Value x, String name, long out) {
        Value weight = b.parameter(name + ".weight", out, x.dim(-1).known());
        return b.linear(x, weight, b.parameter(name + ".bias", out));
    }

    private Value norm(Value x, String name) {
        long c = x.dim(-1).known();
        return b.layerNorm(x, b.parameter(name + ".weight", c), b.parameter(name + ".bias", c), EPSILON);
    }
}
