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
 */
public record GeometryNetConfig(
        int inputChannels, int patchSize, List<Integer> widths, List<Integer> blocks, double maxLogDepth) {

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
    }

    /** The shipped size. */
    public static GeometryNetConfig nano() {
        return new GeometryNetConfig(5, 2, List.of(32, 48, 96, 128), List.of(1, 1, 2, 1), 8);
    }

    /** Heights and widths of pictures must be multiples of this. */
    public int multiple() {
        return patchSize << (widths.size() - 1);
    }
}
