package io.teleworld;

/**
 * A picture of the world as far as it is known, from one pose. The mask is shared: nobody writes to it.
 *
 * @param image the rendering; pixels of {@link #HOLE} have no meaning
 * @param layers width·height values, each {@link #HOLE}, {@link #STATIC} or {@link #DYNAMIC}
 * @param inverseDepth width·height values 1/z in 1/world units; 0 in holes
 */
@SuppressWarnings("ArrayRecordComponent")
public record GuidanceFrame(RgbImage image, byte[] layers, float[] inverseDepth) {

    /** Nothing is known here. */
    public static final byte HOLE = 0;
    /** The static map covers this pixel. */
    public static final byte STATIC = 1;
    /** Dynamic content covers this pixel. */
    public static final byte DYNAMIC = 2;

    public GuidanceFrame {
        int n = image.width() * image.height();
        if (layers.length != n || inverseDepth.length != n) {
            throw new IllegalArgumentException("mask and depth have " + layers.length + " and " + inverseDepth.length
                    + " values; a picture of " + image.width() + "×" + image.height() + " needs " + n);
        }
    }
}
