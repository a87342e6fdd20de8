package io.teleworld.training.data;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Clips some of whose frames look as sessions show them: each by itself went through an autoencoder, with a random error of
 * its latents. Depth and labels stay true. Thread-safe; closing it closes the autoencoder.
 */
public final class DecodedClips implements ClipSupply, AutoCloseable {

    /** Of the latents' root mean square; generated latents err by about as much where guidance knows. */
    private static final double LARGEST_NOISE = 0.4;

    private final ClipSupply source;
    private final AutoencodedFrames autoencoder;
    private final double share;

    /**
     * Clips of another supply.
     *
     * @param autoencoder for single frames of the clips' size
     * @param share how many frames are decoded ones, in [0,1]
     */
    public DecodedClips(ClipSupply source, AutoencodedFrames autoencoder, double share) {
        if (!(share >= 0 && share <= 1)) {
            throw new IllegalArgumentException("share is " + share + "; it must lie in [0, 1]");
        }
        this.source = source;
        this.autoencoder = autoencoder;
        this.share = share;
    }

    @Override
    public GroundTruthClip next(SplittableRandom random) {
        GroundTruthClip clip = source.next(random);
        byte[] rgb = clip.rgb().clone();
        int size = rgb.length / clip.frames();
        for (int t = 0; t < clip.frames(); t++) {
            if (random.nextDouble() < share) {
                byte[] frame = Arrays.copyOfRange(rgb, t * size, (t + 1) * size);
                double noise = random.nextDouble(LARGEST_NOISE);
                System.arraycopy(autoencoder.decoded(frame, noise, random), 0, rgb, t * size, size);
            }
        }
        return new GroundTruthClip(clip.intrinsics(), rgb, clip.depth(), clip.dynamic(), clip.poses(), clip.world());
    }

    @Override
    public void close() {
        autoencoder.close();
    }
}
