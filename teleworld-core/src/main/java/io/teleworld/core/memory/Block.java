package io.teleworld.core.memory;

import java.util.Arrays;

/**
 * The cells of one block of 16³ voxels, as parallel arrays. Mutable while its writer owns it, never after it became part
 * of a snapshot: the writer then works on a copy.
 */
final class Block {

    static final int BITS = 4;
    static final int EDGE = 1 << BITS;
    /** Bits of the Morton key that lie within a block. */
    static final int LOCAL_BITS = 3 * BITS;

    static final int LOCAL_MASK = (1 << LOCAL_BITS) - 1;
    static final float MAX_WEIGHT = 255;

    /** The Morton key of every cell here, shifted right by {@link #LOCAL_BITS}. */
    final long key;

    int count;
    /** Newest segment in which a cell here was seen. */
    int lastSegment;
    /** Largest splat size here; only ever an upper bound. */
    float maxSize;

    /** Mean position, world units. */
    float[] xs;

    float[] ys;
    float[] zs;
    /** Mean colour, linear light, 16 bits each: r << 32 | g << 16 | b. */
    long[] colour;

    float[] weight;
    /** Edge of the square on the surface that one observation stood for, world units. */
    float[] size;
    /** Octahedral unit normal, two signed bytes. */
    short[] normal;

    int[] first;
    int[] last;
    short[] views;
    /** Low half: views that contradict the cell; high half: views in which it was dynamic. */
    byte[] votes;

    short[] local;

    Block(long key, int capacity) {
        this.key = key;
        xs = new float[capacity];
        ys = new float[capacity];
        zs = new float[capacity];
        colour = new long[capacity];
        weight = new float[capacity];
        size = new float[capacity];
        normal = new short[capacity];
        first = new int[capacity];
        last = new int[capacity];
        views = new short[capacity];
        votes = new byte[capacity];
        local = new short[capacity];
    }

    private Block(Block from) {
        key = from.key;
        count = from.count;
        lastSegment = from.lastSegment;
        maxSize = from.maxSize;
        xs = from.xs.clone();
        ys = from.ys.clone();
        zs = from.zs.clone();
        colour = from.colour.clone();
        weight = from.weight.clone();
        size = from.size.clone();
        normal = from.normal.clone();
        first = from.first.clone();
        last = from.last.clone();
        views = from.views.clone();
        votes = from.votes.clone();
        local = from.local.clone();
    }

    Block copy() {
        return new Block(this);
    }

    /** Appends an empty cell and returns its slot. */
    int append(int localKey) {
        int slot = count;
        if (slot == weight.length) {
            int n = Math.min(EDGE * EDGE * EDGE, slot + (slot >> 1) + 8);
            xs = Arrays.copyOf(xs, n);
            ys = Arrays.copyOf(ys, n);
            zs = Arrays.copyOf(zs, n);
            colour = Arrays.copyOf(colour, n);
            weight = Arrays.copyOf(weight, n);
            size = Arrays.copyOf(size, n);
            normal = Arrays.copyOf(normal, n);
            first = Arrays.copyOf(first, n);
            last = Arrays.copyOf(last, n);
            views = Arrays.copyOf(views, n);
            votes = Arrays.copyOf(votes, n);
            local = Arrays.copyOf(local, n);
        }
        count++;
        local[slot] = (short) localKey;
        weight[slot] = 0;
        views[slot] = 0;
        votes[slot] = 0;
        return slot;
    }

    /** Moves the last cell into {@code slot} and drops the last one. */
    void remove(int slot) {
        int from = --count;
        if (slot == from) {
            return;
        }
        xs[slot] = xs[from];
        ys[slot] = ys[from];
        zs[slot] = zs[from];
        colour[slot] = colour[from];
        weight[slot] = weight[from];
        size[slot] = size[from];
        normal[slot] = normal[from];
        first[slot] = first[from];
        last[slot] = last[from];
        views[slot] = views[from];
        votes[slot] = votes[from];
        local[slot] = local[from];
    }

    /**
     * Merges an observation into a cell by weighted mean.
     *
     * @param w weight of the observation, positive
     * @param lr linear red in [0, 65535]
     * @param lg linear green
     * @param lb linear blue
     * @param footprint edge of the square, facing the camera, that the observation stands for
     */
    void merge(
            int slot,
            float x,
            float y,
            float z,
            int lr,
            int lg,
            int lb,
            float nx,
            float ny,
            float nz,
            float w,
            float footprint,
            int segment) {
        float old = weight[slot];
        if (old <= 0) {
            xs[slot] = x;
            ys[slot] = y;
            zs[slot] = z;
            colour[slot] = pack(lr, lg, lb);
            normal[slot] = octEncode(nx, ny, nz);
            size[slot] = footprint;
            weight[slot] = Math.min(MAX_WEIGHT, w);
            first[slot] = segment;
        } else {
            float a = w / (old + w);
            xs[slot] += a * (x - xs[slot]);
            ys[slot] += a * (y - ys[slot]);
            zs[slot] += a * (z - zs[slot]);
            long c = colour[slot];
            colour[slot] = pack(mix(red(c), lr, a), mix(green(c), lg, a), mix(blue(c), lb, a));
            if (w > old) {
                normal[slot] = octEncode(nx, ny, nz);
            }
            size[slot] = Math.min(size[slot], footprint);
            weight[slot] = Math.min(MAX_WEIGHT, old + w);
        }
        last[slot] = segment;
        if (views[slot] < Short.MAX_VALUE) {
            views[slot]++;
        }
        maxSize = Math.max(maxSize, footprint);
        lastSegment = Math.max(lastSegment, segment);
    }

    private static int mix(int from, int to, float a) {
        return Math.round(from + a * (to - from));
    }

    static long pack(int r, int g, int b) {
        return (long) r << 32 | (long) g << 16 | b;
    }

    static int red(long c) {
        return (int) (c >>> 32) & 0xFFFF;
    }

    static int green(long c) {
        return (int) (c >>> 16) & 0xFFFF;
    }

    static int blue(long c) {
        return (int) c & 0xFFFF;
    }

    static short octEncode(float x, float y, float z) {
        float s = Math.abs(x) + Math.abs(y) + Math.abs(z);
        float u = x / s;
        float v = y / s;
        if (z < 0) {
            float t = (1 - Math.abs(v)) * Math.copySign(1, u);
            v = (1 - Math.abs(u)) * Math.copySign(1, v);
            u = t;
        }
        int iu = Math.round(u * 127);
        int iv = Math.round(v * 127);
        return (short) ((iu & 0xFF) << 8 | iv & 0xFF);
    }

    /** Writes the unit normal into {@code out[0..2]}. */
    static void octDecode(short code, float[] out) {
        float u = (byte) (code >> 8) / 127f;
        float v = (byte) code / 127f;
        float z = 1 - Math.abs(u) - Math.abs(v);
        if (z < 0) {
            float t = (1 - Math.abs(v)) * Math.copySign(1, u);
            v = (1 - Math.abs(u)) * Math.copySign(1, v);
            u = t;
        }
        float n = (float) Math.sqrt(u * u + v * v + z * z);
        out[0] = u / n;
        out[1] = v / n;
        out[2] = z / n;
    }
}
