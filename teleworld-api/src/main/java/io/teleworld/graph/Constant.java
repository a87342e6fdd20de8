package io.teleworld.graph;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;

/**
 * A literal tensor. Immutable; the tensor must not be written or closed.
 *
 * @param tensor its elements, F32, I64, I32 or BOOL
 */
public record Constant(HostTensor tensor) {

    public Constant {
        DType d = tensor.dtype();
        if (d != DType.F32 && d != DType.I64 && d != DType.I32 && d != DType.BOOL) {
            throw new IllegalArgumentException("constant of " + d + "; allowed are F32, I64, I32 and BOOL");
        }
    }

    /** Element type and shape. */
    public TensorType type() {
        return new TensorType(tensor.dtype(), Shape.of(tensor.shape()));
    }
}
