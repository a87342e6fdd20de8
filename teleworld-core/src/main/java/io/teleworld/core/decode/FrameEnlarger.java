package io.teleworld.core.decode;

import io.teleworld.RgbImage;
import io.teleworld.SuperResolver;
import io.teleworld.core.network.StreamingSuperResolver;
import io.teleworld.core.network.SuperResolutionConfig;
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
 * Streaming super-resolution for sessions: pictures in, larger pictures out (paper §3.6.3).
 *
 * <p>Thread-safe. Streams are reused, so many sessions one after the other need no more states than run at once. The
 * program is borrowed; the states belong to the scope that is given.
 */
public final class FrameEnlarger {

    private final SuperResolutionConfig config;
    private final Program program;
    private final int width;
    private final int height;
    private final Scope scope;
    private final ArrayDeque<StreamingSuperResolver> idle = new ArrayDeque<>();

    /**
     * An enlarger.
     *
     * @param config what the program was built from
     * @param program compiled from the streaming super-resolution graph
     * @param width of small pictures in pixels
     * @param height of small pictures in pixels
     * @param scope owns the states
     */
    public FrameEnlarger(SuperResolutionConfig config, Program program, int width, int height, Scope scope) {
        this.config = config;
        this.program = program;
        this.width = width;
        this.height = height;
        this.scope = scope;
    }

    /** Begins a session's stream; the caller closes it. */
    public Stream open() {
        StreamingSuperResolver stream;
        synchronized (idle) {
            stream = idle.poll();
        }
        return new Stream(stream != null ? stream : new StreamingSuperResolver(config, program, scope));
    }

    /**
     * One session's pictures, whose number is 1+4k in the first call and 4k in later ones. Segments follow each other
     * without a seam, so the stream runs on over hand-offs. Confined to one thread at a time.
     */
    public final class Stream implements SuperResolver, AutoCloseable {

        private final StreamingSuperResolver stream;
        private boolean closed;

        private Stream(StreamingSuperResolver stream) {
            this.stream = stream;
        }

        @Override
        public List<RgbImage> upscale(List<RgbImage> frames) {
            if (closed) {
                throw new IllegalStateException("the super-resolution stream is closed");
            }
            try (Scope work = scope.child("upscale")) {
                HostTensor in = work.adopt(HostTensor.zeros(DType.F32, frames.size(), 3, height, width));
                FloatBuffer to = in.mutableBuffer().asFloatBuffer();
                float[] planes = new float[3 * width * height];
                for (RgbImage image : frames) {
                    if (image.width() != width || image.height() != height) {
                        throw new IllegalArgumentException("picture is " + image.width() + "×" + image.height()
                                + "; super-resolution takes " + width + "×" + height);
                    }
                    byte[] rgb = image.rgb();
                    int n = width * height;
                    for (int c = 0; c < 3; c++) {
                        for (int i = 0; i < n; i++) {
                            planes[c * n + i] = (rgb[3 * i + c] & 0xff) / 127.5f - 1f;
                        }
                    }
                    to.put(planes);
                }
                return pictures(stream.upscale(in, work));
            }
        }

        private List<RgbImage> pictures(Tensor frames) {
            int w = width * config.scale();
            int h = height * config.scale();
            int n = w * h;
            FloatBuffer values = frames.hostBuffer().asFloatBuffer();
            float[] planes = new float[3 * n];
            List<RgbImage> images = new ArrayList<>();
            for (long f = frames.shape()[0]; f > 0; f--) {
                values.get(planes);
                byte[] rgb = new byte[3 * n];
                for (int c = 0; c < 3; c++) {
                    for (int i = 0; i < n; i++) {
                        float v = planes[c * n + i] * 127.5f + 127.5f;
                        rgb[3 * i + c] = (byte) (int) (Math.max(0, Math.min(255, v)) + 0.5f);
                    }
                }
                images.add(new RgbImage(w, h, rgb));
            }
            return images;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                stream.reset();
                synchronized (idle) {
                    idle.push(stream);
                }
            }
        }
    }
}
