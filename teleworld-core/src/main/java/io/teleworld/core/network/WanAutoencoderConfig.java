package io.teleworld.core.network;

import java.util.List;

/**
 * Sizes of a {@link WanAutoencoder}, under the keys of a Diffusers {@code vae/config.json} of Wan 2.1. Immutable.
 *
 * @param baseDim channels at full resolution
 * @param zDim channels of a latent
 * @param dimMult multiples of {@code baseDim} per resolution, from the picture to the latent
 * @param numResBlocks residual blocks per resolution in the encoder; the decoder has one more
 * @param attnScales resolutions with attention; none but the innermost, which always has it: empty
 * @param temperalDownsample whether the step below each resolution also halves the time (the key's own spelling)
 * @param dropout ignored: nothing is dropped outside training
 * @param latentsMean per latent channel, subtracted from the mean that the encoder finds
 * @param latentsStd per latent channel, divides it then
 */
public record WanAutoencoderConfig(
        int baseDim,
        int zDim,
        List<Integer> dimMult,
        int numResBlocks,
        List<Double> attnScales,
        List<Boolean> temperalDownsample,
        double dropout,
        List<Double> latentsMean,
        List<Double> latentsStd) {

    public WanAutoencoderConfig {
        dimMult = List.copyOf(dimMult);
        attnScales = List.copyOf(attnScales);
        temperalDownsample = List.copyOf(temperalDownsample);
        latentsMean = List.copyOf(latentsMean);
        latentsStd = List.copyOf(latentsStd);
        if (baseDim < 1 || zDim < 1 || numResBlocks < 1) {
            throw new IllegalArgumentException("base_dim is " + baseDim + ", z_dim " + zDim + ", num_res_blocks "
                    + numResBlocks + "; at least 1 each");
        }
        if (dimMult.isEmpty() || dimMult.stream().anyMatch(m -> m < 1 || baseDim * m % 2 != 0)) {
            throw new IllegalArgumentException(
                    "dim_mult is " + dimMult + "; every base_dim × multiple must be positive and even");
        }
        if (temperalDownsample.size() != dimMult.size() - 1) {
            throw new IllegalArgumentException("temperal_downsample is " + temperalDownsample + "; it needs "
                    + (dimMult.size() - 1) + " entries, one less than dim_mult");
        }
        if (!attnScales.isEmpty()) {
            throw new IllegalArgumentException("attn_scales is " + attnScales + "; allowed is []");
        }
        if (latentsMean.size() != zDim || latentsStd.size() != zDim) {
            throw new IllegalArgumentException("latents_mean has " + latentsMean.size() + " and latents_std "
                    + latentsStd.size() + " entries; z_dim is " + zDim);
        }
        if (latentsStd.stream().anyMatch(s -> !(s > 0))) {
            throw new IllegalArgumentException("latents_std is " + latentsStd + "; every entry must be positive");
        }
    }

    /** The autoencoder of Wan 2.1: 126.9 million parameters, 8× space, 4× time. */
    public static WanAutoencoderConfig wan21() {
        return new WanAutoencoderConfig(
                96,
                16,
                List.of(1, 2, 4, 4),
                2,
                List.of(),
                List.of(false, true, true),
                0,
                List.of(
                        -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517,
                        -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
                List.of(
                        2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579,
                        1.6382, 1.1253, 2.8251, 1.9160));
    }

    /** Pixels per latent cell along each side. */
    public int spatialFactor() {
        return 1 << temperalDownsample.size();
    }

    /** Pixel frames per latent frame, but for the first, which stands for one. */
    public int temporalFactor() {
        return 1 << temperalDownsample.stream().filter(t -> t).count();
    }
}
