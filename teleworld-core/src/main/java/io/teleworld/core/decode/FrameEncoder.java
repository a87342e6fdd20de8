package io.teleworld.core.decode;

import io.teleworld.LatentFrame;
import java.util.List;

/** Encodes clips. Thread-safe. */
@FunctionalInterface
public interface FrameEncoder {

    /**
     * Encodes a clip from a fresh state.
     *
     * @param frames {@code count} pictures [3, H, W], one after the other, in [−1, 1]
     * @param count 1 + 4k
     * @return 1 + k latent frames, normalised; the first stands for the first picture alone
     */
    List<LatentFrame> encode(float[] frames, int count);
}
