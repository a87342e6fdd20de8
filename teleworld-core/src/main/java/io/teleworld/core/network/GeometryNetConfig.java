package io.teleworld.core.network;

import java.util.List;

/**
 * Sizes of a {@link GeometryNet}. Immutable.
 *
 * @param inputChannels RGB, memory inverse depth and memory mask: 5
 * @param patchSize side of the pixel blocks folded into channels at the input and unfolded at the output
 * @param widths channels per resolution, finest first, each half the resolution of the one before
 * @param blocks residual blocks per resolution on the way down, as many as {@code widths}
 * @param maxLogDepth bound on |ln depth|
 * @param attentionBlocks transformer blocks at the coarsest resolution, by turns within the picture and over the last
 *     keyframes, an even number; 0: every picture by itself
 * @param attentionHeads their heads; divides the coarsest width
 * @param earlierKeyframes how many keyframes before a picture the blocks see, at least 1
 */
public record GeometryNetConfig(
        int inputChannels,
        int patchSize,
        List<Integer> widths,
        List<Integer> blocks,
        double maxLogDepth,
        int attentionBlocks,
        int attentionHeads,
        int earlierKeyframes) {

    public GeometryNetConfig {
        widths = List.copyOf(widths);
        blocks = List.copyOf(blocks);
        if (inputChannels < 3 || patchSize < 1) {
            throw new IllegalArgumentException(
                    "input_channels is " + inputChannels + ", patch_size " + patchSize + "; at least 3 and 1");
        }
        if (widths.isEmpty() || widths.size() != blocks.size()) {
            throw new IllegalArgumentException("widths is " + widths + ", blocks " + blocks
                    + "; both need one entry per resolution, at least one");
        }
        if (widths.stream().anyMatch(w -> w < 1) || blocks.stream().anyMatch(n -> n < 0)) {
            throw new IllegalArgumentException(
                    "widths is " + widths + ", blocks " + blocks + "; widths are positive, blocks not negative");
        }
        if (!(maxLogDepth > 0 && maxLogDepth <= 20)) {
            throw new IllegalArgumentException("max_log_depth is " + maxLogDepth + "; allowed is (0, 20]");
        }
        if (attentionBlocks < 0 || attentionBlocks % 2 != 0 || earlierKeyframes < 1) {
            throw new IllegalArgumentException("attention_blocks is " + attentionBlocks + ", earlier_keyframes "
                    + earlierKeyframes + "; an even number and at least 1 are needed");
        }
        int coarsest = widths.get(widths.size() - 1);
        if (attentionHeads < 1 || (attentionBlocks > 0 && coarsest % attentionHeads != 0)) {
            throw new IllegalArgumentException(
                    "attention_heads is " + attentionHeads + "; it must divide the coarsest width " + coarsest);
        }
    }

    /** Sizes of a network that sees every picture by itself. */
    public GeometryNetConfig(
            int inputChannels, int patchSize, List<Integer> widths, List<Integer> blocks, double maxLogDepth) {
        this(inputChannels, patchSize, widths, blocks, maxLogDepth, 0, 1, 5);
    }

    /** The nano model's convolutions, every picture by itself. */
    public static GeometryNetConfig nano() {
        return new GeometryNetConfig(5, 2, List.of(32, 48, 96, 128), List.of(1, 1, 2, 1), 8);
    }

    /** These sizes with other attention. */
    public GeometryNetConfig withAttention(int blockCount, int heads, int earlier) {
        return new GeometryNetConfig(inputChannels, patchSize, widths, blocks, maxLogDepth, blockCount, heads, earlier);
    }

    /** Channels at the coarsest resolution, the width of the attention blocks. */
    public int coarsestWidth() {
        return widths.get(widths.size() - 1);
    }

    /** How many of the attention blocks look at other keyframes: every second one. */
    public int windowBlocks() {
        return attentionBlocks / 2;
    }

    /** Heights and widths of pictures must be multiples of this. */
    public int multiple() {
        return patchSize << (widths.size() - 1);
    }
}
