package io.teleworld.core.network;

import io.teleworld.error.ModelFormatException;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Sizes of a {@link TextEncoder}. Immutable.
 *
 * @param vocabulary rows of the token embedding
 * @param width of a token's embedding (d_model)
 * @param heads attention heads
 * @param headWidth width of a head (d_kv); heads × width of a head need not be {@code width}
 * @param innerWidth inner width of the feed-forward layers (d_ff)
 * @param layers blocks
 * @param buckets classes of relative positions, a multiple of 4
 * @param maxDistance relative positions from here on share the last class of their direction
 * @param epsilon of all norms
 */
public record TextEncoderConfig(
        int vocabulary,
        int width,
        int heads,
        int headWidth,
        int innerWidth,
        int layers,
        int buckets,
        int maxDistance,
        double epsilon) {

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    public TextEncoderConfig {
        atLeast("vocabulary", vocabulary, 1);
        atLeast("width", width, 1);
        atLeast("heads", heads, 1);
        atLeast("head width", headWidth, 1);
        atLeast("inner width", innerWidth, 1);
        atLeast("layers", layers, 1);
        if (buckets < 4 || buckets % 4 != 0) {
            throw new IllegalArgumentException("buckets are " + buckets + "; a positive multiple of 4 is allowed");
        }
        if (maxDistance <= buckets / 4) {
            throw new IllegalArgumentException("the largest distance is " + maxDistance + "; it must exceed "
                    + buckets / 4 + ", a quarter of the buckets");
        }
        if (!(epsilon > 0)) {
            throw new IllegalArgumentException("epsilon is " + epsilon + "; it must be positive");
        }
    }

    private static void atLeast(String what, int value, int min) {
        if (value < min) {
            throw new IllegalArgumentException(what + " is " + value + "; at least " + min);
        }
    }

    /** The encoder of UMT5-XXL, which Wan 2.1 reads prompts with: 5,680,910,336 parameters. */
    public static TextEncoderConfig umt5Xxl() {
        return new TextEncoderConfig(256_384, 4096, 64, 64, 10_240, 24, 32, 128, 1e-6);
    }

    /**
     * Reads the {@code config.json} of a UMT5 model. Keys that say nothing about the encoder are passed over; they are
     * many and change between versions.
     *
     * @param file the name for error messages
     * @param json the text in UTF-8
     * @throws ModelFormatException if a size is missing or out of range, or the model is of another kind
     */
    public static TextEncoderConfig read(String file, byte[] json) {
        JsonNode n;
        try {
            n = JSON.readTree(json);
        } catch (JacksonException e) {
            throw new ModelFormatException(file, "is not JSON: " + e.getOriginalMessage(), e);
        }
        String type = n.path("model_type").asString("");
        if (!type.equals("umt5")) {
            throw new ModelFormatException(
                    file, "model_type is '" + type + "'; the only text encoder that is known is umt5");
        }
        String gate = n.path("feed_forward_proj").asString("gated-gelu");
        if (!gate.equals("gated-gelu")) {
            throw new ModelFormatException(file, "feed_forward_proj is '" + gate + "'; allowed is gated-gelu");
        }
        TextEncoderConfig d = umt5Xxl();
        try {
            return new TextEncoderConfig(
                    whole(file, n, "vocab_size", d.vocabulary()),
                    whole(file, n, "d_model", d.width()),
                    whole(file, n, "num_heads", d.heads()),
                    whole(file, n, "d_kv", d.headWidth()),
                    whole(file, n, "d_ff", d.innerWidth()),
                    whole(file, n, "num_layers", d.layers()),
                    whole(file, n, "relative_attention_num_buckets", d.buckets()),
                    whole(file, n, "relative_attention_max_distance", d.maxDistance()),
                    n.path("layer_norm_epsilon").asDouble(d.epsilon()));
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(file, String.valueOf(e.getMessage()), e);
        }
    }

    private static int whole(String file, JsonNode json, String key, int otherwise) {
        JsonNode n = json.path(key);
        if (n.isMissingNode()) {
            return otherwise;
        }
        if (!n.isIntegralNumber() || !n.canConvertToInt()) {
            throw new ModelFormatException(file, "key '" + key + "' is " + n + "; it must be a whole number");
        }
        return n.asInt();
    }
}
