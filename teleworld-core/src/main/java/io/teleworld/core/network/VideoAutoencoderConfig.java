package io.teleworld.core.network;

import java.util.List;

/**
 * Sizes of a {@link VideoAutoencoder}. Immutable; nothing about a size is fixed in code.
 *
 * @param imageChannels channels of a picture, 3 for RGB
 * @param latentChannels channels of a latent
 * @param patchSize side of the pixel blocks that are folded into channels before the first and unfolded after the last
 *     convolution; 1 works at full resolution
 * @param encoderStemWidth channels after the encoder's first convolution
 * @param encoderStages from the picture to the latent
 * @param decoderStages from the latent to the picture
 * @param decoderHeadWidth channels before the decoder's last convolution
 * @param unitRange whether pictures are in [0,1]; otherwise in [-1,1]
 * @param grouping which pixel frames share a latent
 * @param latentsMean per latent channel, subtracted from what the encoder finds; empty for none
 * @param latentsStd per latent channel, divides it then; empty for none
 */
public record VideoAutoencoderConfig(
        int imageChannels,
        int latentChannels,
        int patchSize,
        int encoderStemWidth,
        List<Stage> encoderStages,
        List<Stage> decoderStages,
        int decoderHeadWidth,
        boolean unitRange,
        Grouping grouping,
        List<Double> latentsMean,
        List<Double> latentsStd) {

    /**
     * One resolution.
     *
     * @param width channels of its memory blocks
     * @param blocks number of memory blocks
     * @param space 1 or 2: in the encoder the stride before the blocks, in the decoder the enlargement behind them
     * @param time 1 or more: in the encoder the frames merged before the blocks, in the decoder the frames made out of
     *     one behind them
     */
    public record Stage(int width, int blocks, int space, int time) {
        public Stage {
            check("width", width, 1);
            check("blocks", blocks, 0);
            check("space", space, 1);
            check("time", time, 1);
            if (space > 2) {
                throw new IllegalArgumentException("space is " + space + "; allowed are 1 and 2");
            }
        }
    }

    /** Which pixel frames share a latent, of 4 in the shipped configurations. */
    public enum Grouping {
        /** 1, 4, 4, …: latent 0 stands for the first frame alone, latent k for frames 4k−3 … 4k. */
        CAUSAL,
        /** 4, 4, 4, …: latent k stands for frames 4k … 4k+3 and needs three frames of look-ahead. */
        TAEHV
    }

    public VideoAutoencoderConfig {
        check("image_channels", imageChannels, 1);
        check("latent_channels", latentChannels, 1);
        check("patch_size", patchSize, 1);
        check("encoder_stem_width", encoderStemWidth, 1);
        check("decoder_head_width", decoderHeadWidth, 1);
        encoderStages = List.copyOf(encoderStages);
        decoderStages = List.copyOf(decoderStages);
        latentsMean = List.copyOf(latentsMean);
        latentsStd = List.copyOf(latentsStd);
        check("number of encoder_stages", encoderStages.size(), 1);
        check("number of decoder_stages", decoderStages.size(), 1);
        if (space(encoderStages) != space(decoderStages) || time(encoderStages) != time(decoderStages)) {
            throw new IllegalArgumentException("the encoder reduces space by " + space(encoderStages) + " and time by "
                    + time(encoderStages) + ", the decoder enlarges by " + space(decoderStages) + " and "
                    + time(decoderStages) + "; they must agree");
        }
        if (latentsMean.size() != latentsStd.size()
                || (!latentsMean.isEmpty() && latentsMean.size() != latentChannels)) {
            throw new IllegalArgumentException("latents_mean has " + latentsMean.size() + " and latents_std "
                    + latentsStd.size() + " entries; allowed are none or " + latentChannels + " each");
        }
        if (latentsStd.stream().anyMatch(s -> !(s > 0))) {
            throw new IllegalArgumentException("latents_std is " + latentsStd + "; every entry must be positive");
        }
    }

    /** The shipped size: 8× space, 4× time, nothing at full resolution. */
    public static VideoAutoencoderConfig nano() {
        return new VideoAutoencoderConfig(
                3,
                32,
                2,
                32,
                List.of(new Stage(32, 1, 1, 2), new Stage(64, 2, 2, 2), new Stage(128, 2, 2, 1)),
                List.of(new Stage(128, 2, 2, 1), new Stage(64, 2, 2, 2), new Stage(48, 2, 1, 2)),
                48,
                false,
                Grouping.CAUSAL,
                List.of(),
                List.of());
    }

    /** The public tiny autoencoder for Wan 2.1 latents. */
    public static VideoAutoencoderConfig taehv() {
        return taehv(64, 256, 128, 64, 64);
    }

    static VideoAutoencoderConfig taehv(int encoder, int d0, int d1, int d2, int d3) {
        return new VideoAutoencoderConfig(
                3,
                16,
                1,
                encoder,
                List.of(new Stage(encoder, 3, 2, 2), new Stage(encoder, 3, 2, 2), new Stage(encoder, 3, 2, 1)),
                List.of(new Stage(d0, 3, 2, 1), new Stage(d1, 3, 2, 2), new Stage(d2, 3, 2, 2)),
                d3,
                true,
                Grouping.TAEHV,
                List.of(),
                List.of());
    }

    /** These sizes with statistics of the latents, so that what leaves the encoder has mean 0 and deviation 1. */
    public VideoAutoencoderConfig withLatentStatistics(List<Double> mean, List<Double> std) {
        return new VideoAutoencoderConfig(
                imageChannels,
                latentChannels,
                patchSize,
                encoderStemWidth,
                encoderStages,
                decoderStages,
                decoderHeadWidth,
                unitRange,
                grouping,
                mean,
                std);
    }

    /** Pixels per latent cell along each side. */
    public int spatialFactor() {
        return patchSize * space(encoderStages);
    }

    /** Pixel frames per latent frame. */
    public int temporalFactor() {
        return time(encoderStages);
    }

    private static int space(List<Stage> stages) {
        return stages.stream().mapToInt(Stage::space).reduce(1, Math::multiplyExact);
    }

    private static int time(List<Stage> stages) {
        return stages.stream().mapToInt(Stage::time).reduce(1, Math::multiplyExact);
    }

    private static void check(String what, int value, int min) {
        if (value < min) {
            throw new IllegalArgumentException(what + " is " + value + "; at least " + min);
        }
    }
}
