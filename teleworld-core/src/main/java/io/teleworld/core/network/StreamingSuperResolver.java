package io.teleworld.core.network;

import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Enlarges an endless video, chunk by chunk; the chunks' sizes do not change the frames.
 *
 * <p>Confined to one thread at a time. The program is borrowed; {@link #close()} releases the state.
 */
public final class StreamingSuperResolver implements AutoCloseable {

    private static final int GROUP = SuperResolutionConfig.GROUP;

    private final SuperResolutionConfig config;
    private final Program program;
    private final ProgramState state;
    private final List<Integer> held = new ArrayList<>();
    private int group;

    /**
     * @param config what {@code program} was built from
     * @param program compiled from {@link SuperResolutionNet#streamGraph}
     * @param scope owns the state
     */
    public StreamingSuperResolver(SuperResolutionConfig config, Program program, Scope scope) {
        this.config = config;
        this.program = program;
        this.state = program.newState(scope);
    }

    /**
     * Enlarges the next frames.
     *
     * @param frames F32 [T,3,H,W] in [-1,1]; T is 1+4k in the first call after a reset, afterwards 4k with k ≥ 1
     * @param scope owns the result
     * @return F32 [T,3,scale·H,scale·W] in [-1,1]
     * @throws IllegalArgumentException if T is another number
     */
    public Tensor upscale(Tensor frames, Scope scope) {
        long[] shape = frames.shape();
        int count = Math.toIntExact(shape[0]);
        int first = group == 0 ? 1 : 0;
        if (count < 1 || (count - first) % GROUP != 0) {
            throw new IllegalArgumentException("chunk has " + count + " frames; it must be "
                    + (first == 1 ? "1+4k in the first call" : "4k with k ≥ 1"));
        }
        int size = Math.toIntExact(shape[1] * shape[2] * shape[3] * Float.BYTES);
        int enlarged = size * config.scale() * config.scale();
        ByteBuffer in = frames.hostBuffer();
        HostTensor out = HostTensor.zeros(DType.F32, count, 3, shape[2] * config.scale(), shape[3] * config.scale());
        ByteBuffer to = out.mutableBuffer();
        int at = 0;
        while (at < count) {
            int n = group == 0 ? 1 : GROUP;
            try (Scope work = scope.child("group")) {
                HostTensor chunk = work.adopt(HostTensor.zeros(DType.F32, GROUP, 3, shape[2], shape[3]));
                ByteBuffer four = chunk.mutableBuffer();
                for (int i = 0; i < GROUP; i++) {
                    four.put(in.slice((at + Math.max(0, i - (GROUP - n))) * size, size));
                }
                ByteBuffer result = run(chunk, work).hostBuffer();
                to.put(result.slice((GROUP - n) * enlarged, n * enlarged));
            }
            at += n;
        }
        return scope.adopt(out);
    }

    private Tensor run(Tensor chunk, Scope work) {
        HostTensor position = work.adopt(HostTensor.ofFloats(new float[] {group}, 1));
        RunOptions options = RunOptions.DEFAULT.withVisible(WindowTransformer.CACHE_GROUP, held);
        int most = config.transformer().cachedSlabs();
        if (most > 0) {
            // The entry of the oldest group is replaced, so that as many are kept as are seen.
            int id = group % (most + 1);
            options = options.withWritten(WindowTransformer.CACHE_GROUP, List.of(id));
            held.add(id);
            if (held.size() > most) {
                held.remove(0);
            }
        }
        Map<String, Tensor> out = program.run(Map.of("frames", chunk, "position", position), state, options, work);
        group++;
        return Objects.requireNonNull(out.get("enlarged"), "enlarged");
    }

    /** Starts a new video. */
    public void reset() {
        state.reset();
        held.clear();
        group = 0;
    }

    @Override
    public void close() {
        state.close();
    }
}
