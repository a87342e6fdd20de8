package io.teleworld.onnx;

import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnxruntime.OnnxJavaType;
import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.DType;

/** Element types as the ONNX format and ONNX Runtime name them. */
final class OnnxTypes {

    private OnnxTypes() {}

    /** The number in {@code TensorProto.data_type}. */
    static int proto(DType dtype) {
        return protoType(dtype).getNumber();
    }

    private static TensorProto.DataType protoType(DType dtype) {
        return switch (dtype) {
            case F64 -> TensorProto.DataType.DOUBLE;
            case F32 -> TensorProto.DataType.FLOAT;
            case F16 -> TensorProto.DataType.FLOAT16;
            case BF16 -> TensorProto.DataType.BFLOAT16;
            case F8_E4M3 -> TensorProto.DataType.FLOAT8E4M3FN;
            case I64 -> TensorProto.DataType.INT64;
            case I32 -> TensorProto.DataType.INT32;
            case I8 -> TensorProto.DataType.INT8;
            case U8 -> TensorProto.DataType.UINT8;
            case BOOL -> TensorProto.DataType.BOOL;
        };
    }

    /** The type under which ONNX Runtime wraps a buffer. */
    static OnnxJavaType java(DType dtype) {
        return switch (dtype) {
            case F64 -> OnnxJavaType.DOUBLE;
            case F32 -> OnnxJavaType.FLOAT;
            case F16 -> OnnxJavaType.FLOAT16;
            case BF16 -> OnnxJavaType.BFLOAT16;
            case I64 -> OnnxJavaType.INT64;
            case I32 -> OnnxJavaType.INT32;
            case I8 -> OnnxJavaType.INT8;
            case U8 -> OnnxJavaType.UINT8;
            case BOOL -> OnnxJavaType.BOOL;
            case F8_E4M3 ->
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND, "runtime onnx cannot pass tensors of F8_E4M3");
        };
    }
}
