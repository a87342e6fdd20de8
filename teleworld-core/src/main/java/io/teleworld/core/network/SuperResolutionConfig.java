package io.teleworld.core.network;

import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Sizes of a {@link SuperResolutionNet} (FlashVSR, arXiv 2510.12747). Immutable; nothing about a size is fixed in code.
 *
 * @param scale how many times larger the result is along each side; 1 where pictures come enlarged already
 * @param projection how pictures become tokens
 * @param transformer what the tokens pass through, once
 * @param decoder makes pictures out of its latents and the small pictures
 * @param residual whether the decoder's result is added to the bicubic enlargement
 * @param colour how colours are pulled back to those of the small pictures
 */
public record SuperResolutionConfig(
        int scale,
        Projection projection,
        Transformer transformer,
        Decoder decoder,
        boolean residual,
        ColourCorrection.Method colour) {

    /** Pixel frames per latent frame. */
    public static final int GROUP = 4;

    /**
     * Sizes of the streaming projection.
     *
     * @param patch side of the pixel blocks that become a token
     * @param hidden channels behind each of the two temporal convolutions
     * @param outputs results, each added to the tokens before one block
     * @param carry whether the convolutions see the frames before a group; otherwise each group sees its own last two
     *     frames in their place, as the public weights were trained
     */
    public record Projection(int patch, List<Integer> hidden, int outputs, boolean carry) {
        public Projection {
            hidden = List.copyOf(hidden);
            check("patch", patch, 1);
            check("outputs", outputs, 1);
            if (hidden.size() != 2) {
                throw new IllegalArgumentException("hidden is " + hidden + "; two widths are needed");
            }
            hidden.forEach(h -> check("hidden", h, 1));
        }
    }

    /**
     * Sizes of the one-step transformer.
     *
     * @param patch side of the latent blocks that are a token
     * @param numHeads heads
     * @param headDim channels of a head, even
     * @param noiseChannels channels of the noise that it starts from; null where it starts from nothing
     * @param latentChannels channels of its result
     * @param ffnDim width of the feed-forward layers
     * @param numLayers blocks, at least 1
     * @param freqDim width of the sinusoids of time
     * @param textDim width of text embeddings; null for no cross-attention
     * @param eps of the normalisations
     * @param window frames, rows and columns of tokens in a window; windows of one time are a slab
     * @param localRange how many windows a window sees along each side, itself in their middle
     * @param keep how many windows a window sees on average: per head and slab of n windows the ⌊n·keep⌋−1 best pairs
     *     are kept
     * @param cachedSlabs earlier slabs whose keys and values are kept
     */
    public record Transformer(
            int patch,
            int numHeads,
            int headDim,
            @Nullable Integer noiseChannels,
            int latentChannels,
            int ffnDim,
            int numLayers,
            int freqDim,
            @Nullable Integer textDim,
            double eps,
            List<Integer> window,
            int localRange,
            double keep,
            int cachedSlabs) {
        public Transformer {
            window = List.copyOf(window);
            check("patch", patch, 1);
            check("num_heads", numHeads, 1);
            check("head_dim", headDim, 2);
            check("latent_channels", latentChannels, 1);
            check("ffn_dim", ffnDim, 1);
            check("num_layers", numLayers, 1);
            check("freq_dim", freqDim, 2);
            check("local_range", localRange, 1);
            check("cached_slabs", cachedSlabs, 0);
            if (window.size() != 3 || window.stream().anyMatch(w -> w < 1)) {
                throw new IllegalArgumentException("window is " + window + "; three positive extents are needed");
            }
            if (headDim % 2 != 0 || freqDim % 2 != 0) {
                throw new IllegalArgumentException(
                        "head_dim is " + headDim + ", freq_dim " + freqDim + "; both must be even");
            }
            if (!(keep > 0)) {
                throw new IllegalArgumentException("keep is " + keep + "; it must be positive");
            }
        }

        /** Channels of a token. */
        public int width() {
            return numHeads * headDim;
        }

        /** How many pairs of windows a head and slab keeps where a slab has {@code windows} windows. */
        public int pairs(int windows) {
            return Math.max(1, (int) (windows * keep) - 1);
        }
    }

    /**
     * Sizes of the conditional tiny decoder.
     *
     * @param conditionPatch side of the pixel blocks of the small pictures that are folded into channels beside a latent
     * @param stages from the latent to the picture; {@code space} and {@code time} take effect behind the blocks
     * @param headWidth channels before the last convolution
     * @param identityConvolutions whether another convolution follows the first and the last stage
     * @param patch side of the pixel blocks that the last convolution's channels unfold to
     * @param detailStage behind which stage, counted from 0, the small pictures enter once more at that stage's
     *     resolution; null for nowhere
     */
    public record Decoder(
            int conditionPatch,
            List<Stage> stages,
            int headWidth,
            boolean identityConvolutions,
            int patch,
            @Nullable Integer detailStage) {
        public Decoder {
            stages = List.copyOf(stages);
            check("condition_patch", conditionPatch, 1);
            check("head_width", headWidth, 1);
            check("patch", patch, 1);
            check("number of stages", stages.size(), 1);
            int time = stages.stream().mapToInt(Stage::time).reduce(1, Math::multiplyExact);
            if (time != GROUP) {
                throw new IllegalArgumentException(
                        "the stages make " + time + " frames of a latent; it must be " + GROUP);
            }
            if (detailStage != null && (detailStage < 0 || detailStage >= stages.size())) {
                throw new IllegalArgumentException(
                        "detail_stage is " + detailStage + "; allowed are 0 to " + (stages.size() - 1));
            }
        }

        /** Picture pixels per latent cell along each side. */
        public int spatialFactor() {
            return patch * stages.stream().mapToInt(Stage::space).reduce(1, Math::multiplyExact);
        }
    }

    public SuperResolutionConfig {
        if (scale < 1 || scale > 4) {
            throw new IllegalArgumentException("scale is " + scale + "; allowed are 1 to 4");
        }
        if (projection.patch() != decoder.conditionPatch() * transformer.patch()) {
            throw new IllegalArgumentException("projection.patch is " + projection.patch()
                    + ", decoder.condition_patch " + decoder.conditionPatch() + " and transformer.patch "
                    + transformer.patch() + "; the first must be the product of the others");
        }
        if (decoder.spatialFactor() != decoder.conditionPatch() * scale) {
            throw new IllegalArgumentException("the decoder enlarges by " + decoder.spatialFactor() + "; with condition"
                    + " patches of " + decoder.conditionPatch() + " and scale " + scale + " it must be "
                    + decoder.conditionPatch() * scale);
        }
        if (projection.outputs() > transformer.numLayers()) {
            throw new IllegalArgumentException("projection.outputs is " + projection.outputs() + "; there are "
                    + transformer.numLayers() + " layers");
        }
    }

    /** The shipped size, for twice the size of 96×176 pictures. */
    public static SuperResolutionConfig nano() {
        return new SuperResolutionConfig(
                2,
                new Projection(8, List.of(64, 96), 1, true),
                new Transformer(2, 4, 32, null, 32, 256, 3, 64, null, 1e-6, List.of(1, 4, 2), 3, 6, 2),
                new Decoder(4, List.of(new Stage(64, 1, 2, 4), new Stage(48, 2, 1, 1)), 48, false, 4, 0),
                true,
                ColourCorrection.Method.NONE);
    }

    private static void check(String what, int value, int min) {
        if (value < min) {
            throw new IllegalArgumentException(what + " is " + value + "; at least " + min);
        }
    }
}
