package io.teleworld.core.network;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Sizes of a {@link VideoTransformer}, under the keys of a Diffusers {@code transformer/config.json} and a few more.
 * Immutable; nothing about a size is fixed in code.
 *
 * @param patchSize latent frames, rows and columns per token; [1,p,q]
 * @param numAttentionHeads attention heads
 * @param attentionHeadDim width of a head, even and at least 6
 * @param inChannels channels in: noisy latent, then mask channels, then the condition (image-to-video) or what is known
 *     ({@link io.teleworld.core.generate.GuidanceConfig#besideTarget})
 * @param outChannels channels of the velocity
 * @param textDim width of a text embedding
 * @param freqDim width of the timestep's sinusoid, even
 * @param ffnDim inner width of the feed-forward layers
 * @param numLayers blocks
 * @param crossAttnNorm whether the input of the cross-attention is normalised
 * @param qkNorm {@value #RMS_ACROSS_HEADS}
 * @param eps epsilon of all norms
 * @param imageDim width of an image embedding; null without one
 * @param addedKvProjDim width from which the image's keys and values are made, the model width; null without an image
 * @param ropeMaxSeqLen temporal positions lie below this
 * @param posEmbedSeqLen image tokens with a position embedding (first and last frame); null for none
 * @param textLen text tokens per run
 * @param maskChannels how many of {@code inChannels}, behind the latent's, say what the 4D memory knows: 0 as in the
 *     paper, 2 in the shipped model (see {@link io.teleworld.core.generate.SegmentLayout})
 * @param camEncoderIn numbers per latent frame that tell each block where the camera is, 12 in ReCamMaster (see
 *     {@link io.teleworld.core.camera.CameraEmbedding}); null without camera conditioning
 * @param projector whether the output of self-attention passes one more linear layer, as camera conditioning trains it
 */
public record VideoTransformerConfig(
        List<Integer> patchSize,
        int numAttentionHeads,
        int attentionHeadDim,
        int inChannels,
        int outChannels,
        int textDim,
        int freqDim,
        int ffnDim,
        int numLayers,
        boolean crossAttnNorm,
        String qkNorm,
        double eps,
        @Nullable Integer imageDim,
        @Nullable Integer addedKvProjDim,
        int ropeMaxSeqLen,
        @Nullable Integer posEmbedSeqLen,
        int textLen,
        int maskChannels,
        @Nullable Integer camEncoderIn,
        boolean projector) {

    /** The only supported normalisation of queries and keys. */
    public static final String RMS_ACROSS_HEADS = "rms_norm_across_heads";

    /** These sizes with another number of blocks, at least 1. */
    public VideoTransformerConfig withLayers(int layers) {
        return with(inChannels, layers);
    }

    /** These sizes with another number of channels in. */
    public VideoTransformerConfig withInChannels(int channels) {
        return with(channels, numLayers);
    }

    private VideoTransformerConfig with(int channels, int layers) {
        return new VideoTransformerConfig(
                patchSize,
                numAttentionHeads,
                attentionHeadDim,
                channels,
                outChannels,
                textDim,
                freqDim,
                ffnDim,
                layers,
                crossAttnNorm,
                qkNorm,
                eps,
                imageDim,
                addedKvProjDim,
                ropeMaxSeqLen,
                posEmbedSeqLen,
                textLen,
                maskChannels,
                camEncoderIn,
                projector);
    }

    /** Without camera conditioning. */
    public VideoTransformerConfig(
            List<Integer> patchSize,
            int numAttentionHeads,
            int attentionHeadDim,
            int inChannels,
            int outChannels,
            int textDim,
            int freqDim,
            int ffnDim,
            int numLayers,
            boolean crossAttnNorm,
            String qkNorm,
            double eps,
            @Nullable Integer imageDim,
            @Nullable Integer addedKvProjDim,
            int ropeMaxSeqLen,
            @Nullable Integer posEmbedSeqLen,
            int textLen,
            int maskChannels) {
        this(
                patchSize,
                numAttentionHeads,
                attentionHeadDim,
                inChannels,
                outChannels,
                textDim,
                freqDim,
                ffnDim,
                numLayers,
                crossAttnNorm,
                qkNorm,
                eps,
                imageDim,
                addedKvProjDim,
                ropeMaxSeqLen,
                posEmbedSeqLen,
                textLen,
                maskChannels,
                null,
                false);
    }

    public VideoTransformerConfig {
        patchSize = List.copyOf(patchSize);
        if (patchSize.size() != 3 || patchSize.get(0) != 1 || patchSize.get(1) < 1 || patchSize.get(2) < 1) {
            throw new IllegalArgumentException("patch_size is " + patchSize + "; allowed are [1,p,q] with p, q ≥ 1");
        }
        check("num_attention_heads", numAttentionHeads, 1);
        check("attention_head_dim", attentionHeadDim, 6);
        check("in_channels", inChannels, 1);
        check("out_channels", outChannels, 1);
        check("text_dim", textDim, 1);
        check("freq_dim", freqDim, 2);
        check("ffn_dim", ffnDim, 1);
        check("num_layers", numLayers, 1);
        check("rope_max_seq_len", ropeMaxSeqLen, 1);
        check("text_len", textLen, 1);
        check("mask_channels", maskChannels, 0);
        if (attentionHeadDim % 2 != 0 || freqDim % 2 != 0) {
            throw new IllegalArgumentException(
                    "attention_head_dim is " + attentionHeadDim + ", freq_dim " + freqDim + "; both must be even");
        }
        if (!qkNorm.equals(RMS_ACROSS_HEADS)) {
            throw new IllegalArgumentException("qk_norm is '" + qkNorm + "'; allowed is " + RMS_ACROSS_HEADS);
        }
        if (!(eps > 0)) {
            throw new IllegalArgumentException("eps is " + eps + "; it must be positive");
        }
        if (maskChannels >= inChannels) {
            throw new IllegalArgumentException(
                    "mask_channels is " + maskChannels + "; it must be below in_channels " + inChannels);
        }
        int width = numAttentionHeads * attentionHeadDim;
        if ((imageDim == null) != (addedKvProjDim == null) || (addedKvProjDim != null && addedKvProjDim != width)) {
            throw new IllegalArgumentException("image_dim is " + imageDim + " and added_kv_proj_dim " + addedKvProjDim
                    + "; both are null, or the latter is the model width " + width);
        }
        if (camEncoderIn != null) {
            check("cam_encoder_in", camEncoderIn, 1);
        }
        if (posEmbedSeqLen != null && imageDim == null) {
            throw new IllegalArgumentException("pos_embed_seq_len is " + posEmbedSeqLen + " without image_dim");
        }
    }

    /** The shipped size. */
    public static VideoTransformerConfig nano() {
        return wan(4, 64, 34, 32, 64, 1024, 8, null, 4, 2);
    }

    /** Wan 2.1 text-to-video 1.3B. */
    public static VideoTransformerConfig wan13b() {
        return wan(12, 128, 16, 16, 4096, 8960, 30, null, 512, 0);
    }

    /** Wan 2.1 text-to-video 14B. */
    public static VideoTransformerConfig wan14b() {
        return wan(40, 128, 16, 16, 4096, 13824, 40, null, 512, 0);
    }

    /** Wan 2.1 image-to-video 14B. */
    public static VideoTransformerConfig wanImageToVideo14b() {
        return wan(40, 128, 36, 16, 4096, 13824, 40, 1280, 512, 0);
    }

    private static VideoTransformerConfig wan(
            int heads,
            int headDim,
            int in,
            int out,
            int textDim,
            int ffn,
            int layers,
            @Nullable Integer imageDim,
            int textLen,
            int maskChannels) {
        return new VideoTransformerConfig(
                List.of(1, 2, 2),
                heads,
                headDim,
                in,
                out,
                textDim,
                256,
                ffn,
                layers,
                true,
                RMS_ACROSS_HEADS,
                1e-6,
                imageDim,
                imageDim == null ? null : heads * headDim,
                1024,
                null,
                textLen,
                maskChannels);
    }

    /** The model width d: heads times head width. */
    public int width() {
        return numAttentionHeads * attentionHeadDim;
    }

    /** Tokens of one latent frame. */
    public int tokensPerFrame(int latentHeight, int latentWidth) {
        if (latentHeight < 1
                || latentWidth < 1
                || latentHeight % patchSize.get(1) != 0
                || latentWidth % patchSize.get(2) != 0) {
            throw new IllegalArgumentException("latent is " + latentHeight + "×" + latentWidth
                    + " (height × width); the sides must be positive multiples of " + patchSize.subList(1, 3));
        }
        return latentHeight / patchSize.get(1) * (latentWidth / patchSize.get(2));
    }

    /** Channels of the latent alone, without masks and conditions. */
    public int latentChannels() {
        return outChannels;
    }

    private static void check(String what, int value, int min) {
        if (value < min) {
            throw new IllegalArgumentException(what + " is " + value + "; at least " + min);
        }
    }
}
