package io.teleworld.core.network;

import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Encodes an endless video, chunk by chunk; the chunks' sizes do not change the latents.
 *
 * <p>Confined to one thread at a time. The program is borrowed; {@link #close()} releases the state.
 */
public final class StreamingEncoder implements AutoCloseable {

    private final VideoAutoencoderConfig config;
    private final Program program;
    private final ProgramState state;
    private boolean started;

    /**
     * @param config what {@code program} was built from
     * @param program compiled from {@link VideoAutoencoder#encoderGraph}
     * @param scope owns the state
     */
    public StreamingEncoder(VideoAutoencoderConfig config, Program program, Scope scope) {
        this.config = config;
        this.program = program;
        this.state = program.newState(scope);
    }

    /**
     * Encodes the next frames.
     *
     * @param frames F32 [T,3,H,W] in the configuration's range; with causal grouping T is 1+4k in the first call after
     *     a reset, k ≥ 0, otherwise 4k, k ≥ 1 (4 standing for the configuration's temporal factor)
     * @param scope owns the result
     * @return latents F32 [L,C,H/8,W/8]; L is k+1 in that first call, otherwise k
     * @throws IllegalArgumentException if T does not fit; the state is then unchanged
     */
    public Tensor encode(Tensor frames, Scope scope) {
        int group = config.temporalFactor();
        long[] shape = frames.shape();
        boolean first = !started && config.grouping() == Grouping.CAUSAL;
        long t = shape.length == 4 ? shape[0] : -1;
        if (first ? t < 1 || (t - 1) % group != 0 : t < 1 || t % group != 0) {
            throw new IllegalArgumentException("frames have shape " + java.util.Arrays.toString(shape) + "; "
                    + (first ? "the first call takes [1+" : "needed is [") + group + "k,channels,height,width]");
        }
        Tensor whole = first ? repeatFirst(frames, group) : frames;
        Map<String, Tensor> out = program.run(Map.of("frames", whole), state, RunOptions.DEFAULT, scope);
        started = true;
        return java.util.Objects.requireNonNull(out.get("latents"), "latents");
    }

    /** Starts a new video. */
    public void reset() {
        state.reset();
        started = false;
    }

    /** The first frame fills a group of its own, so that its latent stands for it alone. */
    private static HostTensor repeatFirst(Tensor frames, int group) {
        long[] shape = frames.shape();
        long[] longer = shape.clone();
        longer[0] += group - 1;
        HostTensor out = HostTensor.zeros(DType.F32, longer);
        ByteBuffer from = frames.hostBuffer();
        ByteBuffer to = out.mutableBuffer();
        ByteBuffer one = from.slice(0, Math.toIntExact(from.remaining() / shape[0]));
        for (int i = 1; i < group; i++) {
            to.put(one.duplicate());
        }
        to.put(from);
        return out;
    }

    @Override
    public void close() {
        state.close();
    }
}
