package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * The causal video autoencoder of Wan 2.1 (Wan, arXiv 2503.20314; Diffusers {@code AutoencoderKLWan}). Stateless; the
 * graphs are immutable. Weights carry the Diffusers names; {@link WanAutoencoderKeys} translates the original ones.
 *
 * <p>A video is coded in chunks: its first frame alone, which becomes the first latent, then any number of whole groups
 * (4 frames each), one latent each. The chunks' sizes do not change the result. Every convolution over time sees the
 * last frames of its own input in the chunk before; the graphs give these as outputs {@code cache.N} and those of later
 * chunks take them as inputs of that name, numbered in the order of execution. {@link WanAutoencoderStream} hands them
 * on; what a later chunk takes and the first does not give is zero at first.
 *
 * <p>Pictures are in [−1,1]. Latents are those of the transformer: normalised by the configuration's statistics.
 */
public final class WanAutoencoder {

    /** Prefix of the names of caches. */
    public static final String CACHE = "cache.";

    private static final int COLOURS = 3;
    private static final double SMALLEST_NORM = 1e-12;

    private final GraphBuilder b;
    private final WanAutoencoderConfig config;
    private final boolean first;
    private int slot;
    private Dim steps;

    private WanAutoencoder(String name, WanAutoencoderConfig config, boolean first, Dim steps) {
        this.b = new GraphBuilder(name + (first ? "_first" : "_next"));
        this.config = config;
        this.first = first;
        this.steps = steps;
    }

    /**
     * The encoder of one chunk. Input {@code frames} [1,3,T,H,W], T being 1 in the first chunk and 4·{@code groups}
     * later. Outputs {@code latents} [1,z,F,H/8,W/8], the normalised means; {@code moments} [1,2z,F,H/8,W/8], means and
     * log-variances as they are; {@code features}, the same before the last 1×1×1 convolution; and the caches.
     *
     * @param first whether this is for the first chunk of a video
     */
    public static Graph encoderGraph(WanAutoencoderConfig config, int height, int width, boolean first) {
        int factor = config.spatialFactor();
        if (height < factor || width < factor || height % factor != 0 || width % factor != 0) {
            throw new IllegalArgumentException("picture is " + height + "×" + width + " (height × width); both must be"
                    + " positive multiples of " + factor);
        }
        Dim steps = first ? Dim.of(1) : Dim.symbol("groups").times(config.temporalFactor());
        return new WanAutoencoder("wan_encoder", config, first, steps).encoder(height, width);
    }

    /**
     * The decoder of one chunk. Input {@code latents} [1,z,F,h,w], F being 1 in the first chunk and any number later.
     * Outputs {@code frames} [1,3,T,8h,8w], T being 1 in the first chunk and 4·F later; {@code unclipped}, the same
     * before clipping; and the caches.
     *
     * @param first whether this is for the first chunk of a video
     */
    public static Graph decoderGraph(WanAutoencoderConfig config, int latentHeight, int latentWidth, boolean first) {
        if (latentHeight < 1 || latentWidth < 1) {
            throw new IllegalArgumentException(
                    "latent is " + latentHeight + "×" + latentWidth + " (height × width); both must be positive");
        }
        Dim steps = first ? Dim.of(1) : Dim.symbol("latent_frames");
        return new WanAutoencoder("wan_decoder", config, first, steps).decoder(latentHeight, latentWidth);
    }

    private Graph encoder(int height, int width) {
        List<Integer> multiples = config.dimMult();
        Value x = b.input("frames", DType.F32, Dim.of(1), Dim.of(COLOURS), steps, Dim.of(height), Dim.of(width));
        x = causal(x, "encoder.conv_in", config.baseDim());
        int block = 0;
        for (int i = 0; i < multiples.size(); i++) {
            int channels = config.baseDim() * multiples.get(i);
            for (int k = 0; k < config.numResBlocks(); k++) {
                x = residual(x, "encoder.down_blocks." + block++, channels);
            }
            if (i + 1 < multiples.size()) {
                x = smaller(
                        x,
                        "encoder.down_blocks." + block++,
                        config.temperalDownsample().get(i));
            }
        }
        x = middle(x, "encoder.mid_block");
        x = b.silu(norm(x, "encoder.norm_out", 3));
        x = causal(x, "encoder.conv_out", 2L * config.zDim());
        b.output("features", x);
        Value moments = pointwise(x, "quant_conv", 2L * config.zDim());
        b.output("moments", moments);
        Value mean = b.slice(moments, 1, 0, config.zDim());
        b.output("latents", b.div(b.sub(mean, channels(config.latentsMean())), channels(config.latentsStd())));
        return b.build();
    }

