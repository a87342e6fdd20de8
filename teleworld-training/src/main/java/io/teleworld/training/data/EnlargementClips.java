package io.teleworld.training.data;

import io.teleworld.core.network.VideoAutoencoderConfig;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Makes pairs of large and small clips: renders large, reduces, and passes what is small through an autoencoder, so that a
 * network can learn to restore what generation gives. Thread-safe; the owner closes it.
 */
public final class EnlargementClips implements AutoCloseable {

    private final ClipSupply large;
    private final int scale;
    private final int frames;
    private final AutoencodedFrames autoencoder;

    /**
     * Pairs of clips.
     *
     * @param large clips of at least {@code frames} frames at the large size
     * @param frames 1+4k
     * @param scale how many times smaller the small pictures are
     * @param height of the small pictures
     * @param width of the small pictures
     * @param config the autoencoder's sizes
     * @param weights the autoencoder's
     */
    public EnlargementClips(
            ClipSupply large,
            int frames,
            int scale,
            int height,
            int width,
            VideoAutoencoderConfig config,
            Map<String, float[]> weights,
            String deviceId) {
        this.large = large;
        this.frames = frames;
        this.scale = scale;
        this.autoencoder = new AutoencodedFrames(frames, height, width, config, weights, deviceId);
    }

    /** A random pair. */
    public EnlargementClip next(SplittableRandom random) {
        GroundTruthClip clip = large.next(random);
        int h = clip.height() / scale;
        int w = clip.width() / scale;
        byte[] rgb = Arrays.copyOf(clip.rgb(), 3 * frames * clip.height() * clip.width());
        byte[] small = EnlargementClip.reduced(rgb, frames, clip.height(), clip.width(), scale);
        return new EnlargementClip(frames, h, w, scale, rgb, small, autoencoder.decoded(small, 0, random));
    }

    @Override
    public void close() {
        autoencoder.close();
    }
}
