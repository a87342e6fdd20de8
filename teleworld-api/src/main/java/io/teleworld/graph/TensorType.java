package io.teleworld.graph;

import io.teleworld.tensor.DType;
import java.util.Objects;

/**
 * Element type and shape of a value. Immutable.
 *
 * @param dtype the element type
 * @param shape the extents
 */
public record TensorType(DType dtype, Shape shape) {

    public TensorType {
        Objects.requireNonNull(dtype, "dtype");
        Objects.requireNonNull(shape, "shape");
    }

    @Override
    public String toString() {
        return dtype + shape.toString();
    }
}
