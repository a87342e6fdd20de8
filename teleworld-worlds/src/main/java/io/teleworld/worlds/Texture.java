package io.teleworld.worlds;

/**
 * A mip-mapped texture in linear light with premultiplied alpha.
 *
 * <p>Immutable. Each level is the box-filtered (area-weighted) reduction of the full picture; channels are 16-bit R, G,
 * B, A. Coordinates are in texels of level 0.
 */
final class Texture {

    private static final float[] SRGB_TO_LINEAR = new float[256];
    private static final int LUT = 1 << 14;
    private static final byte[] LINEAR_TO_SRGB = new byte[LUT + 1];

    static {
        for (int i = 0; i < 256; i++) {
            double s = i / 255.0;
            SRGB_TO_LINEAR[i] = (float) (s <= 0.04045 ? s / 12.92 : Math.pow((s + 0.055) / 1.055, 2.4));
        }
        for (int i = 0; i <= LUT; i++) {
            double l = i / (double) LUT;
            double s = l <= 0.0031308 ? 12.92 * l : 1.055 * Math.pow(l, 1 / 2.4) - 0.055;
            LINEAR_TO_SRGB[i] = (byte) (int) Math.round(s * 255);
        }
    }

    final String name;
    final int width;
    final int height;
    final boolean wrapU;
    final boolean wrapV;
    final boolean opaque;
    final int levels;
    private final char[][] data;
    private final int[] levelWidth;
    private final int[] levelHeight;
    private final float[] scaleU;
    private final float[] scaleV;

    private Texture(String name, int width, int height, boolean wrapU, boolean wrapV, float[] rgba) {
        this.name = name;
        this.width = width;
        this.height = height;
        this.wrapU = wrapU;
        this.wrapV = wrapV;
        boolean allOpaque = true;
        for (int i = 3; i < rgba.length; i += 4) {
            allOpaque &= rgba[i] >= 1;
        }
        this.opaque = allOpaque;
        this.levels = 32 - Integer.numberOfLeadingZeros(Math.max(width, height));
        this.data = new char[levels][];
        this.levelWidth = new int[levels];
        this.levelHeight = new int[levels];
        this.scaleU = new float[levels];
        this.scaleV = new float[levels];
        for (int l = 0; l < levels; l++) {
            int w = Math.max(1, width >> l);
            int h = Math.max(1, height >> l);
            levelWidth[l] = w;
            levelHeight[l] = h;
            scaleU[l] = (float) w / width;
            scaleV[l] = (float) h / height;
            data[l] = quantise(reduce(rgba, width, height, w, h));
        }
    }

    /**
     * A texture from sRGB picture data.
     *
     * @param argb 0xAARRGGBB per texel, row by row; alpha is 0 or 255
     */
    static Texture ofArgb(String name, int width, int height, int[] argb, boolean wrapU, boolean wrapV) {
        float[] rgba = new float[width * height * 4];
        for (int i = 0; i < width * height; i++) {
            float a = (argb[i] >>> 24) / 255f;
            rgba[4 * i] = SRGB_TO_LINEAR[argb[i] >> 16 & 255] * a;
            rgba[4 * i + 1] = SRGB_TO_LINEAR[argb[i] >> 8 & 255] * a;
            rgba[4 * i + 2] = SRGB_TO_LINEAR[argb[i] & 255] * a;
            rgba[4 * i + 3] = a;
        }
        return new Texture(name, width, height, wrapU, wrapV, rgba);
    }

    static float toLinear(int srgb) {
        return SRGB_TO_LINEAR[srgb & 255];
    }

    static byte toSrgb(float linear) {
        int i = (int) (linear * LUT + 0.5f);
        return LINEAR_TO_SRGB[i < 0 ? 0 : Math.min(i, LUT)];
    }

    private static char[] quantise(float[] v) {
        char[] q = new char[v.length];
        for (int i = 0; i < v.length; i++) {
            q[i] = (char) Math.round(Math.min(1f, Math.max(0f, v[i])) * 65535f);
        }
        return q;
    }

