package io.teleworld.graph;

import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * An operator with its attributes. Immutable.
 *
 * <p>Names and semantics are those of ONNX (default domain, opset 23) unless the record says otherwise; attributes that
 * ONNX passes as constant inputs (axes, target shapes, bounds) are components of the record here. Operators of
 * {@link Composite} have an expansion into the others.
 */
public sealed interface Op {

    /** The ONNX name, or that of the composite. */
    default String name() {
        return getClass().getSimpleName();
    }

    /**
     * Types of the outputs for these inputs.
     *
     * @throws GraphException if the inputs break a rule of the operator
     */
    List<TensorType> infer(List<TensorType> inputs);

    // ------------------------------------------------------------------------------------------ element by element

    /** One input, one output of the same type. */
    sealed interface Unary extends Op {
        @Override
        default List<TensorType> infer(List<TensorType> inputs) {
            return new Infer(this, inputs).arity(1).floating().same();
        }
    }

    /** |x|, element by element (ONNX Abs). */
    record Abs() implements Unary {}

    /** −x, element by element (ONNX Neg). */
    record Neg() implements Unary {}

    /** eˣ, element by element (ONNX Exp). */
    record Exp() implements Unary {}

    /** ln x, element by element (ONNX Log). */
    record Log() implements Unary {}

    /** √x, element by element (ONNX Sqrt). */
    record Sqrt() implements Unary {}

    /** 1/x, element by element (ONNX Reciprocal). */
    record Reciprocal() implements Unary {}

    /** sin x, x in radians, element by element (ONNX Sin). */
    record Sin() implements Unary {}

    /** cos x, x in radians, element by element (ONNX Cos). */
    record Cos() implements Unary {}

    /** tanh x, element by element (ONNX Tanh). */
    record Tanh() implements Unary {}

    /** 1/(1+e⁻ˣ), element by element (ONNX Sigmoid). */
    record Sigmoid() implements Unary {}

    /** max(x, 0), element by element (ONNX Relu). */
    record Relu() implements Unary {}

    /** ln(1+eˣ), element by element (ONNX Softplus). */
    record Softplus() implements Unary {}

    /** the error function, element by element (ONNX Erf). */
    record Erf() implements Unary {}

    /** the largest integer not above x, element by element (ONNX Floor). */
    record Floor() implements Unary {}

    /**
     * Gaussian error linear unit x·Φ(x) (ONNX Gelu).
     *
     * @param tanhApproximation whether Φ is approximated by ½(1+tanh(√(2/π)(x+0.044715x³)))
     */
    record Gelu(boolean tanhApproximation) implements Unary {}

    /**
     * Clamps to a range (ONNX Clip).
     *
     * @param min lower bound
     * @param max upper bound, not below {@code min}
     */
    record Clip(double min, double max) implements Unary {
        public Clip {
            if (!(min <= max)) {
                throw new IllegalArgumentException("clip range is [" + min + ", " + max + "]; min must not exceed max");
            }
        }
    }

