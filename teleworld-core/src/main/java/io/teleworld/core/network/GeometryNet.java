package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Depth, its confidence and what moves, from one picture and what the 4D memory knows from that pose: a convolutional
 * U-Net on pixel blocks with a global context at its coarsest resolution. Stateless; the graphs are immutable.
 */
public final class GeometryNet {

    /** Bound on the confidence's exponent, far beyond any useful confidence. */
    private static final double MAX_LOG_CONFIDENCE = 10;

    private final GraphBuilder b;
    private final GeometryNetConfig config;

    private GeometryNet(GraphBuilder b, GeometryNetConfig config) {
        this.b = b;
        this.config = config;
    }

    /**
     * Input {@code image} F32 [batch,5,H,W]: RGB in [−1,1], inverse planar depth of the memory (1/world unit, 0 where
     * nothing is known) and the memory's mask (0 or 1).
     *
     * <p>Outputs, each F32 [batch,1,H,W]: {@code depth}, planar z in world units, exp of what the network says;
     * {@code confidence}, at least 1; {@code dynamic}, the logit of a pixel belonging to something that moves.
     */
    public static Graph graph(GeometryNetConfig config, int height, int width) {
        int m = config.multiple();
        if (height < m || width < m || height % m != 0 || width % m != 0) {
            throw new IllegalArgumentException("picture is " + height + "×" + width
                    + " (height × width); both must be positive multiples of " + m);
        }
        GraphBuilder b = new GraphBuilder("geometry_net");
        new GeometryNet(b, config).build(height, width);
        return b.build();
    }

    /** Weights to start training from, by name; depth starts near 1 and confidence near 2. */
    public static Map<String, float[]> initialise(GeometryNetConfig config, long seed) {
        double relu = Math.sqrt(2);
        ParameterInit init = ParameterInit.empty()
                .with(".*\\.bias", new ParameterInit.Rule.Constant(0))
                .with("head\\.conv2\\.weight", new ParameterInit.Rule.FanIn(0.1))
                .with(".*\\.residual\\.\\d+\\.conv2\\.weight", new ParameterInit.Rule.FanIn(0.2))
                .with("context\\.weight", new ParameterInit.Rule.FanIn(0.2))
                .with(".*\\.weight", new ParameterInit.Rule.FanIn(relu));
        return init.draw(graph(config, config.multiple(), config.multiple()), seed);
    }

    private void build(int height, int width) {
        int p = config.patchSize();
        List<Integer> widths = config.widths();
        Dim n = Dim.symbol("batch");
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
        for (int level = widths.size() - 2; level >= 0; level--) {
            Value joined = b.concat(1, b.resize(x, 2, Op.ResizeMode.NEAREST), skips.get(level));
            x = b.relu(conv(joined, "up." + level + ".conv", widths.get(level), 3, 1));
            x = residual(x, "up." + level + ".residual.0");
        }
        x = b.relu(conv(x, "head.conv1", widths.get(0), 3, 1));
        Value maps = b.depthToSpace(conv(x, "head.conv2", 3L * p * p, 3, 1), p);
        List<Value> m = b.split(maps, 1, 1L, 1L, 1L);
        b.output("depth", b.exp(b.clip(m.get(0), -config.maxLogDepth(), config.maxLogDepth())));
        b.output("confidence", b.add(b.exp(b.clip(m.get(1), -MAX_LOG_CONFIDENCE, MAX_LOG_CONFIDENCE)), b.scalar(1)));
        b.output("dynamic", m.get(2));
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
}
