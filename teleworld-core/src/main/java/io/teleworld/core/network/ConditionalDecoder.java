package io.teleworld.core.network;

import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
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
import org.jspecify.annotations.Nullable;

/**
 * The conditional tiny decoder (FlashVSR, arXiv 2510.12747): memory blocks as in {@link VideoAutoencoder}, fed by latents
 * and by the small pictures of the same group of frames. Stateless; the graphs are immutable.
 */
public final class ConditionalDecoder {

    private final GraphBuilder b;
    private final String prefix;
    private final SuperResolutionConfig.Decoder config;
    private final Dim batch;
    private final boolean stream;
    private Dim steps;
    private int layer;

    private ConditionalDecoder(
            GraphBuilder b, String prefix, SuperResolutionConfig.Decoder config, Dim batch, Dim steps) {
        this.b = b;
        this.prefix = prefix;
        this.config = config;
        this.batch = batch;
        this.stream = batch.is(1);
        this.steps = steps;
    }

    /**
     * The decoder of an endless video: inputs {@code latents} [groups,C,h,w] and {@code frames} [4·groups,3,h·p,w·p] with
     * condition patches of p, output {@code decoded} [4·groups,3,…], not clipped. Keeps the blocks' memory in registers.
     */
    public static Graph graph(SuperResolutionConfig.Decoder config, int latentChannels, int height, int width) {
        GraphBuilder b = new GraphBuilder("conditional_decoder");
        Dim groups = Dim.symbol("groups");
        long p = config.conditionPatch();
        Value latents = b.input("latents", DType.F32, groups, Dim.of(latentChannels), Dim.of(height), Dim.of(width));
        Value frames = b.input(
                "frames",
                DType.F32,
                groups.times(SuperResolutionConfig.GROUP),
                Dim.of(3),
                Dim.of(height * p),
                Dim.of(width * p));
        b.output("decoded", apply(b, "", config, latents, frames, Dim.of(1), groups));
        return b.build();
    }

    /**
     * Decodes {@code latents} [batch·groups,C,h,w] with {@code frames} [batch·groups·4,3,h·p,w·p]; in a stream batch is 1,
     * else every clip starts without memory.
     */
    static Value apply(
            GraphBuilder b,
            String prefix,
            SuperResolutionConfig.Decoder config,
            Value latents,
            Value frames,
            Dim batch,
            Dim groups) {
        return new ConditionalDecoder(b, prefix, config, batch, groups).decoded(latents, frames);
    }

    private Value decoded(Value latents, Value frames) {
        Value x = b.concat(1, condition(frames), latents);
        x = b.mul(b.tanh(b.mul(x, b.scalar(1.0 / 3))), b.scalar(3));
        layer++;
        List<Stage> stages = config.stages();
        x = relu(conv(x, stages.get(0).width(), true));
        x = again(x);
        int space = 1;
        for (int s = 0; s < stages.size(); s++) {
            Stage stage = stages.get(s);
            for (int i = 0; i < stage.blocks(); i++) {
                x = memoryBlock(x, stage.width());
            }
            int up = layer++;
            x = grow(x, stage.time());
            space *= stage.space();
            if (stage.space() > 1) {
                b.push(prefix + "decoder." + up);
                x = b.resize(x, stage.space(), Op.ResizeMode.NEAREST);
                b.pop();
            }
            Integer detail = config.detailStage();
            if (detail != null && detail == s) {
                x = b.concat(1, x, detail(frames, space));
            }
            int next = s + 1 < stages.size() ? stages.get(s + 1).width() : config.headWidth();
            x = conv(x, next, false);
        }
        x = again(relu(x));
        x = conv(x, 3L * config.patch() * config.patch(), true);
        return config.patch() == 1 ? x : b.depthToSpace(x, config.patch());
    }

    /** Channels of a group's pictures, ordered by colour, frame, row and column: [n,3·4·p²,h,w]. */
    private Value condition(Value frames) {
        int p = config.conditionPatch();
        Value x = LowQualityProjection.unshuffled(b, frames, p);
        Dim n = batch.times(steps);
        Dim group = Dim.of(SuperResolutionConfig.GROUP);
        Dim colours = Dim.of(3);
        Dim cells = Dim.of((long) p * p);
        x = b.transpose(b.reshape(x, n, group, colours, cells, x.dim(2), x.dim(3)), 0, 2, 1, 3, 4, 5);
        return b.reshape(x, n, cells.times(3L * SuperResolutionConfig.GROUP), x.dim(4), x.dim(5));
    }

    /** The small pictures as channels at a resolution {@code space} times that of the latents. */
    private Value detail(Value frames, int space) {
        int p = config.conditionPatch();
        if (p % space != 0 || !frames.dim(0).equals(batch.times(steps))) {
            throw new IllegalArgumentException("detail_stage has no resolution that pictures fold to: they are " + p
                    + " times the latents' size, the stage " + space + " times, and it must be at full frame rate");
        }
        return LowQualityProjection.unshuffled(b, frames, p / space);
    }

    private Value again(Value x) {
        if (!config.identityConvolutions()) {
            return x;
        }
        return relu(conv(x, x.dim(1).known(), false));
    }

    private Value conv(Value x, long out, boolean bias) {
        String name = prefix + "decoder." + layer++;
        Value w = b.parameter(name + ".weight", out, x.dim(1).known(), 3, 3);
        Value c = bias ? b.parameter(name + ".bias", out) : null;
        b.push(name);
        Value y = b.conv2d(x, w, c, 1, 1);
        b.pop();
        return y;
    }

    private Value relu(Value x) {
        layer++;
        return b.relu(x);
    }

    private Value grow(Value x, int frames) {
        String name = prefix + "decoder." + layer++;
        long c = x.dim(1).known();
        Value w = b.parameter(name + ".conv.weight", c * frames, c, 1, 1);
        steps = steps.times(frames);
        b.push(name);
        Value y = b.reshape(b.conv2d(x, w, null, 1, 0), batch.times(steps), Dim.of(c), x.dim(2), x.dim(3));
        b.pop();
        return y;
    }

    private Value memoryBlock(Value x, int width) {
        String name = prefix + "decoder." + layer++;
        b.push(name);
        long c = x.dim(1).known();
        List<Value> in = new ArrayList<>(List.of(x, past(x, name)));
        long inputs = 2 * c;
        for (int i : new int[] {0, 2, 4}) {
            in.add(b.parameter(name + ".conv." + i + ".weight", width, inputs, 3, 3));
            in.add(b.parameter(name + ".conv." + i + ".bias", width));
            inputs = width;
        }
        @Nullable Value skip = c == width ? null : b.parameter(name + ".skip.weight", width, c, 1, 1);
        if (skip != null) {
            in.add(skip);
        }
        Value y = b.apply(new Op.MemoryBlock(), in).get(0);
        b.pop();
        return y;
    }

    /** The value of one time step earlier; the first one comes from the register, or is zero in a clip. */
    private Value past(Value x, String name) {
        if (stream) {
            State.Register memory =
                    new State.Register(name + ".memory", DType.F32, x.shape().with(0, Dim.of(1)));
            Value past = b.slice(b.concat(0, b.readState(memory), x), 0, 0, -1);
            b.writeState(memory, b.slice(x, 0, -1, Op.Slice.TO_END));
            return past;
        }
        Shape clips = Shape.of(batch, steps, x.dim(1), x.dim(2), x.dim(3));
        Value late = b.pad(b.reshape(x, clips), Op.PadMode.CONSTANT, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
        return b.reshape(b.slice(late, 1, 0, steps.known()), x.shape());
    }
}
