package io.teleworld.graph;

import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** The rules of shape inference that several operators share; each failure names operator, inputs and rule. */
final class Infer {

    private final Op op;
    private final List<TensorType> in;

    Infer(Op op, List<TensorType> in) {
        this.op = op;
        this.in = in;
    }

    GraphException fail(String rule) {
        return new GraphException(op, in, rule);
    }

    void check(boolean condition, String rule) {
        if (!condition) {
            throw fail(rule);
        }
    }

    /** What a part of a composite infers; a rule that it finds broken is reported as the composite's. */
    List<TensorType> part(Op part, TensorType... inputs) {
        try {
            return part.infer(List.of(inputs));
        } catch (GraphException e) {
            throw fail(String.valueOf(e.getMessage()));
        }
    }

    Infer arity(int n) {
        return arity(n, n);
    }

    Infer arity(int min, int max) {
        check(
                in.size() >= min && in.size() <= max,
                "takes " + (min == max ? min : min + " to " + max) + " inputs, got " + in.size());
        return this;
    }

    Infer rank(int input, int rank) {
        check(shape(input).rank() == rank, "input " + input + " must have rank " + rank);
        return this;
    }

    Infer floating() {
        for (int i = 0; i < in.size(); i++) {
            floating(i);
        }
        return this;
    }

    Infer floating(int input) {
        check(in.get(input).dtype().isFloat(), "input " + input + " must be floating point");
        return this;
    }

    Infer dtype(int input, DType dtype) {
        check(in.get(input).dtype() == dtype, "input " + input + " must be " + dtype);
        return this;
    }

    /** All inputs from {@code first} on have the element type of input {@code first}. */
    Infer sameDtype(int first) {
        for (int i = first + 1; i < in.size(); i++) {
            check(
                    in.get(i).dtype() == in.get(first).dtype(),
                    "input " + i + " must have the element type of input " + first);
        }
        return this;
    }

    Infer sameDtype() {
        return sameDtype(0);
    }

    TensorType type(int input) {
        return in.get(input);
    }

    Shape shape(int input) {
        return in.get(input).shape();
    }

    int axis(int input, int axis) {
        int rank = shape(input).rank();
        check(axis >= -rank && axis < rank, "axis " + axis + " must lie in [-" + rank + ", " + rank + ")");
        return axis < 0 ? axis + rank : axis;
    }

    Infer exactly(int input, Dim... dims) {
        Shape expected = Shape.of(dims);
        check(shape(input).equals(expected), "input " + input + " must have shape " + expected);
        return this;
    }

    /** The result shape of NumPy broadcasting. */
    Shape broadcast(Shape a, Shape b) {
        int rank = Math.max(a.rank(), b.rank());
        List<Dim> out = new ArrayList<>();
        for (int i = 0; i < rank; i++) {
            int ia = i - (rank - a.rank());
            int ib = i - (rank - b.rank());
            if (ia < 0) {
                out.add(b.dim(ib));
            } else if (ib < 0) {
                out.add(a.dim(ia));
            } else {
                Dim da = a.dim(ia);
                Dim db = b.dim(ib);
                check(da.equals(db) || da.is(1) || db.is(1), "shapes " + a + " and " + b + " do not broadcast");
                out.add(da.is(1) ? db : da);
            }
        }
        return new Shape(out);
    }

    List<TensorType> result(DType dtype, Shape shape) {
        return List.of(new TensorType(dtype, shape));
    }

    List<TensorType> same() {
        return List.of(in.get(0));
    }
}
