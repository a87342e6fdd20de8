package io.teleworld.training.recipe;

import io.teleworld.core.network.ParameterInit;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.List;
import java.util.Map;

/**
 * Judges small neighbourhoods of latent videos: convolutions over space and time at two resolutions, one logit per place of
 * each. Stateless; the graphs are immutable.
 */
final class LatentDiscriminator {

    private static final int FINE = 64;
    private static final int COARSE = 96;
    private static final double EPSILON = 1e-5;

    private final GraphBuilder b = new GraphBuilder("latent_discriminator");

    private LatentDiscriminator() {}

    /**
     * Input {@code video} F32 [batch, channels, frames, h, w], frames in their order; h and w even. Outputs {@code fine}
     * [batch,1,frames,h,w] and {@code coarse} [batch,1,frames,h/2,w/2]: logits.
     */
    static Graph graph(int channels, int height, int width) {
        LatentDiscriminator d = new LatentDiscriminator();
        GraphBuilder b = d.b;
        Value x = b.input(
                "video",
                DType.F32,
                Dim.symbol("batch"),
                Dim.of(channels),
                Dim.symbol("frames"),
                Dim.of(height),
                Dim.of(width));
        x = b.silu(d.conv(x, "fine.conv1", FINE, 1, 3, 1));
        x = b.add(x, b.silu(d.conv(d.norm(x, "fine.norm"), "fine.conv2", FINE, 3, 3, 1)));
        b.output("fine", d.conv(x, "fine.logit", 1, 1, 1, 1));
        x = b.silu(d.conv(x, "coarse.conv1", COARSE, 1, 3, 2));
        x = b.add(x, b.silu(d.conv(d.norm(x, "coarse.norm1"), "coarse.conv2", COARSE, 3, 3, 1)));
        x = b.add(x, b.silu(d.conv(d.norm(x, "coarse.norm2"), "coarse.conv3", COARSE, 1, 3, 1)));
        b.output("coarse", d.conv(x, "coarse.logit", 1, 1, 1, 1));
        return b.build();
    }

    static Map<String, float[]> initialise(int channels, int height, int width, long seed) {
        return ParameterInit.empty()
                .with(".*\\.bias", new ParameterInit.Rule.Constant(0))
                .with(".*norm\\d?\\.weight", new ParameterInit.Rule.Constant(1))
                .with(".*logit\\.weight", new ParameterInit.Rule.FanIn(0.1))
                .with(".*\\.weight", new ParameterInit.Rule.FanIn(Math.sqrt(2)))
                .draw(graph(channels, height, width), seed);
    }

    private Value norm(Value x, String name) {
        long c = x.dim(1).known();
        return b.groupNorm(x, b.parameter(name + ".weight", c), b.parameter(name + ".bias", c), 8, EPSILON);
    }

    private Value conv(Value x, String name, int out, int kernelT, int kernel, int stride) {
        Value weight = b.parameter(name + ".weight", out, x.dim(1).known(), kernelT, kernel, kernel);
        int t = kernelT / 2;
        int s = kernel / 2;
        return b.conv(
                x,
                weight,
                b.parameter(name + ".bias", out),
                List.of(1, stride, stride),
                List.of(t, s, s, t, s, s),
                List.of(1, 1, 1),
                1);
    }
}
