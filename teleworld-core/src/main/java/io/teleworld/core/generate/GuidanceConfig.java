package io.teleworld.core.generate;

import java.util.Objects;

/**
 * How guidance enters the video transformer. Immutable; part of a model package ({@code teleworld.json}).
 *
 * @param layout which guidance a stage sees
 * @param ropeOffset added to the temporal position of a guidance frame; 0 aligns it with its target frame, N continues
 *     behind the segment
 * @param maskChannels 0, 1 (known) or 2 (known, dynamic): channels behind the latent ones, in guidance and target frames
 *     alike
 */
public record GuidanceConfig(Layout layout, int ropeOffset, int maskChannels) {

    /** Which guidance frames a stage sees. */
    public enum Layout {
        /** Those of the stage's own frames, encoded in a pass of their own before the stage. */
        PAIRED,
        /** All of the segment, encoded in one pass before the first stage. */
        PREFIX
    }

    /** Paired, aligned in time, with both mask channels. */
    public static final GuidanceConfig DEFAULT = new GuidanceConfig(Layout.PAIRED, 0, 2);

    public GuidanceConfig {
        Objects.requireNonNull(layout, "layout");
        if (ropeOffset < 0) {
            throw new IllegalArgumentException("rope offset of guidance is " + ropeOffset + "; it must be at least 0");
        }
        if (maskChannels < 0 || maskChannels > 2) {
            throw new IllegalArgumentException("mask channels are " + maskChannels + "; 0, 1 and 2 are allowed");
        }
    }
}
