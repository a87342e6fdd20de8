package io.teleworld.core.memory;

import io.teleworld.core.reconstruct.DepthMaps;
import java.nio.FloatBuffer;

/**
 * One view of the memory, rendered into arrays that are allocated once and reused. Not thread-safe; owned by the
 * caller, who also owns what the accessors return: they are the live arrays.
 */
public final class GuidanceView {

    /** Mask value of a pixel that the memory knows nothing about. */
    public static final byte HOLE = 0;
    /** Mask value of static content, sky included. */
    public static final byte STATIC = 1;
    /** Mask value of content that moves and may have changed. */
    public static final byte DYNAMIC = 2;

    private final int width;
    private final int height;
    private final byte[] rgb;
    private final float[] depth;
    private final byte[] mask;
    private final int[] lastSeen;

    /** An empty view of the given size in pixels. */
    public GuidanceView(int width, int height) {
        if (width < 1 || height < 1 || width > 4096 || height > 4096) {
            throw new IllegalArgumentException(
                    "view is " + width + "×" + height + "; both must lie in [1, 4096] pixels");
        }
        this.width = width;
        this.height = height;
        rgb = new byte[3 * width * height];
        depth = new float[width * height];
        mask = new byte[width * height];
        lastSeen = new int[width * height];
    }

    /** Image width in pixels. */
    public int width() {
        return width;
    }

    /** Image height in pixels. */
    public int height() {
        return height;
    }

    /** sRGB bytes, row-major, interleaved; 0 in holes. */
    public byte[] rgb() {
        return rgb;
    }

    /** Planar depth in world units; 0 in holes, positive infinity for sky. */
    public float[] depth() {
        return depth;
    }

    /** {@link #HOLE}, {@link #STATIC} or {@link #DYNAMIC} per pixel. */
    public byte[] mask() {
        return mask;
    }

    /** The newest segment in which the visible content was seen; −1 in holes. */
    public int[] lastSeen() {
        return lastSeen;
    }

    /** The share of pixels that are not holes, in [0, 1]. */
    public double coverage() {
        int n = 0;
        for (byte m : mask) {
            n += m == HOLE ? 0 : 1;
        }
        return (double) n / mask.length;
    }

    /**
     * Writes the colours as three planes [3, H, W] in [−1, 1], holes as 0 (mid-grey).
     *
     * @param out receives 3·H·W floats from {@code offset} on, {@code planeStride} apart from plane to plane
     * @param offset first float of the red plane
     * @param planeStride floats from one colour plane to the next, at least H·W; T·H·W for a video [3, T, H, W]
     */
    public void toPlanes(FloatBuffer out, int offset, int planeStride) {
        if (planeStride < width * height) {
            throw new IllegalArgumentException(
                    "plane stride is " + planeStride + "; it must be at least " + width * height);
        }
        for (int c = 0; c < 3; c++) {
            int at = offset + c * planeStride;
            for (int i = 0; i < mask.length; i++) {
                out.put(at + i, mask[i] == HOLE ? 0f : (rgb[3 * i + c] & 0xFF) * (2f / 255) - 1);
            }
        }
    }

    /**
     * Turns all pixels within {@code radius} of a hole into holes: a training augmentation that makes the guide less
     * complete than the memory.
     */
    public void dilateHoles(int radius) {
        byte[] holes = new byte[mask.length];
        for (int i = 0; i < mask.length; i++) {
            holes[i] = (byte) (mask[i] == HOLE ? 1 : 0);
        }
        byte[] grown = DepthMaps.dilate(holes, width, height, radius);
        for (int i = 0; i < mask.length; i++) {
            if (grown[i] != 0) {
                clear(i);
            }
        }
    }

    /** Makes one pixel a hole. */
    void clear(int i) {
        rgb[3 * i] = 0;
        rgb[3 * i + 1] = 0;
        rgb[3 * i + 2] = 0;
        depth[i] = 0;
        mask[i] = HOLE;
        lastSeen[i] = -1;
    }

    /**
     * The mask on the latent grid: 1 where all pixels of all views of a cell are known, else 0.
     *
     * @param views the pixel frames of one latent frame (1 or 4), of equal size
     * @param cell pixels per latent cell and axis, a divisor of width and height (8)
     * @return row-major, (height/cell)·(width/cell) values
     */
    public static float[] latentMask(Iterable<GuidanceView> views, int cell) {
        float[] out = new float[0];
        int w = 0;
        for (GuidanceView view : views) {
            if (cell < 1 || view.width % cell != 0 || view.height % cell != 0) {
                throw new IllegalArgumentException(
                        "latent cell is " + cell + " pixels; it must divide " + view.width + "×" + view.height);
            }
            if (out.length == 0) {
                w = view.width / cell;
                out = new float[w * (view.height / cell)];
                java.util.Arrays.fill(out, 1f);
            }
            if (w * cell != view.width || out.length != w * (view.height / cell)) {
                throw new IllegalArgumentException("views of one latent frame differ in size");
            }
            for (int y = 0; y < view.height; y++) {
                for (int x = 0; x < view.width; x++) {
                    if (view.mask[y * view.width + x] == HOLE) {
                        out[y / cell * w + x / cell] = 0f;
                    }
                }
            }
        }
        return out;
    }
}