    private Graph decoder(int height, int width) {
        List<Integer> multiples = config.dimMult();
        int last = multiples.size() - 1;
        Value x = b.input("latents", DType.F32, Dim.of(1), Dim.of(config.zDim()), steps, Dim.of(height), Dim.of(width));
        x = b.add(b.mul(x, channels(config.latentsStd())), channels(config.latentsMean()));
        x = pointwise(x, "post_quant_conv", config.zDim());
        x = causal(x, "decoder.conv_in", config.baseDim() * multiples.get(last));
        x = middle(x, "decoder.mid_block");
        for (int i = 0; i <= last; i++) {
            String block = "decoder.up_blocks." + i + ".";
            int channels = config.baseDim() * multiples.get(last - i);
            for (int k = 0; k <= config.numResBlocks(); k++) {
                x = residual(x, block + "resnets." + k, channels);
            }
            if (i < last) {
                boolean time = config.temperalDownsample().get(last - 1 - i);
                x = larger(x, block + "upsamplers.0", time);
            }
        }
        x = b.silu(norm(x, "decoder.norm_out", 3));
        x = causal(x, "decoder.conv_out", COLOURS);
        b.output("unclipped", x);
        b.output("frames", b.clip(x, -1, 1));
        return b.build();
    }

    // ------------------------------------------------------------------------------------------ layers

    private Value residual(Value x, String name, int channels) {
        Value shortcut = x.dim(1).is(channels) ? x : pointwise(x, name + ".conv_shortcut", channels);
        Value y = causal(b.silu(norm(x, name + ".norm1", 3)), name + ".conv1", channels);
        y = causal(b.silu(norm(y, name + ".norm2", 3)), name + ".conv2", channels);
        b.push(name);
        Value sum = b.add(y, shortcut);
        b.pop();
        return sum;
    }

    private Value middle(Value x, String name) {
        int channels = Math.toIntExact(x.dim(1).known());
        Value y = residual(x, name + ".resnets.0", channels);
        y = attention(y, name + ".attentions.0");
        return residual(y, name + ".resnets.1", channels);
    }

    /** One head over the places of each frame. */
    private Value attention(Value x, String name) {
        Dim c = x.dim(1);
        long channels = c.known();
        Dim h = x.dim(3);
        Dim w = x.dim(4);
        Dim places = h.times(w);
        Value frames = folded(x);
        Value qkv = conv2d(norm(frames, name + ".norm", 2), name + ".to_qkv", 3 * channels, 1, 1, 0);
        qkv = b.transpose(b.reshape(qkv, steps, c.times(3), places), 0, 2, 1);
        List<Value> parts = b.split(qkv, 2, channels, channels, channels);
        Value y = b.attention(parts.get(0), parts.get(1), parts.get(2), null, 1, 1 / Math.sqrt((double) channels));
        y = b.reshape(b.transpose(y, 0, 2, 1), steps, c, h, w);
        return b.add(x, unfolded(conv2d(y, name + ".proj", channels, 1, 1, 0), name));
    }

    /** Half the size, and half the frames if time is halved; the first frame of a video stands for itself. */
    private Value smaller(Value x, String name, boolean time) {
        long channels = x.dim(1).known();
        Value padded = b.pad(folded(x), Op.PadMode.CONSTANT, 0, 0, 0, 0, 0, 0, 1, 1);
        Value y = unfolded(conv2d(padded, name + ".resample.1", channels, 3, 2, 0), name);
        if (!time) {
            return y;
        }
        String cache = CACHE + slot++;
        b.output(cache, b.slice(y, 2, -1, Op.Slice.TO_END));
        if (first) {
            return y;
        }
        Value joined = b.concat(2, cached(cache, y, 1), y);
        Value out = conv3d(joined, name + ".time_conv", channels, 3, 1, 2, 0, 0);
        steps = out.dim(2);
        return out;
    }

