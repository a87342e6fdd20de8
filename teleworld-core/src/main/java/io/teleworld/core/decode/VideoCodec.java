package io.teleworld.core.decode;

import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.StreamDecoder;
import io.teleworld.core.network.StreamingDecoder;
import io.teleworld.core.network.StreamingEncoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * The streaming autoencoder for sessions: clips in, pictures out (paper §3.6.2).
 *
 * <p>Thread-safe. Streams are reused, so a long session allocates no more states than it has streams at once. The programs
 * are borrowed; the states belong to the scope that is given.
 */
public final class VideoCodec implements FrameEncoder, StreamDecoder {

    /** Latent frames per call of the encoder; bounds the memory of its activations. */
    private static final int CHUNK = 4;

    private final VideoAutoencoderConfig config;
    private final Program encoder;
    private final Program decoder;
    private final int width;
    private final int height;
    private final Scope scope;
    private final ArrayDeque<StreamingEncoder> idleEncoders = new ArrayDeque<>();
    private final ArrayDeque<StreamingDecoder> idleDecoders = new ArrayDeque<>();

    /**
     * A codec.
     *
     * @param config what the programs were built from; its grouping must be causal
     * @param encoder compiled from the streaming encoder graph
     * @param decoder compiled from the streaming decoder graph
     * @param width of pictures in pixels
     * @param height of pictures in pixels
     * @param scope owns the states
     * @throws IllegalArgumentException if the grouping is not causal with four frames per latent
     */
    public VideoCodec(
            VideoAutoencoderConfig config, Program encoder, Program decoder, int width, int height, Scope scope) {
        if (config.grouping() != VideoAutoencoderConfig.Grouping.CAUSAL || config.temporalFactor() != 4) {
            throw new IllegalArgumentException("autoencoder groups frames " + config.grouping() + " by "
                    + config.temporalFactor() + "; sessions need CAUSAL by 4");
        }
        this.config = config;
        this.encoder = encoder;
        this.decoder = decoder;
        this.width = width;
        this.height = height;
        this.scope = scope;
    }

    @Override
    public List<LatentFrame> encode(float[] frames, int count) {
        int size = 3 * width * height;
        if (count < 1 || (count - 1) % 4 != 0 || frames.length != (long) count * size) {
            throw new IllegalArgumentException(
                    "clip is " + count + " frames in " + frames.length + " values; it must be 1+4k frames of " + size);
        }
        StreamingEncoder stream = takeEncoder();
        List<LatentFrame> latents = new ArrayList<>();
        try (Scope work = scope.child("encode")) {
            int at = 0;
            while (at < count) {
                int n = Math.min(count - at, at == 0 ? 1 + 4 * (CHUNK - 1) : 4 * CHUNK);
                HostTensor chunk = work.adopt(HostTensor.zeros(DType.F32, n, 3, height, width));
                FloatBuffer out = chunk.mutableBuffer().asFloatBuffer();
                if (config.unitRange()) {
                    for (int i = at * size; i < (at + n) * size; i++) {
                        out.put(0.5f * frames[i] + 0.5f);
                    }
                } else {
                    out.put(frames, at * size, n * size);
                }
                Tensor encoded = stream.encode(chunk, work);
                latents.addAll(split(encoded));
                work.closeEarly(encoded);
                work.closeEarly(chunk);
                at += n;
            }
        } finally {
            stream.reset();
            synchronized (idleEncoders) {
                idleEncoders.push(stream);
            }
        }
        return latents;
    }

    private StreamingEncoder takeEncoder() {
        synchronized (idleEncoders) {
            StreamingEncoder idle = idleEncoders.poll();
            if (idle != null) {
                return idle;
            }
        }
        return new StreamingEncoder(config, encoder, scope);
    }

    private static List<LatentFrame> split(Tensor latents) {
        long[] shape = latents.shape();
        int c = Math.toIntExact(shape[1]);
        int h = Math.toIntExact(shape[2]);
        int w = Math.toIntExact(shape[3]);
        FloatBuffer values = latents.hostBuffer().asFloatBuffer();
        List<LatentFrame> frames = new ArrayList<>();
        for (int f = 0; f < shape[0]; f++) {
            float[] one = new float[c * h * w];
            values.get(one);
            frames.add(new LatentFrame(c, h, w, one));
        }
        return frames;
    }

    @Override
    public Stream open() {
        StreamingDecoder idle;
        synchronized (idleDecoders) {
            idle = idleDecoders.poll();
        }
        return new CodecStream(idle != null ? idle : new StreamingDecoder(config, decoder, scope));
    }

    private final class CodecStream implements Stream {

        private final StreamingDecoder stream;
        private boolean closed;

        CodecStream(StreamingDecoder stream) {
            this.stream = stream;
        }

        @Override
        public List<RgbImage> decode(LatentFrame latent) {
            if (closed) {
                throw new IllegalStateException("the decoding stream is closed");
            }
            try (Scope work = scope.child("decode")) {
                HostTensor in = work.adopt(
                        HostTensor.ofFloats(latent.values(), 1, latent.channels(), latent.height(), latent.width()));
                return pictures(stream.decode(in, work));
            }
        }

        private List<RgbImage> pictures(Tensor frames) {
            int count = Math.toIntExact(frames.shape()[0]);
            int n = width * height;
            FloatBuffer values = frames.hostBuffer().asFloatBuffer();
            float[] planes = new float[3 * n];
            float scale = config.unitRange() ? 255 : 127.5f;
            float shift = config.unitRange() ? 0 : 127.5f;
            List<RgbImage> images = new ArrayList<>(count);
            for (int f = 0; f < count; f++) {
                values.get(planes);
                byte[] rgb = new byte[3 * n];
                for (int c = 0; c < 3; c++) {
                    for (int i = 0; i < n; i++) {
                        float v = planes[c * n + i] * scale + shift;
                        rgb[3 * i + c] = (byte) (int) (Math.max(0, Math.min(255, v)) + 0.5f);
                    }
                }
                images.add(new RgbImage(width, height, rgb));
            }
            return images;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                stream.reset();
                synchronized (idleDecoders) {
                    idleDecoders.push(stream);
                }
            }
        }
    }
}
