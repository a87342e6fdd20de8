package io.teleworld.core.memory;

/** Morton (Z-order) keys: three coordinates of 21 bits each, interleaved with x in bit 0. Stateless. */
public final class Morton {

    /** Added to a signed cell coordinate to make it non-negative. */
    public static final int BIAS = 1 << 20;

    private Morton() {}

    /** The key of three coordinates in [0, 2²¹). */
    public static long encode(int x, int y, int z) {
        return spread(x) | spread(y) << 1 | spread(z) << 2;
    }

    /** The key of a signed cell, each coordinate in [−2²⁰, 2²⁰). */
    public static long ofCell(int x, int y, int z) {
        return encode(x + BIAS, y + BIAS, z + BIAS);
    }

    /** Coordinate {@code axis} (0 x, 1 y, 2 z) of a key. */
    public static int decode(long key, int axis) {
        return compact(key >>> axis);
    }

    private static long spread(int v) {
        long x = v & 0x1FFFFFL;
        x = (x | x << 32) & 0x1F00000000FFFFL;
        x = (x | x << 16) & 0x1F0000FF0000FFL;
        x = (x | x << 8) & 0x100F00F00F00F00FL;
        x = (x | x << 4) & 0x10C30C30C30C30C3L;
        return (x | x << 2) & 0x1249249249249249L;
    }

    private static int compact(long key) {
        long x = key & 0x1249249249249249L;
        x = (x | x >>> 2) & 0x10C30C30C30C30C3L;
        x = (x | x >>> 4) & 0x100F00F00F00F00FL;
        x = (x | x >>> 8) & 0x1F0000FF0000FFL;
        x = (x | x >>> 16) & 0x1F00000000FFFFL;
        return (int) ((x | x >>> 32) & 0x1FFFFF);
    }
}
