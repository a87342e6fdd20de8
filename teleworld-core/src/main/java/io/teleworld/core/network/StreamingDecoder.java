package io.teleworld.core.network;

import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Objects;

/**
 * Decodes an endless video, chunk by chunk; the chunks' sizes do not change the frames.
 *
 * <p>Confined to one thread at a time. The program is borrowed; {@link #close()} releases the state.
 */
public final class StreamingDecoder implements AutoCloseable {

    private final VideoAutoencoderConfig config;
    private final Program program;
    private final ProgramState state;
    private boolean started;

    /**
     * @param config what {@code program} was built from
     * @param program compiled from {@link VideoAutoencoder#decoderGraph}
     * @param scope owns the state
     */
    public StreamingDecoder(VideoAutoencoderConfig config, Program program, Scope scope) {
        this.config = config;
        this.program = program;
        this.state = program.newState(scope);
    }

    /**
     * Decodes the next latents.
     *
     * @param latents F32 [L,C,h,w], L ≥ 1
     * @param scope owns the result
     * @return frames F32 [T,3,8h,8w] in the configuration's range; T is 4L−3 in the first call after a reset (the
     *     first latent yields one frame), afterwards 4L (4 standing for the configuration's temporal factor)
     */
    public Tensor decode(Tensor latents, Scope scope) {
        Map<String, Tensor> out = program.run(Map.of("latents", latents), state, RunOptions.DEFAULT, scope);
        Tensor frames = Objects.requireNonNull(out.get("frames"), "frames");
        if (started) {
            return frames;
        }
        started = true;
        return dropFirst(frames, config.temporalFactor() - 1, scope);
    }

    /** Starts a new video. */
    public void reset() {
        state.reset();
        started = false;
    }

    private static Tensor dropFirst(Tensor frames, int dropped, Scope scope) {
        long[] shape = frames.shape();
        ByteBuffer all = frames.hostBuffer();
        int skip = Math.toIntExact(all.remaining() / shape[0] * dropped);
        shape[0] -= dropped;
        HostTensor rest = HostTensor.zeros(frames.dtype(), shape);
        rest.mutableBuffer().put(all.slice(skip, all.remaining() - skip));
        scope.closeEarly(frames);
        return scope.adopt(rest);
    }

    @Override
    public void close() {
        state.close();
    }
}
