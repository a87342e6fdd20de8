package io.teleworld.core.decode;

import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.StreamDecoder;
import io.teleworld.core.network.WanAutoencoderStream;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The autoencoder of Wan 2.1 for sessions: clips in, pictures out, one latent at a time. Thread-safe. Streams are reused;
 * the programs are borrowed, the streams belong to the scope that is given.
 */
public final class WanCodec implements FrameEncoder, StreamDecoder {

    private static final int GROUP = 4;

    /**
     * The four programs, compiled from {@link io.teleworld.core.network.WanAutoencoder}.
     *
     * @param firstEncoder encodes the first picture of a clip
     * @param nextEncoder encodes groups of four
     * @param firstDecoder decodes the first latent
     * @param nextDecoder decodes later ones
     */
    public record Programs(Program firstEncoder, Program nextEncoder, Program firstDecoder, Program nextDecoder) {}

    private final Programs programs;
    private final int width;
    private final int height;
    private final Scope scope;
    private final ArrayDeque<WanAutoencoderStream> idleEncoders = new ArrayDeque<>();
    private final ArrayDeque<WanAutoencoderStream> idleDecoders = new ArrayDeque<>();

    /**
     * A codec.
     *
     * @param width of pictures in pixels
     * @param height of pictures in pixels
     * @param scope owns the streams
     */
    public WanCodec(Programs programs, int width, int height, Scope scope) {
        this.programs = programs;
        this.width = width;
        this.height = height;
        this.scope = scope;
    }

    @Override
    public List<LatentFrame> encode(float[] frames, int count) {
        int plane = width * height;
        if (count < 1 || (count - 1) % GROUP != 0 || frames.length != (long) count * 3 * plane) {
            throw new IllegalArgumentException("clip is " + count + " frames in " + frames.length
                    + " values; it must be 1+4k frames of " + 3 * plane);
        }
        WanAutoencoderStream stream = take(idleEncoders, programs.firstEncoder(), programs.nextEncoder());
        List<LatentFrame> latents = new ArrayList<>();
        try (Scope work = scope.child("encode")) {
            for (int at = 0; at < count; at += at == 0 ? 1 : GROUP) {
                int n = at == 0 ? 1 : GROUP;
                HostTensor chunk = work.adopt(HostTensor.zeros(DType.F32, 1, 3, n, height, width));
                FloatBuffer out = chunk.mutableBuffer().asFloatBuffer();
                for (int c = 0; c < 3; c++) {
                    for (int f = 0; f < n; f++) {
                        out.put(frames, ((at + f) * 3 + c) * plane, plane);
                    }
                }
                Tensor latent = Objects.requireNonNull(stream.next(chunk, work).get("latents"), "latents");
                long[] s = latent.shape();
                latents.add(new LatentFrame(
                        Math.toIntExact(s[1]), Math.toIntExact(s[3]), Math.toIntExact(s[4]), latent.toFloatArray()));
            }
        } finally {
            give(idleEncoders, stream);
        }
        return latents;
    }

    @Override
    public Stream open() {
        WanAutoencoderStream stream = take(idleDecoders, programs.firstDecoder(), programs.nextDecoder());
        return new Stream() {

            private boolean closed;

            @Override
            public List<RgbImage> decode(LatentFrame latent) {
                if (closed) {
                    throw new IllegalStateException("the decoding stream is closed");
                }
                try (Scope work = scope.child("decode")) {
                    HostTensor in = work.adopt(HostTensor.ofFloats(
                            latent.values(), 1, latent.channels(), 1, latent.height(), latent.width()));
                    return pictures(Objects.requireNonNull(stream.next(in, work).get("frames"), "frames"));
                }
            }

            @Override
            public void close() {
                if (!closed) {
                    closed = true;
                    give(idleDecoders, stream);
                }
            }
        };
    }

    /** From [1,3,T,H,W] in [−1,1]. */
    private List<RgbImage> pictures(Tensor frames) {
        int count = Math.toIntExact(frames.shape()[2]);
        int plane = width * height;
        float[] values = frames.toFloatArray();
        List<RgbImage> images = new ArrayList<>(count);
        for (int f = 0; f < count; f++) {
            byte[] rgb = new byte[3 * plane];
            for (int c = 0; c < 3; c++) {
                int from = (c * count + f) * plane;
                for (int i = 0; i < plane; i++) {
                    float v = values[from + i] * 127.5f + 127.5f;
                    rgb[3 * i + c] = (byte) (int) (Math.max(0, Math.min(255, v)) + 0.5f);
                }
            }
            images.add(new RgbImage(width, height, rgb));
        }
        return images;
    }

    private WanAutoencoderStream take(ArrayDeque<WanAutoencoderStream> idle, Program first, Program next) {
        synchronized (idle) {
            WanAutoencoderStream known = idle.poll();
            return known != null ? known : new WanAutoencoderStream(first, next, scope);
        }
    }

    private static void give(ArrayDeque<WanAutoencoderStream> idle, WanAutoencoderStream stream) {
        stream.reset();
        synchronized (idle) {
            idle.push(stream);
        }
    }
}
