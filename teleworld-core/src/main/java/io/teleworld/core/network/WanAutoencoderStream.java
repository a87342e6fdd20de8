package io.teleworld.core.network;

import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Encodes or decodes an endless video with a {@link WanAutoencoder}, chunk by chunk, and keeps what one chunk has to know
 * of the one before. The first chunk holds one frame (or latent), later ones whole groups (any number of latents).
 *
 * <p>Confined to one thread at a time. The programs are borrowed; {@link #close()} releases the caches.
 */
public final class WanAutoencoderStream implements AutoCloseable {

    private final Program first;
    private final Program next;
    private final Scope scope;
    private @Nullable Scope held;
    private Map<String, Tensor> caches = Map.of();

    /**
     * @param first compiled from the graph of the first chunk, {@link WanAutoencoder#encoderGraph} or
     *     {@link WanAutoencoder#decoderGraph}
     * @param next compiled from the graph of later chunks, of the same kind and size
     * @param scope owns the caches
     */
    public WanAutoencoderStream(Program first, Program next, Scope scope) {
        this.first = first;
        this.next = next;
        this.scope = scope.child("wan autoencoder stream");
    }

    /**
     * Codes the next chunk.
     *
     * @param chunk the graph's input, {@code frames} or {@code latents}
     * @param results owns the results
     * @return the graph's outputs but for the caches
     * @throws IllegalArgumentException if the chunk's shape is not what the graph declares; the stream is unchanged
     */
    public Map<String, Tensor> next(Tensor chunk, Scope results) {
        Program program = held == null ? first : next;
        Scope fresh = scope.child("chunk");
        try {
            Map<String, Tensor> inputs = new HashMap<>();
            for (Map.Entry<String, Value> in : program.graph().inputs().entrySet()) {
                String name = in.getKey();
                if (!name.startsWith(WanAutoencoder.CACHE)) {
                    inputs.put(name, chunk);
                    continue;
                }
                Tensor cache = caches.get(name);
                inputs.put(name, cache != null ? cache : fresh.adopt(zeros(in.getValue())));
            }
            Map<String, Tensor> out = program.run(inputs, program.newState(fresh), RunOptions.DEFAULT, fresh);
            Map<String, Tensor> kept = new TreeMap<>();
            Map<String, Tensor> given = new HashMap<>();
            out.forEach((name, t) -> {
                if (name.startsWith(WanAutoencoder.CACHE)) {
                    kept.put(name, t);
                } else {
                    given.put(name, fresh.moveTo(results, t));
                }
            });
            Scope before = held;
            held = fresh;
            caches = kept;
            if (before != null) {
                scope.closeEarly(before);
            }
            return given;
        } catch (RuntimeException e) {
            if (held != fresh) {
                scope.closeEarly(fresh);
            }
            throw e;
        }
    }

    /** What the next chunk will see of the chunks before, by the names of the graph's inputs; valid until then. */
    public Map<String, Tensor> caches() {
        return Map.copyOf(caches);
    }

    /** Starts a new video. */
    public void reset() {
        Scope before = held;
        held = null;
        caches = Map.of();
        if (before != null) {
            scope.closeEarly(before);
        }
    }

    private static HostTensor zeros(Value like) {
        return HostTensor.zeros(like.type().dtype(), like.shape().known());
    }

    @Override
    public void close() {
        held = null;
        caches = Map.of();
        scope.close();
    }
}
