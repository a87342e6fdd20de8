package io.teleworld.core.generate;

import java.util.Objects;

/**
 * How guidance enters the video transformer. Immutable; part of a model package ({@code teleworld.json}).
 *
 * <p>All but {@code order} change what the network computes or sees: weights go with the values that they were trained
 * with. {@code order} changes no result beyond rounding.
 *
 * @param layout which guidance a stage sees
 * @param order which of guidance and target frames come first on the frame axis
 * @param ropeOffset added to the temporal position of a guidance frame, in either order; 0 aligns it with its target
 *     frame, N continues behind the segment
 * @param timestepMode the timestep of guidance
 * @param maskChannels 0, 1 (known) or 2 (known, dynamic): channels behind the latent ones, in guidance and target frames
 *     alike
 * @param besideTarget whether the guidance of a frame also stands in further input channels of the target frame itself,
 *     latent and mask; so a cell need not search for what is known of it
 * @param holes what the encoder is shown where nothing is known
 */
public record GuidanceConfig(
        Layout layout,
        Order order,
        int ropeOffset,
        TimestepMode timestepMode,
        int maskChannels,
        boolean besideTarget,
        Holes holes) {

    /** Which guidance frames a stage sees. */
    public enum Layout {
        /** Those of the stage's own frames. */
        PAIRED,
        /** All of the segment. */
        PREFIX
    }

    /**
     * Which frames come first on the frame axis of a run that holds both, and of the sequence that training runs.
     * Attention tells frames apart by their rope positions and by who may see whom, never by their place on the axis,
     * and {@code ropeOffset} counts from the segment's beginning in either order. So the order decides the order of
     * summation and nothing else: weights trained with one generate with the other. Guidance with a pass of its own
     * ({@link TimestepMode#CLEAN}) runs before the targets in any case, which read it from the cache.
     */
    public enum Order {
        /** Guidance, then targets. */
        GUIDANCE_FIRST,
        /** Targets, then guidance. */
        TARGET_FIRST
    }

    /** The timestep of guidance, and with it when guidance runs and what it sees. */
    public enum TimestepMode {
        /**
         * That of clean frames, 0. Guidance sees nothing but itself, so its keys and values do not change: it runs once
         * in a pass of its own and stays in the cache for all denoising steps.
         */
        CLEAN,
        /**
         * That of the target frames at each denoising step, and theirs when they are finished (ReCamMaster,
         * arXiv 2503.11647). Its keys and values then belong to one step, so guidance runs in each pass of the targets,
         * beside them; it sees what they see, them too, and they see it. Dearer: paired, every step runs twice the
         * frames.
         */
        SAME
    }

    /** What the encoder is shown where nothing is known. */
    public enum Holes {
        /** Mid-grey. An autoencoder cell that is partly known then holds the edge between both. */
        GREY,
        /** What is known around it, ever smoother with the distance ({@link HoleFilling}). */
        SMOOTH
    }

    /** Paired, guidance first, aligned in time, at the clean timestep, with both mask channels, grey holes. */
    public static final GuidanceConfig DEFAULT =
            new GuidanceConfig(Layout.PAIRED, Order.GUIDANCE_FIRST, 0, TimestepMode.CLEAN, 2, false, Holes.GREY);

    /** As {@link #DEFAULT}, but also beside the target, and with smooth holes: the shipped model's. */
    public static final GuidanceConfig BESIDE_TARGET =
            new GuidanceConfig(Layout.PAIRED, Order.GUIDANCE_FIRST, 0, TimestepMode.CLEAN, 2, true, Holes.SMOOTH);

    public GuidanceConfig {
        Objects.requireNonNull(layout, "layout");
        Objects.requireNonNull(order, "order");
        Objects.requireNonNull(timestepMode, "timestep mode");
        Objects.requireNonNull(holes, "holes");
        if (ropeOffset < 0) {
            throw new IllegalArgumentException("rope offset of guidance is " + ropeOffset + "; it must be at least 0");
        }
        if (maskChannels < 0 || maskChannels > 2) {
            throw new IllegalArgumentException("mask channels are " + maskChannels + "; 0, 1 and 2 are allowed");
        }
    }

    /**
     * The transformer's input channels: latent, masks, and once more both with {@code besideTarget}.
     *
     * @param latentChannels of the autoencoder
     */
    public int inputChannels(int latentChannels) {
        return (latentChannels + maskChannels) * (besideTarget ? 2 : 1);
    }
}
