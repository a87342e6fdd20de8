package io.teleworld.graph;

/**
 * A tensor that flows through a graph. Immutable; identity is what counts, so equality is that of the object.
 *
 * <p>Values are made by a {@link GraphBuilder} only.
 */
public final class Value {

    private final String name;
    private final TensorType type;

    Value(String name, TensorType type) {
        this.name = name;
        this.type = type;
    }

    /** The name, unique within its graph. */
    public String name() {
        return name;
    }

    /** Element type and shape. */
    public TensorType type() {
        return type;
    }

    /** The element type. */
    public io.teleworld.tensor.DType dtype() {
        return type.dtype();
    }

    /** The shape. */
    public Shape shape() {
        return type.shape();
    }

    /** The extent of an axis; negative axes count from the end. */
    public Dim dim(int axis) {
        return type.shape().dim(axis);
    }

    @Override
    public String toString() {
        return name + ":" + type;
    }
}
