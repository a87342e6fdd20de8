package io.teleworld;

/**
 * One latent frame of encoded guidance with its mask at latent resolution. The arrays are shared: nobody writes to
 * them.
 *
 * @param latent the encoded rendering, normalised
 * @param known h·w values in [0, 1]: the fraction of the block's pixels that the memory covers
 * @param dynamic h·w values in [0, 1]: the fraction of the block's pixels that show dynamic content
 */
@SuppressWarnings("ArrayRecordComponent")
public record GuidanceLatent(LatentFrame latent, float[] known, float[] dynamic) {

    public GuidanceLatent {
        int n = latent.height() * latent.width();
        if (known.length != n || dynamic.length != n) {
            throw new IllegalArgumentException("masks have " + known.length + " and " + dynamic.length
                    + " values; a latent frame of " + latent.height() + "×" + latent.width() + " needs " + n);
        }
    }
}