    /** Twice the size, half the channels, and twice the frames if time is doubled and the video's first one is past. */
    private Value larger(Value x, String name, boolean time) {
        long channels = x.dim(1).known();
        Value y = x;
        if (time) {
            String cache = CACHE + slot++;
            if (!first) {
                Value joined = b.concat(2, cached(cache, x, 2), x);
                b.output(cache, b.slice(joined, 2, -2, Op.Slice.TO_END));
                Dim h = x.dim(3);
                Dim w = x.dim(4);
                Value both = conv3d(joined, name + ".time_conv", 2 * channels, 3, 1, 1, 0, 0);
                both = b.reshape(both, Dim.of(1), Dim.of(2), Dim.of(channels), steps, h, w);
                steps = steps.times(2);
                y = b.reshape(b.transpose(both, 0, 2, 3, 1, 4, 5), Dim.of(1), Dim.of(channels), steps, h, w);
            }
        }
        Value large = b.resize(folded(y), 2, Op.ResizeMode.NEAREST);
        return unfolded(conv2d(large, name + ".resample.1", channels / 2, 3, 1, 1), name);
    }

    /** A 3×3×3 convolution that sees two earlier frames. */
    private Value causal(Value x, String name, long out) {
        String cache = CACHE + slot++;
        if (first) {
            b.output(cache, b.pad(x, Op.PadMode.CONSTANT, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
            return conv3d(x, name, out, 3, 3, 1, 2, 1);
        }
        Value joined = b.concat(2, cached(cache, x, 2), x);
        b.output(cache, b.slice(joined, 2, -2, Op.Slice.TO_END));
        return conv3d(joined, name, out, 3, 3, 1, 0, 1);
    }

    private Value cached(String name, Value like, int frames) {
        return b.input(name, DType.F32, like.shape().with(2, Dim.of(frames)));
    }

    private Value pointwise(Value x, String name, long out) {
        return conv3d(x, name, out, 1, 1, 1, 0, 0);
    }

    /**
     * @param time extent of the kernel over time
     * @param space its extent over rows and columns
     * @param stride over time
     * @param before zeros before the first frame
     * @param border zeros around each frame
     */
    private Value conv3d(Value x, String name, long out, int time, int space, int stride, int before, int border) {
        Value weight = b.parameter(name + ".weight", out, x.dim(1).known(), time, space, space);
        Value bias = b.parameter(name + ".bias", out);
        b.push(name);
        Value y = b.conv(
                x,
                weight,
                bias,
                List.of(stride, 1, 1),
                List.of(before, border, border, 0, border, border),
                List.of(1, 1, 1),
                1);
        b.pop();
        return y;
    }

    private Value conv2d(Value x, String name, long out, int kernel, int stride, int border) {
        Value weight = b.parameter(name + ".weight", out, x.dim(1).known(), kernel, kernel);
        Value bias = b.parameter(name + ".bias", out);
        b.push(name);
        Value y = b.conv2d(x, weight, bias, stride, border);
        b.pop();
        return y;
    }

    /** x/‖x‖·√C·γ, the norm taken over channels. */
    private Value norm(Value x, String name, int axesBehindChannels) {
        long channels = x.dim(1).known();
        List<Long> shape = new ArrayList<>(List.of(channels));
        for (int i = 0; i < axesBehindChannels; i++) {
            shape.add(1L);
        }
        Value gamma = b.parameter(
                name + ".gamma", shape.stream().mapToLong(Long::longValue).toArray());
        b.push(name);
        Value length = b.max(b.sqrt(b.reduceSum(b.mul(x, x), true, 1)), b.scalar(SMALLEST_NORM));
        Value y = b.mul(b.div(x, length), b.mul(gamma, b.scalar(Math.sqrt((double) channels))));
        b.pop();
        return y;
    }

    private Value channels(List<Double> values) {
        float[] v = new float[values.size()];
        for (int i = 0; i < v.length; i++) {
            v[i] = values.get(i).floatValue();
        }
        return b.constant(v, 1, v.length, 1, 1, 1);
    }

    /** [1,C,T,H,W] to [T,C,H,W]. */
    private Value folded(Value x) {
        return b.reshape(b.transpose(x, 0, 2, 1, 3, 4), new Shape(List.of(steps, x.dim(1), x.dim(3), x.dim(4))));
    }

    /** [T,C,H,W] to [1,C,T,H,W]. */
    private Value unfolded(Value x, String name) {
        b.push(name);
        Value batched = b.reshape(x, Dim.of(1), steps, x.dim(1), x.dim(2), x.dim(3));
        Value y = b.transpose(batched, 0, 2, 1, 3, 4);
        b.pop();
        return y;
    }
}
