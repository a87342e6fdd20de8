package io.teleworld.cuda;

import io.teleworld.tensor.FloatFormats;

/** Rows as E4M3 numbers with one factor each, as the kernels do it. */
final class RowQuantisation {

    /** The largest E4M3 number. */
    static final float LARGEST = 448;

    private RowQuantisation() {}

    /**
     * Quantises a row, rounding to nearest even.
     *
     * @param row finite numbers
     * @param codes as long as the row; filled
     * @return what codes are multiplied by to undo it: the largest magnitude over 448, or 1 for a row of zeros
     */
    static float quantise(float[] row, byte[] codes) {
        float top = 0;
        for (float v : row) {
            top = Math.max(top, Math.abs(v));
        }
        // A subnormal factor would lose the row's digits, or be 0.
        float scale = top > LARGEST * Float.MIN_NORMAL ? top / LARGEST : 1;
        for (int i = 0; i < row.length; i++) {
            codes[i] = FloatFormats.floatToF8e4m3(row[i] / scale);
        }
        return scale;
    }
}
