package io.teleworld.training.recipe;

import io.teleworld.core.network.VideoTransformerConfig;
import java.util.Map;

/**
 * Starts some attention heads as "look at the same place": equal biases of query and key on the fast rotary pairs give
 * a score that depends on relative position alone and peaks where it is zero. A target token then finds its guidance
 * token from the first step on instead of having to discover where to look, which otherwise takes most of a short
 * training run. Everything stays trainable.
 */
final class PositionalInitialisation {

    /** Rotary pairs per axis that tell neighbours apart; slower ones hardly change from one token to the next. */
    private static final int FAST_PAIRS = 3;

    private static final float BIAS = 4f;
    private static final float CONTENT = 0.25f;
    private static final float SHARPNESS = 2.5f;
    private static final float GATE = 0.3f;

    private PositionalInitialisation() {}

    /**
     * Changes initial weights in place: head 0 of each layer looks at the same place at the same time, head 1 at the
     * same place at any time, and residual gates start open.
     */
    static void apply(VideoTransformerConfig config, Map<String, float[]> weights) {
        int d = config.width();
        int head = config.attentionHeadDim();
        int spatial = 2 * (head / 6);
        int temporal = head - 2 * spatial;
        for (int layer = 0; layer < config.numLayers(); layer++) {
            String block = "blocks." + layer + ".";
            for (String side : new String[] {"q", "k"}) {
                float[] matrix = AutoencoderObjective.required(weights, block + "attn1.to_" + side + ".weight");
                float[] bias = AutoencoderObjective.required(weights, block + "attn1.to_" + side + ".bias");
                float[] norm = AutoencoderObjective.required(weights, block + "attn1.norm_" + side + ".weight");
                for (int h = 0; h < 2 && h < config.numAttentionHeads() - 1; h++) {
                    for (int row = h * head; row < (h + 1) * head; row++) {
                        norm[row] *= SHARPNESS;
                        for (int column = 0; column < d; column++) {
                            matrix[row * d + column] *= CONTENT;
                        }
                    }
                    for (int pair = 0; pair < FAST_PAIRS; pair++) {
                        if (h == 0 && 2 * pair < temporal) {
                            bias[h * head + 2 * pair] = BIAS;
                        }
                        if (2 * pair < spatial) {
                            bias[h * head + temporal + 2 * pair] = BIAS;
                            bias[h * head + temporal + spatial + 2 * pair] = BIAS;
                        }
                    }
                }
            }
            float[] modulation = AutoencoderObjective.required(weights, block + "scale_shift_table");
            for (int c = 0; c < d; c++) {
                modulation[2 * d + c] += GATE;
                modulation[5 * d + c] += GATE;
            }
        }
    }
}
