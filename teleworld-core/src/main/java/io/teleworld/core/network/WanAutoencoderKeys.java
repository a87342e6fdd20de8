package io.teleworld.core.network;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The two namings of {@link WanAutoencoder} weights: that of {@code Wan2.1_VAE.pth} and that of Diffusers. Immutable and
 * thread-safe.
 *
 * <p>The original numbers the decoder's blocks in one row, Diffusers per resolution; so the sizes must be known.
 */
public final class WanAutoencoderKeys {

    private record Rule(Pattern original, String diffusers, Pattern back, String source) {

        static Rule of(String original, String diffusers) {
            return new Rule(
                    Pattern.compile(Pattern.quote(original) + "(\\..*)"),
                    Matcher.quoteReplacement(diffusers) + "$1",
                    Pattern.compile(Pattern.quote(diffusers) + "(\\..*)"),
                    Matcher.quoteReplacement(original) + "$1");
        }
    }

    /** Inside a residual block. */
    private static final List<String[]> RESIDUAL = List.of(
            new String[] {"residual.0", "norm1"},
            new String[] {"residual.2", "conv1"},
            new String[] {"residual.3", "norm2"},
            new String[] {"residual.6", "conv2"},
            new String[] {"shortcut", "conv_shortcut"});

    private static final List<String> RESAMPLE = List.of("resample.1", "time_conv");

    private final List<Rule> rules = new ArrayList<>();

    /** The names for these sizes. */
    public WanAutoencoderKeys(WanAutoencoderConfig config) {
        rules.add(Rule.of("conv1", "quant_conv"));
        rules.add(Rule.of("conv2", "post_quant_conv"));
        for (String part : List.of("encoder", "decoder")) {
            rules.add(Rule.of(part + ".conv1", part + ".conv_in"));
            rules.add(Rule.of(part + ".head.0", part + ".norm_out"));
            rules.add(Rule.of(part + ".head.2", part + ".conv_out"));
            residual(part + ".middle.0", part + ".mid_block.resnets.0");
            rules.add(Rule.of(part + ".middle.1", part + ".mid_block.attentions.0"));
            residual(part + ".middle.2", part + ".mid_block.resnets.1");
        }
        int stages = config.dimMult().size();
        int down = 0;
        int up = 0;
        for (int i = 0; i < stages; i++) {
            for (int k = 0; k < config.numResBlocks(); k++, down++) {
                residual("encoder.downsamples." + down, "encoder.down_blocks." + down);
            }
            for (int k = 0; k <= config.numResBlocks(); k++) {
                residual("decoder.upsamples." + up++, "decoder.up_blocks." + i + ".resnets." + k);
            }
            if (i + 1 < stages) {
                for (String r : RESAMPLE) {
                    rules.add(
                            Rule.of("encoder.downsamples." + down + "." + r, "encoder.down_blocks." + down + "." + r));
                    rules.add(Rule.of(
                            "decoder.upsamples." + up + "." + r, "decoder.up_blocks." + i + ".upsamplers.0." + r));
                }
                down++;
                up++;
            }
        }
    }

    private void residual(String original, String diffusers) {
        for (String[] pair : RESIDUAL) {
            rules.add(Rule.of(original + "." + pair[0], diffusers + "." + pair[1]));
        }
    }

    /** Whether these are the names of the original layout; it alone has {@code encoder.head}. */
    public static boolean isOriginal(Set<String> names) {
        return names.stream().anyMatch(n -> n.startsWith("encoder.head.") || n.startsWith("decoder.head."));
    }

    /**
     * The Diffusers name of an original one.
     *
     * @throws IllegalArgumentException if the name is not one of the model's
     */
    public String toDiffusers(String original) {
        for (Rule r : rules) {
            Matcher m = r.original().matcher(original);
            if (m.matches()) {
                return m.replaceFirst(r.diffusers());
            }
        }
        throw new IllegalArgumentException("weight " + original + " is not one of the original layout");
    }

    /**
     * The original name of a Diffusers one.
     *
     * @throws IllegalArgumentException if the name is not one of the model's
     */
    public String toOriginal(String diffusers) {
        for (Rule r : rules) {
            Matcher m = r.back().matcher(diffusers);
            if (m.matches()) {
                return m.replaceFirst(r.source());
            }
        }
        throw new IllegalArgumentException("weight " + diffusers + " is not one of the Diffusers layout");
    }
}
