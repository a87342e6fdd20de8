package io.teleworld.cuda.kernel;

/**
 * Extents of an attention. Immutable.
 *
 * @param batch samples
 * @param queries query rows of a sample
 * @param keys key rows of a sample
 * @param heads heads
 * @param width elements of a head, 64 or 128
 */
public record FlashShape(int batch, int queries, int keys, int heads, int width) {

    /** Queries of one block of the kernel, and of a block-sparse list. */
    public static final int QUERY_BLOCK = 128;

    /** Keys of one tile of the kernel, and of a block-sparse list. */
    public static final int KEY_BLOCK = 64;

    public FlashShape {
        if (batch < 1 || queries < 1 || keys < 1 || heads < 1 || (width != 64 && width != 128)) {
            throw new IllegalArgumentException("attention of " + batch + " samples, " + queries + " queries, " + keys
                    + " keys, " + heads + " heads of width " + width + "; each at least 1, the width 64 or 128");
        }
    }
}
