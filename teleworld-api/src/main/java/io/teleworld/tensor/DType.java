package io.teleworld.tensor;

/** Element types of tensors. Multi-byte values are little-endian in every buffer and file. */
public enum DType {
    F64(8),
    F32(4),
    F16(2),
    BF16(2),
    /** 8-bit float, 4 exponent and 3 mantissa bits, no infinities (E4M3FN). */
    F8_E4M3(1),
    I64(8),
    I32(4),
    I8(1),
    U8(1),
    BOOL(1);

    private final int byteSize;

    DType(int byteSize) {
        this.byteSize = byteSize;
    }

    /** Bytes of one element. */
    public int byteSize() {
        return byteSize;
    }

    /** Whether this is a floating-point type. */
    public boolean isFloat() {
        return this == F64 || this == F32 || this == F16 || this == BF16 || this == F8_E4M3;
    }

    /** Whether this is an integer type; booleans are not. */
    public boolean isInteger() {
        return this == I64 || this == I32 || this == I8 || this == U8;
    }
}
