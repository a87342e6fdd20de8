package io.teleworld.cuda.kernel;

/**
 * Extents of an attention of BF16 operands, and which kernel computes it. Immutable.
 *
 * @param batch samples
 * @param queries query rows of a sample
 * @param keys key rows of a sample
 * @param heads heads
 * @param width elements of a head of the queries and keys, a multiple of 8 up to {@link #MAX_WIDTH}
 * @param valueWidth elements of a head of the values, likewise; above 128 only without a mask
 */
public record FlashShape(int batch, int queries, int keys, int heads, int width, int valueWidth) {

    /** Queries of one block of the kernel, and of a block-sparse list. */
    public static final int QUERY_BLOCK = 128;

    /** Keys of a block of a block-sparse list. */
    public static final int KEY_BLOCK = 64;

    /** The widest head. */
    public static final int MAX_WIDTH = 384;

    /** What a mask of a kernel is. */
    enum Mask {
        NONE(""),
        /** BOOL: false hides. */
        HIDES("_masked"),
        /** BF16: added to the scaled scores. */
        ADDS("_added");

        private final String suffix;

        Mask(String suffix) {
            this.suffix = suffix;
        }
    }

    /** Threads of a warpgroup that copies and two that multiply. */
    private static final int GROUP_THREADS = 384;

    private static final int WARP_THREADS = 256;

    public FlashShape {
        if (batch < 1 || queries < 1 || keys < 1 || heads < 1 || !takes(width) || !takes(valueWidth)) {
            throw new IllegalArgumentException("attention of " + batch + " samples, " + queries + " queries, " + keys
                    + " keys, " + heads + " heads of width " + width + ", values " + valueWidth
                    + "; each at least 1, the widths multiples of 8 up to " + MAX_WIDTH);
        }
    }

    /** Attention with equal widths of all operands. */
    public FlashShape(int batch, int queries, int keys, int heads, int width) {
        this(batch, queries, keys, heads, width, width);
    }

    private static boolean takes(int width) {
        return width >= 8 && width % 8 == 0 && width <= MAX_WIDTH;
    }

    /** Whether there is a kernel for such heads. */
    static boolean takes(long width, long valueWidth, Mask mask) {
        return width % 8 == 0
                && valueWidth % 8 == 0
                && width >= 8
                && valueWidth >= 8
                && Math.max(width, valueWidth) <= (mask == Mask.NONE ? MAX_WIDTH : 128);
    }

    /** Width that the kernel is made for; narrower heads are filled up with zeros. */
    int tileWidth() {
        int most = Math.max(width, valueWidth);
        return most <= 64 ? 64 : most <= 128 ? 128 : MAX_WIDTH;
    }

    /** Columns of the values that one block has. */
    private int tileValues() {
        return Math.min(tileWidth(), 128);
    }

    /** Blocks that share a head's values. */
    int parts() {
        return (valueWidth + tileValues() - 1) / tileValues();
    }

    /** Whether products of warpgroups are worth while: not for keys that fill half a tile at most. */
    boolean byGroups() {
        return keys > KEY_BLOCK || tileWidth() == MAX_WIDTH;
    }

    int threads() {
        return byGroups() ? GROUP_THREADS : WARP_THREADS;
    }

    String function(Mask mask) {
        return (byGroups() ? "tw_flash_group_" : "tw_flash_") + tileWidth() + mask.suffix;
    }

    /** Dynamic shared memory of a block, in bytes: enough, too, for the form without products of warpgroups. */
    int sharedBytes(Mask mask) {
        int q = QUERY_BLOCK * tileWidth() * 2;
        int pair = (tileWidth() + tileValues()) * 2;
        if (!byGroups()) {
            return q + 2 * KEY_BLOCK * pair;
        }
        int tileKeys = tileWidth() == MAX_WIDTH ? 64 : 128;
        int stages = tileWidth() == 64 ? 4 : 2;
        int bits = mask == Mask.NONE ? 0 : QUERY_BLOCK * tileKeys / 8;
        // 16 bytes about a stage's tile, 4 barriers a stage and one for the queries; tiles begin at multiples of 1024.
        return 1024 + q + stages * (tileKeys * pair + bits + 16 + 32) + 8;
    }
}
