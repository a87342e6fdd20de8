package io.teleworld.tensor;

/** Conversions between fp32 and the narrow float formats of weight files. */
public final class FloatFormats {

    private FloatFormats() {}

    /** Widens an IEEE binary16 value. */
    public static float f16ToFloat(short bits) {
        int h = bits & 0xffff;
        int sign = (h & 0x8000) << 16;
        int exp = (h >>> 10) & 0x1f;
        int man = h & 0x3ff;
        if (exp == 0x1f) {
            return Float.intBitsToFloat(sign | 0x7f800000 | (man << 13));
        }
        if (exp == 0) {
            float v = man * 0x1p-24f;
            return sign == 0 ? v : -v;
        }
        return Float.intBitsToFloat(sign | ((exp + 112) << 23) | (man << 13));
    }

    /** Narrows to IEEE binary16, rounding to nearest even; values beyond its range become infinite. */
    public static short floatToF16(float value) {
        int f = Float.floatToRawIntBits(value);
        int sign = (f >>> 16) & 0x8000;
        int abs = f & 0x7fffffff;
        if (abs > 0x7f800000) {
            return (short) (sign | 0x7e00);
        }
        if (abs >= 0x47800000) {
            return (short) (sign | 0x7c00);
        }
        if (abs < 0x38800000) {
            float scaled = Float.intBitsToFloat(abs) * 0x1p24f;
            return (short) (sign | (int) Math.rint(scaled));
        }
        int rounded = abs + 0xfff + ((abs >>> 13) & 1);
        return (short) (sign | ((rounded - 0x38000000) >>> 13));
    }

    /** Widens a bfloat16 value. */
    public static float bf16ToFloat(short bits) {
        return Float.intBitsToFloat((bits & 0xffff) << 16);
    }

    /** Narrows to bfloat16, rounding to nearest even. */
    public static short floatToBf16(float value) {
        int f = Float.floatToRawIntBits(value);
        if ((f & 0x7fffffff) > 0x7f800000) {
            return (short) ((f >>> 16) | 0x40);
        }
        return (short) ((f + 0x7fff + ((f >>> 16) & 1)) >>> 16);
    }

    /**
     * Narrows to 8-bit E4M3FN, rounding to nearest even; values beyond ±448, infinities too, become ±448. A NaN stays
     * one.
     */
    public static byte floatToF8e4m3(float value) {
        int sign = Float.floatToRawIntBits(value) >>> 31 << 7;
        if (Float.isNaN(value)) {
            return (byte) (sign | 0x7f);
        }
        float abs = Math.abs(value);
        if (abs >= 448) {
            return (byte) (sign | 0x7e);
        }
        // Steps of 2⁻⁹ up to 2⁻⁶, then eight steps per binade. A mantissa that rounds up to 16 is the next binade's 8.
        int exp = Math.max(Math.getExponent(abs), -6);
        int steps = (int) Math.rint(Math.scalb((double) abs, 3 - exp));
        return (byte) (sign | (steps + (exp + 6 << 3)));
    }

    /** Widens an 8-bit E4M3FN value. */
    public static float f8e4m3ToFloat(byte bits) {
        int b = bits & 0xff;
        int exp = (b >>> 3) & 0xf;
        int man = b & 7;
        if (exp == 0xf && man == 7) {
            return Float.NaN;
        }
        float v = exp == 0 ? man * 0x1p-9f : (8 + man) * (float) Math.scalb(1.0, exp - 10);
        return b >= 128 ? -v : v;
    }
}
