package io.teleworld;

import java.util.List;

/** Decodes latent frames to pictures as they become ready (paper §3.6.2). Thread-safe. */
@FunctionalInterface
public interface StreamDecoder {

    /** Begins a segment's stream; the caller closes it. */
    Stream open();

    /** One segment's stream. Confined to one thread at a time. */
    interface Stream extends AutoCloseable {

        /**
         * Decodes the next latent frame: one picture for the first, four for each later one.
         *
         * @param latent latent frames 1, 2, 3 … in order
         */
        List<RgbImage> decode(LatentFrame latent);

        @Override
        void close();
    }
}
