package io.teleworld.worlds;

/**
 * Where a world is rendered to: preallocated pictures and the renderer's working memory.
 *
 * <p>Confined to one thread at a time. Arrays are row-major from the top-left pixel and are overwritten by each render.
 */
public final class RenderTarget {

    private final int width;
    private final int height;
    private final boolean colour;
    private final byte[] rgb;
    private final float[] depth;
    private final int[] label;
    final Rasteriser rasteriser;

    /**
     * A target with the default filter of 2×2 samples per pixel.
     *
     * @param width width in pixels, at least 1
     * @param height height in pixels, at least 1
     */
    public RenderTarget(int width, int height) {
        this(width, height, 2, true);
    }

    /**
     * A target.
     *
     * @param width width in pixels, at least 1
     * @param height height in pixels, at least 1
     * @param samplesPerAxis edge samples per pixel along each axis, 1 to 8. An even number n shares the samples on
     *     pixel borders (n + 1 weighted taps), so that the pixel centre is always a sample
     * @param colour whether to fill {@link #rgb()}; without colour a render gives depth and labels only, faster
     */
    public RenderTarget(int width, int height, int samplesPerAxis, boolean colour) {
        if (width < 1 || height < 1 || (long) width * height > 1 << 26) {
            throw new IllegalArgumentException("target is " + width + "×" + height
                    + " pixels; both must be at least 1 and their product at most 2^26");
        }
        if (samplesPerAxis < 1 || samplesPerAxis > 8) {
            throw new IllegalArgumentException("samples per axis is " + samplesPerAxis + "; 1 to 8 are allowed");
        }
        this.width = width;
        this.height = height;
        this.colour = colour;
        this.rgb = new byte[colour ? width * height * 3 : 0];
        this.depth = new float[width * height];
        this.label = new int[width * height];
        this.rasteriser = new Rasteriser(width, height, samplesPerAxis);
    }

    /** A target for depth and labels only, one sample per pixel. */
    public static RenderTarget depthOnly(int width, int height) {
        return new RenderTarget(width, height, 1, false);
    }

    /** Width in pixels. */
    public int width() {
        return width;
    }

    /** Height in pixels. */
    public int height() {
        return height;
    }

    /** Whether colour is rendered. */
    public boolean colour() {
        return colour;
    }

    /** H·W·3 bytes of sRGB; empty for a target without colour. The array itself, not a copy. */
    public byte[] rgb() {
        return rgb;
    }

    /** H·W planar depths in world units; +∞ for sky. The array itself, not a copy. */
    public float[] depth() {
        return depth;
    }

    /** H·W labels: 0 sky, 1 static geometry, from 2 the ids of {@link World#instances()}. The array itself. */
    public int[] label() {
        return label;
    }
}
