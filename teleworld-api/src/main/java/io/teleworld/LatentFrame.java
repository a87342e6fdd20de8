package io.teleworld;

/**
 * One latent frame of the video autoencoder. The array is shared, not copied: nobody writes to it after construction.
 *
 * @param channels C
 * @param height h, in latent rows
 * @param width w, in latent columns
 * @param values C·h·w values in the order [C, h, w], normalised per channel with the model's latent mean and deviation
 */
@SuppressWarnings("ArrayRecordComponent")
public record LatentFrame(int channels, int height, int width, float[] values) {

    public LatentFrame {
        if (channels < 1 || height < 1 || width < 1) {
            throw new IllegalArgumentException(
                    "latent frame is " + channels + "×" + height + "×" + width + "; each must be at least 1");
        }
        if (values.length != channels * height * width) {
            throw new IllegalArgumentException("latent frame has " + values.length + " values; " + channels + "×"
                    + height + "×" + width + " needs " + channels * height * width);
        }
    }

    /** C·h·w. */
    public int size() {
        return values.length;
    }
}
