package io.teleworld.core.network;

import io.teleworld.graph.Dim;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * The layers of tiny video autoencoders (TAEHV), over clips whose time steps are folded into the first axis:
 * [clips·steps,C,H,W]. Layers are counted, activations included, and named {@code PREFIX.N}, as in the public checkpoints.
 * Adds to one graph; confined to its builder's thread.
 */
final class MemoryBlockLayers {

    private final GraphBuilder b;
    private final String prefix;
    private final Dim clips;
    private final boolean stream;
    private Dim steps;
    private int layer;

    /**
     * Layers that start at number 0.
     *
     * @param clips of a run; 1 means an endless stream, whose memory stays in registers
     * @param steps time steps of each clip at the first layer
     */
    MemoryBlockLayers(GraphBuilder b, String prefix, Dim clips, Dim steps) {
        this.b = b;
        this.prefix = prefix;
        this.clips = clips;
        this.stream = clips.is(1);
        this.steps = steps;
    }

    boolean stream() {
        return stream;
    }

    Dim clips() {
        return clips;
    }

    /** Time steps of each clip at the current layer. */
    Dim steps() {
        return steps;
    }

    /** Counts a layer that has no weights. */
    int next() {
        return layer++;
    }

    Value relu(Value x) {
        layer++;
        return b.relu(x);
    }

    /** A 3×3 convolution. */
    Value convolution(Value x, long out, int stride, boolean bias) {
        String name = prefix + layer++;
        Value w = b.parameter(name + ".weight", out, x.dim(1).known(), 3, 3);
        Value c = bias ? b.parameter(name + ".bias", out) : null;
        b.push(name);
        Value y = b.conv2d(x, w, c, stride, 1);
        b.pop();
        return y;
    }

    /** Merges runs of {@code frames} time steps by a 1×1 convolution over their joined channels. */
    Value pool(Value x, int frames) {
        String name = prefix + layer++;
        long c = x.dim(1).known();
        Value w = b.parameter(name + ".conv.weight", c, c * frames, 1, 1);
        steps = steps.dividedBy(frames);
        b.push(name);
        Value y = b.conv2d(b.reshape(x, clips.times(steps), Dim.of(c * frames), x.dim(2), x.dim(3)), w, null, 1, 0);
        b.pop();
        return y;
    }

    /** Makes {@code frames} time steps out of each by a 1×1 convolution, then enlarges. */
    Value growAndEnlarge(Value x, int frames, int space) {
        // A 1×1 convolution and a nearest enlargement commute; growing first is space² times cheaper.
        String enlargement = prefix + layer++;
        String name = prefix + layer++;
        long c = x.dim(1).known();
        Value w = b.parameter(name + ".conv.weight", c * frames, c, 1, 1);
        steps = steps.times(frames);
        b.push(name);
        Value y = b.reshape(b.conv2d(x, w, null, 1, 0), clips.times(steps), Dim.of(c), x.dim(2), x.dim(3));
        b.pop();
        if (space == 1) {
            return y;
        }
        b.push(enlargement);
        y = b.resize(y, space, Op.ResizeMode.NEAREST);
        b.pop();
        return y;
    }

    Value memoryBlock(Value x, int width) {
        String name = prefix + layer++;
        b.push(name);
        long c = x.dim(1).known();
        List<Value> in = new ArrayList<>(List.of(x, past(x, name)));
        long inputs = 2 * c;
        for (int i : new int[] {0, 2, 4}) {
            in.add(b.parameter(name + ".conv." + i + ".weight", width, inputs, 3, 3));
            in.add(b.parameter(name + ".conv." + i + ".bias", width));
            inputs = width;
        }
        if (c != width) {
            in.add(b.parameter(name + ".skip.weight", width, c, 1, 1));
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
        Shape folded = Shape.of(clips, steps, x.dim(1), x.dim(2), x.dim(3));
        Value late = b.pad(b.reshape(x, folded), Op.PadMode.CONSTANT, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
        return b.reshape(b.slice(late, 1, 0, steps.known()), x.shape());
    }
}
