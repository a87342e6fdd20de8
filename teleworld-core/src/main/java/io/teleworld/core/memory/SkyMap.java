package io.teleworld.core.memory;

/**
 * Colours at infinity by direction, on an octahedral square. Mutable while its writer owns it, never after it became
 * part of a snapshot.
 */
final class SkyMap {

    static final int EDGE = 384;
    private static final int MAX_WEIGHT = 255;

    /** Linear light, 16 bits each. */
    private final long[] colour;

    private final short[] weight;
    private int known;

    SkyMap() {
        colour = new long[EDGE * EDGE];
        weight = new short[EDGE * EDGE];
    }

    private SkyMap(SkyMap from) {
        colour = from.colour.clone();
        weight = from.weight.clone();
        known = from.known;
    }

    SkyMap copy() {
        return new SkyMap(this);
    }

    boolean isEmpty() {
        return known == 0;
    }

    /** Merges the colour seen along a world direction of any positive length. */
    void merge(float x, float y, float z, int r, int g, int b) {
        int u = Math.min(EDGE - 1, (int) (coordinate(x, y, z, true) * EDGE));
        int v = Math.min(EDGE - 1, (int) (coordinate(x, y, z, false) * EDGE));
        int i = v * EDGE + u;
        int w = weight[i];
        if (w == 0) {
            known++;
        }
        long c = colour[i];
        colour[i] = Block.pack(
                (Block.red(c) * w + r) / (w + 1),
                (Block.green(c) * w + g) / (w + 1),
                (Block.blue(c) * w + b) / (w + 1));
        weight[i] = (short) Math.min(MAX_WEIGHT, w + 1);
    }

    /** The colour along a direction, interpolated between the known of the four nearest entries; −1 if none is. */
    long sample(float x, float y, float z) {
        float u = coordinate(x, y, z, true) * EDGE - 0.5f;
        float v = coordinate(x, y, z, false) * EDGE - 0.5f;
        int u0 = (int) Math.floor(u);
        int v0 = (int) Math.floor(v);
        float fu = u - u0;
        float fv = v - v0;
        float sum = 0;
        float r = 0;
        float g = 0;
        float b = 0;
        for (int j = 0; j < 2; j++) {
            for (int i = 0; i < 2; i++) {
                int uu = Math.max(0, Math.min(EDGE - 1, u0 + i));
                int vv = Math.max(0, Math.min(EDGE - 1, v0 + j));
                int at = vv * EDGE + uu;
                if (weight[at] > 0) {
                    float w = (i == 0 ? 1 - fu : fu) * (j == 0 ? 1 - fv : fv) + 1e-4f;
                    long c = colour[at];
                    sum += w;
                    r += w * Block.red(c);
                    g += w * Block.green(c);
                    b += w * Block.blue(c);
                }
            }
        }
        return sum > 0 ? Block.pack((int) (r / sum), (int) (g / sum), (int) (b / sum)) : -1;
    }

    private static float coordinate(float x, float y, float z, boolean first) {
        float s = Math.abs(x) + Math.abs(y) + Math.abs(z);
        float u = x / s;
        float v = z / s;
        if (y > 0) {
            float t = (1 - Math.abs(v)) * Math.copySign(1, u);
            v = (1 - Math.abs(u)) * Math.copySign(1, v);
            u = t;
        }
        return 0.5f * ((first ? u : v) + 1);
    }
}
