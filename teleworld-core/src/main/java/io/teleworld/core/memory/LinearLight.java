package io.teleworld.core.memory;

/** sRGB 8-bit to 16-bit linear light and back, by table. Immutable tables; thread-safe. */
final class LinearLight {

    private static final int[] TO_LINEAR = new int[256];
    private static final byte[] TO_SRGB = new byte[1 << 14];

    static {
        for (int i = 0; i < 256; i++) {
            double s = i / 255.0;
            double linear = s <= 0.04045 ? s / 12.92 : Math.pow((s + 0.055) / 1.055, 2.4);
            TO_LINEAR[i] = (int) Math.round(linear * 65535);
        }
        for (int i = 0; i < TO_SRGB.length; i++) {
            double linear = (i + 0.5) * 4 / 65536;
            double s = linear <= 0.0031308 ? 12.92 * linear : 1.055 * Math.pow(linear, 1 / 2.4) - 0.055;
            TO_SRGB[i] = (byte) Math.round(Math.min(1, s) * 255);
        }
    }

    private LinearLight() {}

    /** Linear light in [0, 65535] of an sRGB byte. */
    static int linear(byte srgb) {
        return TO_LINEAR[srgb & 0xFF];
    }

    /** The sRGB byte of linear light in [0, 16383] (the upper 14 of 16 bits). */
    static byte srgb14(int linear14) {
        return TO_SRGB[linear14];
    }

    /** The sRGB byte of linear light in [0, 65535]. */
    static byte srgb(int linear16) {
        return TO_SRGB[linear16 >> 2];
    }
}
