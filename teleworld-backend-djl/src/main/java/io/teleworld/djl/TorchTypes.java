package io.teleworld.djl;

import ai.djl.ndarray.types.DataType;
import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.DType;

/** Element types as PyTorch numbers them, and as DJL can wrap memory of them. Stateless. */
final class TorchTypes {

    static final int F16 = 5;
    static final int F32 = 6;
    static final int QINT8 = 12;
    static final int BF16 = 15;

    private TorchTypes() {}

    /** The number in {@code c10::ScalarType}. */
    static int code(DType dtype) {
        return switch (dtype) {
            case U8 -> 0;
            case I8 -> 1;
            case I32 -> 3;
            case I64 -> 4;
            case F16 -> F16;
            case F32 -> F32;
            case F64 -> 7;
            case BOOL -> 11;
            case BF16 -> BF16;
            case F8_E4M3 ->
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "runtime " + DjlRuntimeProvider.NAME + " cannot compute with F8_E4M3");
        };
    }

    /**
     * The type under which DJL wraps a buffer. BF16 has none: DJL 0.35.1 ends the process when it meets it, so such
     * memory passes as F16 and is reinterpreted within TorchScript.
     */
    static DataType wrapped(DType dtype) {
        return switch (dtype) {
            case U8 -> DataType.UINT8;
            case I8 -> DataType.INT8;
            case I32 -> DataType.INT32;
            case I64 -> DataType.INT64;
            case F16, BF16 -> DataType.FLOAT16;
            case F32 -> DataType.FLOAT32;
            case F64 -> DataType.FLOAT64;
            case BOOL -> DataType.BOOLEAN;
            case F8_E4M3 ->
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "runtime " + DjlRuntimeProvider.NAME + " cannot pass tensors of F8_E4M3");
        };
    }
}