    private static float[] reduce(float[] src, int w, int h, int w2, int h2) {
        if (w == w2 && h == h2) {
            return src;
        }
        float[] tmp = new float[w2 * h * 4];
        for (int x = 0; x < w2; x++) {
            double a = (double) x * w / w2;
            double b = (double) (x + 1) * w / w2;
            for (int i = (int) a; i < b && i < w; i++) {
                float c = (float) ((Math.min(b, i + 1) - Math.max(a, i)) / (b - a));
                for (int y = 0; y < h; y++) {
                    for (int k = 0; k < 4; k++) {
                        tmp[(y * w2 + x) * 4 + k] += c * src[(y * w + i) * 4 + k];
                    }
                }
            }
        }
        float[] out = new float[w2 * h2 * 4];
        for (int y = 0; y < h2; y++) {
            double a = (double) y * h / h2;
            double b = (double) (y + 1) * h / h2;
            for (int i = (int) a; i < b && i < h; i++) {
                float c = (float) ((Math.min(b, i + 1) - Math.max(a, i)) / (b - a));
                for (int x = 0; x < w2 * 4; x++) {
                    out[y * w2 * 4 + x] += c * tmp[i * w2 * 4 + x];
                }
            }
        }
        return out;
    }

    /** Adds {@code weight} times the bilinearly filtered texel of one level to acc[0..3] (values 0 to 1). */
    void add(double u, double v, int level, float weight, float[] acc) {
        int w = levelWidth[level];
        int h = levelHeight[level];
        double su = u * scaleU[level] - 0.5;
        double sv = v * scaleV[level] - 0.5;
        int iu = (int) Math.floor(su);
        int iv = (int) Math.floor(sv);
        float fu = (float) (su - iu);
        float fv = (float) (sv - iv);
        int x0;
        int x1;
        if (wrapU) {
            x0 = (w & (w - 1)) == 0 ? iu & (w - 1) : Math.floorMod(iu, w);
            x1 = x0 + 1 == w ? 0 : x0 + 1;
        } else {
            x0 = iu < 0 ? 0 : Math.min(iu, w - 1);
            x1 = iu + 1 < 0 ? 0 : Math.min(iu + 1, w - 1);
        }
        int y0;
        int y1;
        if (wrapV) {
            y0 = (h & (h - 1)) == 0 ? iv & (h - 1) : Math.floorMod(iv, h);
            y1 = y0 + 1 == h ? 0 : y0 + 1;
        } else {
            y0 = iv < 0 ? 0 : Math.min(iv, h - 1);
            y1 = iv + 1 < 0 ? 0 : Math.min(iv + 1, h - 1);
        }
        weight *= 1f / 65535f;
        float w11 = fu * fv * weight;
        float w10 = fv * weight - w11;
        float w01 = fu * weight - w11;
        float w00 = weight - w01 - w10 - w11;
        char[] d = data[level];
        int a = (y0 * w + x0) * 4;
        int b = (y0 * w + x1) * 4;
        int c = (y1 * w + x0) * 4;
        int e = (y1 * w + x1) * 4;
        acc[0] += w00 * d[a] + w01 * d[b] + w10 * d[c] + w11 * d[e];
        acc[1] += w00 * d[a + 1] + w01 * d[b + 1] + w10 * d[c + 1] + w11 * d[e + 1];
        acc[2] += w00 * d[a + 2] + w01 * d[b + 2] + w10 * d[c + 2] + w11 * d[e + 2];
        acc[3] += w00 * d[a + 3] + w01 * d[b + 3] + w10 * d[c + 3] + w11 * d[e + 3];
    }

    /** The bilinearly filtered alpha of one level, 0 to 1. */
    float alpha(double u, double v, int level, float[] scratch) {
        scratch[3] = 0;
        add(u, v, level, 1, scratch);
        return scratch[3];
    }

    /** The level whose texels are nearest to {@code rho} texels of level 0 in size. */
    int nearestLevel(double rho) {
        if (!(rho > 1)) {
            return 0;
        }
        int e = Math.getExponent(rho * 1.4142135623730951);
        return Math.min(e, levels - 1);
    }
}
