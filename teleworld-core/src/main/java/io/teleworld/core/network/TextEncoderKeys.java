package io.teleworld.core.network;

import io.teleworld.core.network.KeyLayouts.Layout;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The two namings of {@link TextEncoder} weights: that of Wan's {@code models_t5_umt5-xxl-enc-bf16.pth} and that of
 * transformers, which Diffusers packages hold. Stateless.
 */
public final class TextEncoderKeys {

    private record Pair(String original, String transformers) {}

    /** A second name that transformers gives to the token embedding; both may be in a file. */
    public static final String EMBEDDING_TWIN = "encoder.embed_tokens.weight";

    private static final Pattern ORIGINAL_BLOCK = Pattern.compile("blocks\\.(\\d+)\\.(.*)");
    private static final Pattern TRANSFORMERS_BLOCK = Pattern.compile("encoder\\.block\\.(\\d+)\\.layer\\.(.*)");

    private static final List<Pair> OUTSIDE = List.of(
            new Pair("token_embedding.weight", "shared.weight"),
            new Pair("norm.weight", "encoder.final_layer_norm.weight"));

    private static final List<Pair> INSIDE = List.of(
            new Pair("norm1.weight", "0.layer_norm.weight"),
            new Pair("attn.q.weight", "0.SelfAttention.q.weight"),
            new Pair("attn.k.weight", "0.SelfAttention.k.weight"),
            new Pair("attn.v.weight", "0.SelfAttention.v.weight"),
            new Pair("attn.o.weight", "0.SelfAttention.o.weight"),
            new Pair("pos_embedding.embedding.weight", "0.SelfAttention.relative_attention_bias.weight"),
            new Pair("norm2.weight", "1.layer_norm.weight"),
            new Pair("ffn.gate.0.weight", "1.DenseReluDense.wi_0.weight"),
            new Pair("ffn.fc1.weight", "1.DenseReluDense.wi_1.weight"),
            new Pair("ffn.fc2.weight", "1.DenseReluDense.wo.weight"));

    private TextEncoderKeys() {}

    /** The naming of a file; the original has {@code token_embedding.weight}. */
    public static Layout detect(Set<String> names) {
        return names.contains("token_embedding.weight") ? Layout.ORIGINAL : Layout.DIFFUSERS;
    }

    /**
     * The transformers name of an original one.
     *
     * @throws IllegalArgumentException if the name is not one of the encoder's
     */
    public static String toTransformers(String original) {
        return translate(original, Layout.ORIGINAL);
    }

    /**
     * The original name of a transformers one.
     *
     * @throws IllegalArgumentException if the name is not one of the encoder's
     */
    public static String toOriginal(String transformers) {
        return translate(transformers, Layout.DIFFUSERS);
    }

    private static String translate(String name, Layout from) {
        boolean original = from == Layout.ORIGINAL;
        Matcher block = (original ? ORIGINAL_BLOCK : TRANSFORMERS_BLOCK).matcher(name);
        boolean inside = block.matches();
        String rest = inside ? block.group(2) : name;
        for (Pair p : inside ? INSIDE : OUTSIDE) {
            if (rest.equals(original ? p.original() : p.transformers())) {
                String target = original ? p.transformers() : p.original();
                String prefix = original ? "encoder.block.%s.layer." : "blocks.%s.";
                return inside ? prefix.replace("%s", block.group(1)) + target : target;
            }
        }
        throw new IllegalArgumentException("weight " + name + " is not one of the "
                + (original ? "original" : "transformers") + " layout of a text encoder");
    }
}
