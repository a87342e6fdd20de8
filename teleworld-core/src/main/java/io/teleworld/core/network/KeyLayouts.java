package io.teleworld.core.network;

import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The two namings of video transformer weights: that of the original Wan checkpoints and that of Diffusers. Stateless.
 *
 * <p>Beware of norms 2 and 3: the affine one before cross-attention is {@code norm3} originally, {@code norm2} in
 * Diffusers.
 */
public final class KeyLayouts {

    /** A naming. */
    public enum Layout {
        ORIGINAL,
        DIFFUSERS
    }

    private record Pair(String original, String diffusers) {}

    private static final Pattern BLOCK = Pattern.compile("(blocks\\.\\d+\\.)(.*)");
    private static final Pattern WRAPPERS =
            Pattern.compile("(_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod)\\.");
    private static final Pattern PREFIX =
            Pattern.compile("^((generator_ema|generator|generator_lora|state_dict|model_state"
                    + "|base_model|diffusion_model|transformer|module|model)\\.)+");
    private static final Pattern ADDED = Pattern.compile("blocks\\.\\d+\\.action_model\\..+");

    private static final String EMBEDDER = "condition_embedder.";

    private static final List<Pair> OUTSIDE = List.of(
            new Pair("patch_embedding.", "patch_embedding."),
            new Pair("time_embedding.0.", EMBEDDER + "time_embedder.linear_1."),
            new Pair("time_embedding.2.", EMBEDDER + "time_embedder.linear_2."),
            new Pair("time_projection.1.", EMBEDDER + "time_proj."),
            new Pair("text_embedding.0.", EMBEDDER + "text_embedder.linear_1."),
            new Pair("text_embedding.2.", EMBEDDER + "text_embedder.linear_2."),
            new Pair("img_emb.proj.0.", EMBEDDER + "image_embedder.norm1."),
            new Pair("img_emb.proj.1.", EMBEDDER + "image_embedder.ff.net.0.proj."),
            new Pair("img_emb.proj.3.", EMBEDDER + "image_embedder.ff.net.2."),
            new Pair("img_emb.proj.4.", EMBEDDER + "image_embedder.norm2."),
            new Pair("img_emb.emb_pos", EMBEDDER + "image_embedder.pos_embed"),
            new Pair("head.modulation", "scale_shift_table"),
            new Pair("head.head.", "proj_out."));

    private static final List<Pair> INSIDE = List.of(
            new Pair("modulation", "scale_shift_table"),
            new Pair("self_attn.q.", "attn1.to_q."),
            new Pair("self_attn.k.", "attn1.to_k."),
            new Pair("self_attn.v.", "attn1.to_v."),
            new Pair("self_attn.o.", "attn1.to_out.0."),
            new Pair("self_attn.norm_q.", "attn1.norm_q."),
            new Pair("self_attn.norm_k.", "attn1.norm_k."),
            new Pair("norm3.", "norm2."),
            new Pair("cross_attn.q.", "attn2.to_q."),
            new Pair("cross_attn.k.", "attn2.to_k."),
            new Pair("cross_attn.v.", "attn2.to_v."),
            new Pair("cross_attn.o.", "attn2.to_out.0."),
            new Pair("cross_attn.norm_q.", "attn2.norm_q."),
            new Pair("cross_attn.norm_k.", "attn2.norm_k."),
            new Pair("cross_attn.k_img.", "attn2.add_k_proj."),
            new Pair("cross_attn.v_img.", "attn2.add_v_proj."),
            new Pair("cross_attn.norm_k_img.", "attn2.norm_added_k."),
            new Pair("cam_encoder.", "cam_encoder."),
            new Pair("projector.", "projector."),
            new Pair("ffn.0.", "ffn.net.0.proj."),
            new Pair("ffn.2.", "ffn.net.2."));

    private KeyLayouts() {}

    /**
     * The naming of a checkpoint.
     *
     * @throws IllegalArgumentException if it is neither
     */
    public static Layout detect(Set<String> names) {
        for (String name : names) {
            String n = strip(name);
            if (n.equals("blocks.0.self_attn.q.weight")) {
                return Layout.ORIGINAL;
            }
            if (n.equals("blocks.0.attn1.to_q.weight")) {
                return Layout.DIFFUSERS;
            }
        }
        throw new IllegalArgumentException("neither blocks.0.self_attn.q.weight (original layout) nor"
                + " blocks.0.attn1.to_q.weight (Diffusers layout) is among the " + names.size() + " weights");
    }

    /**
     * Whether a name belongs to a module that a model adds to the blocks and the network here lacks: the keyboard and
     * mouse of Matrix-Game. Such modules have the same names in both layouts.
     */
    public static boolean isAdded(String name) {
        return ADDED.matcher(name).matches();
    }

    /**
     * A name without what training and saving wrap around it: {@code generator.}, {@code generator_ema.},
     * {@code model.} and the like in front, fragments of FSDP, checkpointing and compilation anywhere.
     */
    public static String strip(String name) {
        return PREFIX.matcher(WRAPPERS.matcher(name).replaceAll("")).replaceFirst("");
    }

    /**
     * The Diffusers name of an original one.
     *
     * @throws IllegalArgumentException if the name is not one of the model's
     */
    public static String toDiffusers(String original) {
        return translate(original, Layout.ORIGINAL);
    }

    /**
     * The original name of a Diffusers one.
     *
     * @throws IllegalArgumentException if the name is not one of the model's
     */
    public static String toOriginal(String diffusers) {
        return translate(diffusers, Layout.DIFFUSERS);
    }

    private static String translate(String name, Layout from) {
        Matcher block = BLOCK.matcher(name);
        boolean inside = block.matches();
        String rest = inside ? block.group(2) : name;
        for (Pair p : inside ? INSIDE : OUTSIDE) {
            String source = from == Layout.ORIGINAL ? p.original() : p.diffusers();
            String target = from == Layout.ORIGINAL ? p.diffusers() : p.original();
            if (source.endsWith(".") ? rest.startsWith(source) : rest.equals(source)) {
                return (inside ? block.group(1) : "") + target + rest.substring(source.length());
            }
        }
        throw new IllegalArgumentException("weight " + name + " is not one of the "
                + (from == Layout.ORIGINAL ? "original" : "Diffusers") + " layout");
    }
}