    /**
     * Changes the element type (ONNX Cast).
     *
     * @param to the new element type
     */
    record Cast(DType to) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1);
            return i.result(to, i.shape(0));
        }
    }

    /** Two numeric inputs of one element type, broadcast. */
    sealed interface Binary extends Op {
        @Override
        default List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2).sameDtype();
            i.check(i.type(0).dtype() != DType.BOOL, "inputs must be numeric");
            return i.result(i.type(0).dtype(), i.broadcast(i.shape(0), i.shape(1)));
        }
    }

    /** a+b, with NumPy broadcasting (ONNX Add). */
    record Add() implements Binary {}

    /** a−b, with NumPy broadcasting (ONNX Sub). */
    record Sub() implements Binary {}

    /** a·b, with NumPy broadcasting (ONNX Mul). */
    record Mul() implements Binary {}

    /** a/b, with NumPy broadcasting (ONNX Div). */
    record Div() implements Binary {}

    /** aᵇ, with NumPy broadcasting (ONNX Pow). */
    record Pow() implements Binary {}

    /** the larger, with NumPy broadcasting (ONNX Max). */
    record Max() implements Binary {}

    /** the smaller, with NumPy broadcasting (ONNX Min). */
    record Min() implements Binary {}

    /** Two inputs of one element type, broadcast; the result is BOOL. Only {@link Equal} takes BOOL. */
    sealed interface Comparison extends Op {
        @Override
        default List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2).sameDtype();
            i.check(this instanceof Equal || i.type(0).dtype() != DType.BOOL, "inputs must be numeric");
            return i.result(DType.BOOL, i.broadcast(i.shape(0), i.shape(1)));
        }
    }

    /** a = b, with NumPy broadcasting, as BOOL (ONNX Equal). */
    record Equal() implements Comparison {}

    /** a &lt; b, with NumPy broadcasting, as BOOL (ONNX Less). */
    record Less() implements Comparison {}

    /** a > b, with NumPy broadcasting, as BOOL (ONNX Greater). */
    record Greater() implements Comparison {}

    /** Two BOOL inputs, broadcast. */
    sealed interface Logical extends Op {
        @Override
        default List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2).dtype(0, DType.BOOL).dtype(1, DType.BOOL);
            return i.result(DType.BOOL, i.broadcast(i.shape(0), i.shape(1)));
        }
    }

    /** a and b (ONNX And). */
    record And() implements Logical {}

    /** a or b (ONNX Or). */
    record Or() implements Logical {}

    /** Where the BOOL condition holds the second input, elsewhere the third, all broadcast (ONNX Where). */
    record Where() implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(3).dtype(0, DType.BOOL).sameDtype(1);
            return i.result(i.type(1).dtype(), i.broadcast(i.shape(0), i.broadcast(i.shape(1), i.shape(2))));
        }
    }

    // ------------------------------------------------------------------------------------------ reductions

    /** One float input reduced over axes. */
    sealed interface Reduction extends Op {
        /** The reduced axes; negative ones count from the end. */
        List<Integer> axes();

        /** Whether a reduced axis stays, with extent 1. */
        boolean keepDims();

        @Override
        default List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1).floating();
            i.check(!axes().isEmpty(), "at least one axis must be given");
            Set<Integer> reduced = new LinkedHashSet<>();
            for (int a : axes()) {
                i.check(reduced.add(i.axis(0, a)), "axis " + a + " is given twice");
            }
            List<Dim> out = new ArrayList<>();
            for (int a = 0; a < i.shape(0).rank(); a++) {
                if (!reduced.contains(a)) {
                    out.add(i.shape(0).dim(a));
                } else if (keepDims()) {
                    out.add(Dim.of(1));
                }
            }
            return i.result(i.type(0).dtype(), new Shape(out));
        }
    }

    /**
     * The sum over axes (ONNX ReduceSum).
     *
     * @param axes the axes, negative ones counted from the end; at least one
     * @param keepDims whether reduced axes stay with extent 1
     */
    record ReduceSum(List<Integer> axes, boolean keepDims) implements Reduction {
        public ReduceSum {
            axes = List.copyOf(axes);
        }
    }

    /**
     * The mean over axes (ONNX ReduceMean).
     *
     * @param axes the axes, negative ones counted from the end; at least one
     * @param keepDims whether reduced axes stay with extent 1
     */
    record ReduceMean(List<Integer> axes, boolean keepDims) implements Reduction {
        public ReduceMean {
            axes = List.copyOf(axes);
        }
    }

    /**
     * The largest element over axes (ONNX ReduceMax).
     *
     * @param axes the axes, negative ones counted from the end; at least one
     * @param keepDims whether reduced axes stay with extent 1
     */
    record ReduceMax(List<Integer> axes, boolean keepDims) implements Reduction {
        public ReduceMax {
            axes = List.copyOf(axes);
        }
    }

    /**
     * Softmax along one axis (ONNX Softmax).
     *
     * @param axis negative values count from the end
     */
    record Softmax(int axis) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1).floating();
            i.axis(0, axis);
            return i.same();
        }
    }

    // ------------------------------------------------------------------------------------------ normalisation

    /**
     * Layer normalisation over the last axis: (x−mean)/√(var+ε)·scale + bias (ONNX LayerNormalization, axis −1).
     * Inputs x […,d], scale [d] and, optionally, bias [d]. Statistics in fp32.
     *
     * @param epsilon positive
     */
    record LayerNormalization(double epsilon) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2, 3).floating().sameDtype();
            i.check(i.shape(0).rank() >= 1, "input 0 must have at least one axis");
            for (int k = 1; k < inputs.size(); k++) {
                i.exactly(k, i.shape(0).dim(-1));
            }
            return i.same();
        }
    }

    /**
     * Root-mean-square normalisation over the last axis: x/√(mean(x²)+ε)·scale (ONNX RMSNormalization, axis −1). Inputs
     * x […,d] and scale [d]. Statistics in fp32.
     *
     * @param epsilon positive
     */
    record RMSNormalization(double epsilon) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2).floating().sameDtype();
            i.check(i.shape(0).rank() >= 1, "input 0 must have at least one axis");
            i.exactly(1, i.shape(0).dim(-1));
            return i.same();
        }
    }

    /**
     * Group normalisation of [N,C,…]: each of {@code groups} runs of channels to mean 0 and variance 1, then
     * per-channel scale and bias (ONNX GroupNormalization, opset 21). Inputs x, scale [C], bias [C].
     *
     * @param groups divides C
     * @param epsilon positive
     */
    record GroupNormalization(int groups, double epsilon) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(3).floating().sameDtype();
            i.check(i.shape(0).rank() >= 3, "input 0 must have rank 3 or more");
            Dim c = i.shape(0).dim(1);
            i.check(
                    c.isKnown() && groups > 0 && c.known() % groups == 0,
                    groups + " groups must divide " + c + " channels");
            i.exactly(1, c).exactly(2, c);
            return i.same();
        }
    }

    // ------------------------------------------------------------------------------------------ products

    /** Matrix product of the last two axes, leading axes broadcast (ONNX MatMul); both inputs of rank 2 or more. */
    record MatMul() implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2).floating().sameDtype();
            Shape a = i.shape(0);
            Shape b = i.shape(1);
            i.check(a.rank() >= 2 && b.rank() >= 2, "both inputs must have rank 2 or more");
            i.check(a.dim(-1).equals(b.dim(-2)), "inner extents " + a.dim(-1) + " and " + b.dim(-2) + " must be equal");
            Shape lead = i.broadcast(
                    new Shape(a.dims().subList(0, a.rank() - 2)),
                    new Shape(b.dims().subList(0, b.rank() - 2)));
            List<Dim> out = new ArrayList<>(lead.dims());
            out.add(a.dim(-2));
            out.add(b.dim(-1));
            return i.result(i.type(0).dtype(), new Shape(out));
        }
    }

    /**
     * Convolution over 1 to 3 spatial axes (ONNX Conv). Inputs x [N,C,spatial…], weight [M,C/group,kernel…] and,
     * optionally, bias [M]. Output extent ⌊(in + before + after − dilation·(k−1) − 1)/stride⌋ + 1.
     *
     * @param strides per spatial axis
     * @param pads zeros before each spatial axis, then after each: {@code [b₁,…,bₙ,a₁,…,aₙ]}
     * @param dilations per spatial axis
     * @param group divides C and M
     */
    record Conv(List<Integer> strides, List<Integer> pads, List<Integer> dilations, int group) implements Op {
        public Conv {
            strides = List.copyOf(strides);
            pads = List.copyOf(pads);
            dilations = List.copyOf(dilations);
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2, 3).floating().sameDtype();
            Shape x = i.shape(0);
            Shape w = i.shape(1);
            int n = x.rank() - 2;
            i.check(n >= 1 && n <= 3, "input 0 must have rank 3, 4 or 5");
            i.check(w.rank() == x.rank() && w.isKnown(), "the weight must have rank " + x.rank() + " without symbols");
            i.check(
                    strides.size() == n && dilations.size() == n && pads.size() == 2 * n,
                    "strides and dilations need " + n + " entries, pads " + 2 * n);
            Dim c = x.dim(1);
            i.check(
                    c.isKnown() && group > 0 && c.known() == w.dim(1).known() * group,
                    "channels " + c + " must be group × weight channels " + w.dim(1));
            i.check(w.dim(0).known() % group == 0, "group " + group + " must divide " + w.dim(0) + " output channels");
            if (inputs.size() == 3) {
                i.exactly(2, w.dim(0));
            }
            List<Dim> out = new ArrayList<>(List.of(x.dim(0), w.dim(0)));
            for (int k = 0; k < n; k++) {
                long reach = (long) dilations.get(k) * (w.dim(k + 2).known() - 1) + 1;
                Dim span = x.dim(k + 2).plus(pads.get(k) + (long) pads.get(k + n) - reach);
                int stride = strides.get(k);
                i.check(stride >= 1, "strides must be at least 1");
                if (span.isKnown()) {
                    i.check(
                            span.known() >= 0,
                            "kernel reach " + reach + " exceeds the padded extent " + span.plus(reach));
                    out.add(Dim.of(span.known() / stride + 1));
                } else {
                    i.check(
                            stride == 1 || span.isDivisibleBy(stride),
                            "symbolic extent " + x.dim(k + 2) + " with stride " + stride + " leaves a remainder");
                    out.add(span.dividedBy(stride).plus(1));
                }
            }
            return i.result(i.type(0).dtype(), new Shape(out));
        }
    }

    /**
     * Scaled dot-product attention (ONNX Attention, opset 23) on inputs that keep the heads joined: query
     * [B,Lq,heads·D], key [B,Lk,heads·D], value [B,Lk,heads·Dv] and, optionally, a mask [Lq,Lk] (or [B,1,Lq,Lk]) that
     * is BOOL (false = hidden) or added to the scores. Output [B,Lq,heads·Dv]: softmax(q·kᵀ·scale + mask)·v per head.
     *
     * @param heads the number of heads
     * @param scale factor on the scores, usually 1/√D; positive
     */
    record Attention(int heads, double scale) implements Op {
        public Attention {
            if (heads < 1 || !(scale > 0)) {
                throw new IllegalArgumentException(
                        "heads is " + heads + ", scale " + scale + "; both must be positive");
            }
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(3, 4).rank(0, 3).rank(1, 3).rank(2, 3);
            i.floating(0).floating(1).floating(2);
            Shape q = i.shape(0);
            Shape k = i.shape(1);
            Shape v = i.shape(2);
            i.check(
                    i.type(0).dtype() == i.type(1).dtype()
                            && i.type(0).dtype() == i.type(2).dtype(),
                    "query, key and value must have one element type");
            i.check(q.dim(0).equals(k.dim(0)) && q.dim(0).equals(v.dim(0)), "batch extents must be equal");
            i.check(k.dim(1).equals(v.dim(1)), "key and value must have equal lengths");
            i.check(q.dim(2).equals(k.dim(2)), "query and key must have equal widths");
            i.check(
                    q.dim(2).isDivisibleBy(heads) && v.dim(2).isDivisibleBy(heads),
                    heads + " heads must divide the width");
            if (inputs.size() == 4) {
                Shape m = i.shape(3);
                i.check(m.rank() == 2 || (m.rank() == 4 && m.dim(1).is(1)), "the mask must be [Lq,Lk] or [B,1,Lq,Lk]");
                i.check(
                        m.dim(-2).equals(q.dim(1)) && m.dim(-1).equals(k.dim(1)),
                        "the mask must end in [" + q.dim(1) + "," + k.dim(1) + "]");
                i.check(
                        i.type(3).dtype() == DType.BOOL
                                || i.type(3).dtype() == i.type(0).dtype(),
                        "the mask must be BOOL or of the query's element type");
            }
            return i.result(i.type(0).dtype(), q.with(2, v.dim(2)));
        }
    }

    /**
     * Rotary position embedding with interleaved pairs (ONNX RotaryEmbedding, opset 23, interleaved = 1, no position
     * ids): input x [B,L,heads·D], cos and sin [B or 1,L,D/2] in fp32. In each head, pair (2j, 2j+1) is the complex
     * number that is multiplied by cos_j + i·sin_j. Arithmetic in fp32.
     *
     * @param heads the number of heads
     */
    record RotaryEmbedding(int heads) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs)
                    .arity(3)
                    .floating()
                    .rank(0, 3)
                    .rank(1, 3)
                    .rank(2, 3);
            Shape x = i.shape(0);
            i.check(
                    heads >= 1 && x.dim(2).isDivisibleBy(2L * heads),
                    "width must be divisible by 2 × " + heads + " heads");
            for (int k = 1; k <= 2; k++) {
                Shape c = i.shape(k);
                i.check(
                        (c.dim(0).equals(x.dim(0)) || c.dim(0).is(1))
                                && c.dim(1).equals(x.dim(1))
                                && c.dim(2).equals(x.dim(2).dividedBy(2L * heads)),
                        "input " + k + " must be [B or 1,L,D/2]");
            }
            return i.same();
        }
    }

    // ------------------------------------------------------------------------------------------ shape

    /**
     * The same elements under another shape (ONNX Reshape, without its 0 and −1).
     *
     * @param shape the new shape, with as many elements
     */
    record Reshape(Shape shape) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1);
            i.check(
                    i.shape(0).elementCount().equals(shape.elementCount()),
                    "cannot hold " + i.shape(0).elementCount() + " elements in " + shape);
            return i.result(i.type(0).dtype(), shape);
        }
    }

    /**
     * Permutes axes (ONNX Transpose).
     *
     * @param permutation output axis k is input axis {@code permutation[k]}
     */
    record Transpose(List<Integer> permutation) implements Op {
        public Transpose {
            permutation = List.copyOf(permutation);
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1);
            int rank = i.shape(0).rank();
            i.check(
                    permutation.size() == rank
                            && permutation.stream()
                                    .sorted()
                                    .toList()
                                    .equals(java.util.stream.IntStream.range(0, rank)
                                            .boxed()
                                            .toList()),
                    "must permute 0.." + (rank - 1));
            return i.result(
                    i.type(0).dtype(),
                    new Shape(permutation.stream().map(a -> i.shape(0).dim(a)).toList()));
        }
    }

    /**
     * Joins inputs along an axis (ONNX Concat).
     *
     * @param axis negative values count from the end
     */
    record Concat(int axis) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1, Integer.MAX_VALUE).sameDtype();
            int a = i.axis(0, axis);
            Dim sum = i.shape(0).dim(a);
            for (int k = 1; k < inputs.size(); k++) {
                i.check(i.shape(k).rank() == i.shape(0).rank(), "inputs must have one rank");
                i.check(
                        i.shape(k).with(a, sum).equals(i.shape(0).with(a, sum)),
                        "inputs may differ in axis " + a + " only");
                sum = sum.plus(i.shape(k).dim(a));
            }
            return i.result(i.type(0).dtype(), i.shape(0).with(a, sum));
        }
    }

    /**
     * Cuts an axis into runs (ONNX Split).
     *
     * @param axis negative values count from the end
     * @param sizes known extents that add up to the axis
     */
    record Split(int axis, List<Long> sizes) implements Op {
        public Split {
            sizes = List.copyOf(sizes);
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1);
            int a = i.axis(0, axis);
            long sum = sizes.stream().mapToLong(Long::longValue).sum();
            i.check(
                    i.shape(0).dim(a).is(sum),
                    "sizes " + sizes + " must add up to extent " + i.shape(0).dim(a));
            return sizes.stream()
                    .map(s -> new TensorType(i.type(0).dtype(), i.shape(0).with(a, Dim.of(s))))
                    .toList();
        }
    }

    /**
     * A run of one axis (ONNX Slice with step 1).
     *
     * @param axis negative values count from the end
     * @param start first index; a negative value counts from the end of the axis
     * @param end index behind the last; a negative value counts from the end, {@link #TO_END} means all the rest
     */
    record Slice(int axis, long start, long end) implements Op {

        /** Everything up to the end of the axis. */
        public static final long TO_END = Long.MAX_VALUE;

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1);
            int a = i.axis(0, axis);
            Dim n = i.shape(0).dim(a);
            Dim from = start < 0 ? n.plus(start) : Dim.of(start);
            Dim to = end == TO_END ? n : end < 0 ? n.plus(end) : Dim.of(end);
            if (n.isKnown()) {
                long size = n.known();
                long f = start < 0 ? start + size : start;
                long t = end == TO_END ? size : end < 0 ? end + size : end;
                i.check(f >= 0 && f <= t && t <= size, "[" + start + ", " + end + ") must lie within extent " + n);
            }
            return i.result(i.type(0).dtype(), i.shape(0).with(a, to.minus(from)));
        }
    }

    /**
     * Rows picked by index along one axis (ONNX Gather): inputs data and I64 indices of any shape, which replaces the
     * axis. Indices must lie in [0, extent).
     *
     * @param axis negative values count from the end
     */
    record Gather(int axis) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2).dtype(1, DType.I64);
            int a = i.axis(0, axis);
            List<Dim> out = new ArrayList<>(i.shape(0).dims().subList(0, a));
            out.addAll(i.shape(1).dims());
            out.addAll(i.shape(0).dims().subList(a + 1, i.shape(0).rank()));
            return i.result(i.type(0).dtype(), new Shape(out));
        }
    }

    /**
     * Repeats extents of 1 (ONNX Expand).
     *
     * @param shape the result; the input must broadcast to exactly this
     */
    record Expand(Shape shape) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1);
            i.check(i.broadcast(i.shape(0), shape).equals(shape), "input must broadcast to " + shape);
            return i.result(i.type(0).dtype(), shape);
        }
    }

    /** How {@link Pad} fills. */
    enum PadMode {
        /** Zeros. */
        CONSTANT,
        /** The nearest border element. */
        EDGE
    }

    /**
     * Adds a border (ONNX Pad).
     *
     * @param pads elements before each axis, then after each; not negative
     * @param mode what fills the border
     */
    record Pad(List<Integer> pads, PadMode mode) implements Op {
        public Pad {
            pads = List.copyOf(pads);
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1);
            int rank = i.shape(0).rank();
            i.check(pads.size() == 2 * rank && pads.stream().allMatch(p -> p >= 0), "needs " + 2 * rank + " pads ≥ 0");
            Shape s = i.shape(0);
            for (int a = 0; a < rank; a++) {
                s = s.with(a, s.dim(a).plus(pads.get(a) + (long) pads.get(a + rank)));
            }
            return i.result(i.type(0).dtype(), s);
        }
    }

    /** How {@link Resize} samples. */
    enum ResizeMode {
        /** Each element repeated (ONNX nearest, asymmetric, floor; same as nearest-exact for whole factors). */
        NEAREST,
        /** Bilinear between pixel centres (ONNX linear, half_pixel). */
        LINEAR
    }

    /**
     * Enlarges the last two axes of [N,C,H,W] by whole factors (ONNX Resize).
     *
     * @param scaleH factor on H, at least 1
     * @param scaleW factor on W, at least 1
     * @param mode sampling
     */
    record Resize(int scaleH, int scaleW, ResizeMode mode) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1).floating().rank(0, 4);
            i.check(scaleH >= 1 && scaleW >= 1, "scales must be at least 1");
            Shape s = i.shape(0);
            return i.result(
                    i.type(0).dtype(),
                    s.with(2, s.dim(2).times(scaleH)).with(3, s.dim(3).times(scaleW)));
        }
    }

    /**
     * Channels to blocks of pixels: [N,C·b²,H,W] to [N,C,H·b,W·b] (ONNX DepthToSpace, mode CRD, as PixelShuffle).
     *
     * @param blocksize b, at least 1
     */
    record DepthToSpace(int blocksize) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1).rank(0, 4);
            Shape s = i.shape(0);
            long b2 = (long) blocksize * blocksize;
            i.check(blocksize >= 1 && s.dim(1).isDivisibleBy(b2), "channels must be divisible by " + b2);
            return i.result(
                    i.type(0).dtype(),
                    Shape.of(
                            s.dim(0),
                            s.dim(1).dividedBy(b2),
                            s.dim(2).times(blocksize),
                            s.dim(3).times(blocksize)));
        }
    }

    // ------------------------------------------------------------------------------------------ state

    /**
     * The content of a state at the start of the run; no inputs.
     *
     * @param state a register, or a frame cache, which yields [visible frames, frameShape…]
     */
    record ReadState(State state) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(0);
            if (state instanceof State.FrameCache c) {
                List<Dim> dims = new ArrayList<>();
                dims.add(Dim.symbol(c.visibleSymbol()));
                dims.addAll(c.frameShape().dims());
                return i.result(c.dtype(), new Shape(dims));
            }
            return i.result(state.dtype(), ((State.Register) state).shape());
        }
    }

    /**
     * Replaces the content of a register, or appends to a frame cache, when the run ends; one input, no output. For a
     * frame cache the input is [frames, frameShape…] and its frames go under the ids that the run's options name; a run
     * that names none leaves the cache as it is.
     *
     * @param state what is written
     */
    record WriteState(State state) implements Op {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(1).dtype(0, state.dtype());
            if (state instanceof State.FrameCache c) {
                i.check(
                        i.shape(0).rank() == c.frameShape().rank() + 1
                                && i.shape(0)
                                        .dims()
                                        .subList(1, i.shape(0).rank())
                                        .equals(c.frameShape().dims()),
                        "input must be [frames," + c.frameShape() + "]");
            } else {
                Shape s = ((State.Register) state).shape();
                i.check(i.shape(0).equals(s), "input must have the register's shape " + s);
            }
            return List.of();
        }
    }

    // ------------------------------------------------------------------------------------------ composites

    /** An operator that a runtime may run with one kernel, and that otherwise expands into others. */
    sealed interface Composite extends Op {

        /** Applies the default expansion and returns its results. */
        List<Value> expand(GraphBuilder b, List<Value> inputs);
    }

    /** x·sigmoid(x). */
    record Silu() implements Composite {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            return new Infer(this, inputs).arity(1).floating().same();
        }

        @Override
        public List<Value> expand(GraphBuilder b, List<Value> in) {
            return List.of(b.mul(in.get(0), b.sigmoid(in.get(0))));
        }
    }

    /** Linear layer x·Wᵀ + bias: inputs x […,in], weight [out,in] and, optionally, bias [out]; output […,out]. */
    record Linear() implements Composite {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(2, 3).floating().sameDtype().rank(1, 2);
            i.check(i.shape(0).rank() >= 2, "input 0 must have rank 2 or more");
            i.check(
                    i.shape(0).dim(-1).equals(i.shape(1).dim(1)),
                    "width " + i.shape(0).dim(-1) + " must be the weight's "
                            + i.shape(1).dim(1));
            if (inputs.size() == 3) {
                i.exactly(2, i.shape(1).dim(0));
            }
            return i.result(i.type(0).dtype(), i.shape(0).with(-1, i.shape(1).dim(0)));
        }

        @Override
        public List<Value> expand(GraphBuilder b, List<Value> in) {
            Value y = b.matMul(in.get(0), b.transpose(in.get(1), 1, 0));
            return List.of(in.size() == 3 ? b.add(y, in.get(2)) : y);
        }
    }

    /**
     * Layer normalisation without affine parameters, then modulation: LN(x)·(1+scale) + shift. Inputs x [B,F,S,d], shift
     * and scale broadcastable to it, usually [B,F,1,d] (one vector per frame). In fp32.
     *
     * @param epsilon positive
     */
    record ModulatedLayerNorm(double epsilon) implements Composite {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(3).floating().sameDtype();
            i.check(i.shape(0).rank() >= 1 && i.shape(0).dim(-1).isKnown(), "the last extent of input 0 must be known");
            for (int k = 1; k <= 2; k++) {
                i.check(
                        i.broadcast(i.shape(0), i.shape(k)).equals(i.shape(0)),
                        "input " + k + " must broadcast to input 0");
            }
            return i.same();
        }

        @Override
        public List<Value> expand(GraphBuilder b, List<Value> in) {
            Value x = in.get(0);
            Value normed = b.layerNorm(x, b.ones(x.dim(-1).known()), null, epsilon);
            Value one = b.scalar(1);
            return List.of(b.add(b.mul(normed, b.add(in.get(2), one)), in.get(1)));
        }
    }

    /** Residual connection through a gate: x + y·gate; inputs x, y of one shape and gate broadcastable to it. */
    record GatedResidual() implements Composite {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(3).floating().sameDtype();
            i.check(i.shape(0).equals(i.shape(1)), "inputs 0 and 1 must have one shape");
            i.check(i.broadcast(i.shape(0), i.shape(2)).equals(i.shape(0)), "input 2 must broadcast to input 0");
            return i.same();
        }

        @Override
        public List<Value> expand(GraphBuilder b, List<Value> in) {
            return List.of(b.add(in.get(0), b.mul(in.get(1), in.get(2))));
        }
    }

    /**
     * Query or key of an attention layer: RMS normalisation over the whole width (all heads jointly), then rotary
     * embedding. Inputs x [B,L,d], scale [d], cos and sin [B or 1,L,D/2].
     *
     * @param heads the number of heads
     * @param epsilon positive
     */
    record NormedRotary(int heads, double epsilon) implements Composite {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(4).floating();
            i.part(new RMSNormalization(epsilon), i.type(0), i.type(1));
            return i.part(new RotaryEmbedding(heads), i.type(0), i.type(2), i.type(3));
        }

        @Override
        public List<Value> expand(GraphBuilder b, List<Value> in) {
            return List.of(b.rotary(b.rmsNorm(in.get(0), in.get(1), epsilon), in.get(2), in.get(3), heads));
        }
    }

    /**
     * Memory block of a tiny video autoencoder: relu(conv₂(relu(conv₁(relu(conv₀([x ; past]))))) + skip(x)) with 3×3
     * convolutions of padding 1. Inputs x [T,C,H,W], past [T,C,H,W] (the same block's input one time step earlier),
     * weights and biases of the three convolutions ([M,2C,3,3],[M],[M,M,3,3],[M],[M,M,3,3],[M]) and, where C ≠ M, the
     * skip's 1×1 weight [M,C,1,1].
     */
    record MemoryBlock() implements Composite {
        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(8, 9).floating().sameDtype().rank(0, 4);
            i.check(i.shape(0).equals(i.shape(1)), "past must have the shape of x");
            Dim c = i.shape(0).dim(1);
            Dim m = i.shape(2).dim(0);
            Dim k = Dim.of(3);
            i.exactly(2, m, c.times(2), k, k)
                    .exactly(3, m)
                    .exactly(4, m, m, k, k)
                    .exactly(5, m);
            i.exactly(6, m, m, k, k).exactly(7, m);
            if (inputs.size() == 9) {
                i.exactly(8, m, c, Dim.of(1), Dim.of(1));
            } else {
                i.check(
                        c.equals(m),
                        "without a skip weight, " + c + " input and " + m + " output channels must be equal");
            }
            return i.result(i.type(0).dtype(), i.shape(0).with(1, m));
        }

        @Override
        public List<Value> expand(GraphBuilder b, List<Value> in) {
            Value x = in.get(0);
            Value y = b.relu(b.conv2d(b.concat(1, x, in.get(1)), in.get(2), in.get(3), 1, 1));
            y = b.relu(b.conv2d(y, in.get(4), in.get(5), 1, 1));
            y = b.conv2d(y, in.get(6), in.get(7), 1, 1);
            Value skip = in.size() == 9 ? b.conv2d(x, in.get(8), null, 1, 0) : x;
            return List.of(b.relu(b.add(y, skip)));
        }
    }

    /**
     * Block-sparse attention of windows of m tokens, with chosen windows for each window and head. Inputs query
     * [N,W·m,heads·D], key and value [N or 1,S,W·m,heads·D] (S slabs of W windows each), kept BOOL [N,W,heads,R·S] and
     * neighbours I64 [W,R] below W. A query of window w sees the tokens of window neighbours[w,r] of slab s where
     * kept[·,w,·,r·S+s] holds; of one w, what is kept lies in different windows. Output [N,W·m,heads·D]; 0 for queries
     * that see nothing.
     *
     * @param heads the number of heads
     * @param scale factor on the scores, usually 1/√D; positive
     */
    record WindowAttention(int heads, double scale) implements Composite {
        private static final float HIDDEN = -1e30f;

        public WindowAttention {
            if (heads < 1 || !(scale > 0)) {
                throw new IllegalArgumentException(
                        "heads is " + heads + ", scale " + scale + "; both must be positive");
            }
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            Infer i = new Infer(this, inputs).arity(5).rank(0, 3).rank(1, 4).rank(4, 2);
            i.floating(0).dtype(1, i.type(0).dtype()).dtype(2, i.type(0).dtype());
            i.dtype(3, DType.BOOL).dtype(4, DType.I64);
            Shape q = i.shape(0);
            Shape k = i.shape(1);
            Shape neighbours = i.shape(4);
            i.check(q.dim(2).isDivisibleBy(heads), heads + " heads must divide the width");
            i.check(neighbours.isKnown(), "the extents of neighbours must be known");
            long windows = neighbours.dim(0).known();
            i.check(windows > 0 && q.dim(1).isDivisibleBy(windows), windows + " windows must divide the queries");
            i.check(k.dim(0).is(1) || k.dim(0).equals(q.dim(0)), "the batch of key must be 1 or that of query");
            i.exactly(1, k.dim(0), k.dim(1), q.dim(1), q.dim(2));
            i.exactly(2, k.dim(0), k.dim(1), q.dim(1), q.dim(2));
            i.exactly(
                    3,
                    q.dim(0),
                    neighbours.dim(0),
                    Dim.of(heads),
                    k.dim(1).times(neighbours.dim(1).known()));
            return i.result(i.type(0).dtype(), q);
        }

        @Override
        public List<Value> expand(GraphBuilder b, List<Value> in) {
            Value q = in.get(0);
            Value kept = in.get(3);
            Dim n = q.dim(0);
            Dim windows = in.get(4).dim(0);
            Dim members = q.dim(1).dividedBy(windows.known());
            Dim hd = Dim.of(heads);
            Dim width = q.dim(2).dividedBy(heads);
            Dim one = Dim.of(1);
            Dim pairs = kept.dim(3);
            Dim length = pairs.times(members);
            Value queries = b.transpose(b.reshape(q, n, windows, members, hd, width), 0, 1, 3, 2, 4);
            Value keys = seen(b, in.get(1), in.get(4), members, width);
            Value values = seen(b, in.get(2), in.get(4), members, width);
            Value bias = b.where(kept, b.scalar(0), b.scalar(HIDDEN));
            bias = b.expand(b.reshape(bias, n, windows, hd, pairs, one), Shape.of(n, windows, hd, pairs, members));
            Value scores = b.matMul(b.mul(queries, b.scalar(scale)), b.transpose(keys, 0, 1, 2, 4, 3));
            scores = b.add(scores, b.reshape(bias, n, windows, hd, one, length));
            Value out = b.matMul(b.softmax(scores, -1), values);
            Value any = b.clip(b.reduceSum(b.cast(kept, DType.F32), true, -1), 0, 1);
            out = b.mul(out, b.reshape(any, n, windows, hd, one, one));
            return List.of(b.reshape(b.transpose(out, 0, 1, 3, 2, 4), n, q.dim(1), q.dim(2)));
        }

        /**
         * What each window may see, per head: [·,windows,heads,R·S·m,D]. Heads are looked up with the windows, so that
         * everything is copied once and in long runs.
         */
        private Value seen(GraphBuilder b, Value x, Value neighbours, Dim members, Dim width) {
            Dim slabs = x.dim(1);
            Dim windows = neighbours.dim(0);
            Dim reach = neighbours.dim(1);
            Dim hd = Dim.of(heads);
            Value y = b.transpose(b.reshape(x, x.dim(0), slabs, windows, members, hd, width), 0, 2, 4, 1, 3, 5);
            y = b.reshape(y, x.dim(0), windows.times(hd), slabs.times(members).times(width));
            long[] head = new long[heads];
            for (int h = 0; h < heads; h++) {
                head[h] = h;
            }
            Value index = b.mul(b.reshape(neighbours, windows, Dim.of(1), reach), b.constant(new long[] {heads}, 1));
            index = b.reshape(
                    b.add(index, b.constant(head, heads, 1)), windows.times(hd).times(reach));
            y = b.gather(y, index, 1);
            return b.reshape(y, x.dim(0), windows, hd, slabs.times(members).times(reach), width);
        }
    }

    /** Every operator record, for runtimes and test kits that must cover all of them. */
    static List<Class<? extends Op>> all() {
        List<Class<? extends Op>> out = new ArrayList<>();
        collect(Op.class, out);
        return List.copyOf(out);
    }

    private static void collect(Class<? extends Op> type, List<Class<? extends Op>> out) {
        if (type.isRecord()) {
            out.add(type);
            return;
        }
        for (Class<?> sub : type.getPermittedSubclasses()) {
            collect(sub.asSubclass(Op.class), out);
        }
    }
}
