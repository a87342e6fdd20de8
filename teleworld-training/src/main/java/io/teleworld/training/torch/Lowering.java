package io.teleworld.training.torch;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Op;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Operators as LibTorch calls, all of them differentiable where the operator is.
 *
 * <p>A value that the graph declares as F32 may be held in the narrower type of products; LibTorch's promotion widens it
 * where it meets an fp32 tensor. Immutable and thread-safe. Must run within a {@link
 * org.bytedeco.javacpp.PointerScope}, which takes the temporaries.
 */
final class Lowering {

    private final Arithmetic arithmetic;
    private final boolean cuda;

    Lowering(Arithmetic arithmetic, boolean cuda) {
        this.arithmetic = arithmetic;
        this.cuda = cuda;
    }

    /** Applies an operator that has no state; every result is a new handle. */
    List<Tensor> apply(Op op, Operands in, Map<String, Long> symbols) {
        if (op instanceof Op.Split split) {
            return split(in.get(0), split);
        }
        return List.of(one(op, in, symbols));
    }

    private Tensor one(Op op, Operands in, Map<String, Long> symbols) {
        if (op instanceof Op.Unary u) {
            return unary(u, in.get(0));
        } else if (op instanceof Op.Binary b) {
            return binary(b, in.get(0), in.get(1));
        } else if (op instanceof Op.Comparison c) {
            return comparison(c, in.get(0), in.get(1));
        } else if (op instanceof Op.Logical l) {
            return l instanceof Op.And
                    ? torch.logical_and(in.get(0), in.get(1))
                    : torch.logical_or(in.get(0), in.get(1));
        } else if (op instanceof Op.Reduction r) {
            return reduction(r, in.get(0));
        } else if (op instanceof Op.Composite c) {
            return composite(c, in);
        }
        Tensor x = in.get(0);
        if (op instanceof Op.Cast c) {
            return TorchTensors.cast(x, TorchTensors.scalarType(c.to()));
        } else if (op instanceof Op.Where) {
            return torch.where(x, in.get(1), in.get(2));
        } else if (op instanceof Op.Softmax s) {
            return torch.softmax(x, s.axis(), floatAccumulator(x));
        } else if (op instanceof Op.LayerNormalization n) {
            Tensor w = like(in.get(1), x);
            return layerNorm(x, w, in.size() == 3 ? like(in.get(2), x) : null, n.epsilon());
        } else if (op instanceof Op.RMSNormalization n) {
            return rmsNorm(x, in.get(1), n.epsilon());
        } else if (op instanceof Op.GroupNormalization n) {
            return torch.group_norm(
                    x, n.groups(), some(like(in.get(1), x)), some(like(in.get(2), x)), n.epsilon(), true);
        } else if (op instanceof Op.MatMul) {
            return torch.matmul(in.product(0), in.product(1));
        } else if (op instanceof Op.Conv c) {
            return conv(c, in.product(0), in.kernel(1), in.size() == 3 ? in.product(2) : null);
        } else if (op instanceof Op.Attention a) {
            return attention(a, in);
        } else if (op instanceof Op.RotaryEmbedding r) {
            return rotary(x, in.get(1), in.get(2), r.heads(), null);
        } else if (op instanceof Op.Reshape r) {
            return x.reshape(r.shape().evaluate(symbols));
        } else if (op instanceof Op.Transpose t) {
            return x.permute(t.permutation().stream().mapToLong(i -> i).toArray());
        } else if (op instanceof Op.Concat c) {
            return concat(in, c.axis());
        } else if (op instanceof Op.Slice s) {
            return slice(x, s);
        } else if (op instanceof Op.Gather g) {
            return gather(x, in.get(1), g.axis());
        } else if (op instanceof Op.Expand e) {
            return x.expand(e.shape().evaluate(symbols));
        } else if (op instanceof Op.Pad p) {
            return pad(x, p);
        } else if (op instanceof Op.Resize r) {
            return resize(x, r);
        } else if (op instanceof Op.DepthToSpace d) {
            return torch.pixel_shuffle(x, d.blocksize());
        }
        throw new IllegalArgumentException("operator " + op.name() + " has no LibTorch form");
    }

    // ------------------------------------------------------------------------------------------ element by element

    private static Tensor unary(Op.Unary op, Tensor x) {
        if (op instanceof Op.Abs) {
            return torch.abs(x);
        } else if (op instanceof Op.Neg) {
            return torch.neg(x);
        } else if (op instanceof Op.Exp) {
            return torch.exp(x);
        } else if (op instanceof Op.Log) {
            return torch.log(x);
        } else if (op instanceof Op.Sqrt) {
            return torch.sqrt(x);
        } else if (op instanceof Op.Reciprocal) {
            return torch.reciprocal(x);
        } else if (op instanceof Op.Sin) {
            return torch.sin(x);
        } else if (op instanceof Op.Cos) {
            return torch.cos(x);
        } else if (op instanceof Op.Tanh) {
            return torch.tanh(x);
        } else if (op instanceof Op.Sigmoid) {
            return torch.sigmoid(x);
        } else if (op instanceof Op.Relu) {
            return torch.relu(x);
        } else if (op instanceof Op.Softplus) {
            return torch.softplus(x);
        } else if (op instanceof Op.Erf) {
            return torch.erf(x);
        } else if (op instanceof Op.Floor) {
            return torch.floor(x);
        } else if (op instanceof Op.Gelu g) {
            return torch.gelu(x, g.tanhApproximation() ? "tanh" : "none");
        } else if (op instanceof Op.Clip c) {
            return torch.clamp(x, new ScalarOptional(new Scalar(c.min())), new ScalarOptional(new Scalar(c.max())));
        }
        throw new IllegalArgumentException("operator " + op.name() + " has no LibTorch form");
    }

    private Tensor binary(Op.Binary op, Tensor a, Tensor b) {
        if (op instanceof Op.Add) {
            return a.add(b);
        } else if (op instanceof Op.Sub) {
            return a.sub(b);
        } else if (op instanceof Op.Mul) {
            return a.mul(b);
        } else if (op instanceof Op.Div) {
            return a.is_floating_point() ? a.div(b) : truncatingDivision(a, b);
        } else if (op instanceof Op.Pow) {
            return torch.pow(a, b);
        } else if (op instanceof Op.Max) {
            return torch.maximum(a, b);
        }
        return torch.minimum(a, b);
    }

    private static Tensor truncatingDivision(Tensor a, Tensor b) {
        // The option only refers to its characters, so these must live as long as the call.
        BytePointer mode = new BytePointer("trunc");
        return a.div(b, new StringViewOptional(mode));
    }

    private static Tensor comparison(Op.Comparison op, Tensor a, Tensor b) {
        if (op instanceof Op.Equal) {
            return torch.eq(a, b);
        }
        return op instanceof Op.Less ? torch.lt(a, b) : torch.gt(a, b);
    }

    private static Tensor reduction(Op.Reduction op, Tensor x) {
        long[] axes = op.axes().stream().mapToLong(i -> i).toArray();
        if (op instanceof Op.ReduceSum) {
            return torch.sum(x, axes, op.keepDims(), floatAccumulator(x));
        } else if (op instanceof Op.ReduceMean) {
            return torch.mean(x, axes, op.keepDims(), floatAccumulator(x));
        }
        return torch.amax(x, axes, op.keepDims());
    }

    /** Narrow floats are widened by reductions and softmax. */
    private static ScalarTypeOptional floatAccumulator(Tensor x) {
        ScalarType t = TorchTensors.type(x);
        return t == ScalarType.BFloat16 ? new ScalarTypeOptional(ScalarType.Float) : new ScalarTypeOptional(t);
    }

    // ------------------------------------------------------------------------------------------ normalisation

    /** On the host the kernels take fp32 parameters with narrow data; on CUDA both must agree. */
    private Tensor like(Tensor parameter, Tensor x) {
        return cuda ? TorchTensors.cast(parameter, TorchTensors.type(x)) : parameter;
    }

    private static Tensor layerNorm(Tensor x, @Nullable Tensor weight, @Nullable Tensor bias, double epsilon) {
        return torch.layer_norm(x, new long[] {x.size(-1)}, some(weight), some(bias), epsilon, true);
    }

    /** x·rsqrt(mean(x²)+ε)·weight with statistics in fp32; the result has the type of x. */
    private static Tensor rmsNorm(Tensor x, Tensor weight, double epsilon) {
        ScalarType type = TorchTensors.type(x);
        Tensor wide = TorchTensors.cast(x, ScalarType.Float);
        return TorchTensors.cast(wide.mul(inverseRms(wide, epsilon)).mul(weight), type);
    }

    private static Tensor inverseRms(Tensor x, double epsilon) {
        Tensor meanSquare = torch.mean(x.mul(x), new long[] {-1}, true, new ScalarTypeOptional());
        return torch.rsqrt(meanSquare.add(new Scalar(epsilon)));
    }

    // ------------------------------------------------------------------------------------------ products

    private static Tensor conv(Op.Conv op, Tensor x, Tensor weight, @Nullable Tensor bias) {
        int n = op.strides().size();
        long[] pads = new long[n];
        Tensor padded = x;
        boolean symmetric = true;
        for (int i = 0; i < n; i++) {
            symmetric &= op.pads().get(i).equals(op.pads().get(i + n));
            pads[i] = op.pads().get(i);
        }
        if (!symmetric) {
            List<Integer> all = new ArrayList<>(List.of(0, 0));
            all.addAll(op.pads().subList(0, n));
            all.addAll(List.of(0, 0));
            all.addAll(op.pads().subList(n, 2 * n));
            padded = pad(x, new Op.Pad(all, Op.PadMode.CONSTANT));
            pads = new long[n];
        }
        return torch.convolution(
                padded,
                weight,
                some(bias),
                longs(op.strides()),
                pads,
                longs(op.dilations()),
                false,
                new long[n],
                op.group());
    }

    private static Tensor conv3x3(Tensor x, Tensor weight, Tensor bias) {
        long[] one = {1, 1};
        return torch.convolution(x, weight, some(bias), one, one, one, false, new long[2], 1);
    }

    private Tensor attention(Op.Attention op, Operands in) {
        Tensor q = heads(in.product(0), op.heads());
        Tensor k = heads(in.product(1), op.heads());
        Tensor v = heads(in.product(2), op.heads());
        VisibilityBlocks blocks = in.size() == 4 ? in.blocks(3) : null;
        Tensor y = blocks != null
                ? attentionByGroups(q, k, v, blocks, op.scale())
                : attend(q, k, v, in.size() == 4 ? in.mask(3) : null, op.scale());
        Tensor joined = y.transpose(1, 2);
        return joined.reshape(joined.size(0), joined.size(1), joined.size(2) * joined.size(3));
    }

    private Tensor attend(Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, double scale) {
        return arithmetic.narrow() && !cuda
                ? attentionByProducts(q, k, v, mask, scale)
                : torch.scaled_dot_product_attention(q, k, v, some(mask), 0.0, false, new DoubleOptional(scale), false);
    }

    /** Each group of queries attends to the keys that it sees and to nothing else. */
    private Tensor attentionByGroups(Tensor q, Tensor k, Tensor v, VisibilityBlocks blocks, double scale) {
        // Splitting once keeps the way back cheap: one concatenation instead of a padded sum per piece.
        Tensor[] queries = pieces(q, blocks.rowSizes());
        Tensor[] keys = pieces(k, blocks.columnSizes());
        Tensor[] values = pieces(v, blocks.columnSizes());
        Tensor[] results = new Tensor[queries.length];
        for (VisibilityBlocks.Group g : blocks.groups()) {
            Tensor y = attend(join(queries, g.rows()), join(keys, g.columns()), join(values, g.columns()), null, scale);
            long[] sizes =
                    Arrays.stream(g.rows()).mapToLong(r -> blocks.rowSizes()[r]).toArray();
            Tensor[] parts = pieces(y, sizes);
            for (int i = 0; i < parts.length; i++) {
                results[g.rows()[i]] = parts[i];
            }
        }
        return results.length == 1 ? results[0] : torch.cat(new TensorVector(results), 2);
    }

    /** Consecutive parts of the axis of tokens of [B,heads,L,D]. */
    private static Tensor[] pieces(Tensor x, long[] sizes) {
        if (sizes.length == 1) {
            return new Tensor[] {x};
        }
        TensorVector parts = torch.split_with_sizes(x, sizes, 2);
        Tensor[] out = new Tensor[sizes.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = new Tensor(parts.get(i));
        }
        return out;
    }

    private static Tensor join(Tensor[] pieces, int[] which) {
        if (which.length == 1) {
            return pieces[which[0]];
        }
        Tensor[] chosen = Arrays.stream(which).mapToObj(i -> pieces[i]).toArray(Tensor[]::new);
        return torch.cat(new TensorVector(chosen), 2);
    }

    /**
     * Attention as two batched products. On the host LibTorch's fused kernel multiplies narrow floats without the
     * processor's instructions for them and is 20 to 40 times slower than this; scores are rounded to the narrow type,
     * softmax is computed in fp32 within its kernel.
     */
    private static Tensor attentionByProducts(Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, double scale) {
        long b = q.size(0);
        long h = q.size(1);
        long lq = q.size(2);
        long lk = k.size(2);
        Tensor keys = k.reshape(b * h, lk, k.size(3)).transpose(1, 2);
        Tensor added;
        if (mask == null) {
            // Multiplied by zero below, so its content does not matter.
            added = torch.zeros(1).to(TorchTensors.type(q));
        } else {
            added = mask.dim() == 4 ? mask.expand(b, h, lq, lk).reshape(b * h, lq, lk) : mask;
        }
        Tensor scores = torch.baddbmm(
                added, q.reshape(b * h, lq, q.size(3)), keys, new Scalar(mask == null ? 0.0 : 1.0), new Scalar(scale));
        Tensor y = torch.bmm(torch.softmax(scores, -1), v.reshape(b * h, lk, v.size(3)));
        return y.reshape(b, h, lq, v.size(3));
    }

    private static Tensor heads(Tensor x, int heads) {
        return x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
    }

    /**
     * Rotary embedding as one complex product per element pair; {@code factor} [B,L,1], if given, scales every row first.
     */
    private static Tensor rotary(Tensor x, Tensor cos, Tensor sin, int heads, @Nullable Tensor factor) {
        long b = x.size(0);
        long l = x.size(1);
        long pairs = x.size(2) / (2L * heads);
        Tensor wide = TorchTensors.cast(x, ScalarType.Float).reshape(b, l, heads, pairs, 2);
        Tensor c = TorchTensors.cast(cos, ScalarType.Float);
        Tensor s = TorchTensors.cast(sin, ScalarType.Float);
        if (factor != null) {
            c = c.mul(factor);
            s = s.mul(factor);
        }
        Tensor turn =
                torch.view_as_complex(torch.stack(new TensorVector(c, s), -1)).unsqueeze(2);
        Tensor turned = torch.view_as_real(torch.view_as_complex(wide).mul(turn));
        return TorchTensors.cast(turned.reshape(b, l, x.size(2)), TorchTensors.type(x));
    }

    // ------------------------------------------------------------------------------------------ composites

    /** The graph without the composites that have no LibTorch form. */
    static Graph expanded(Graph graph) {
        return graph.expand(op -> !(op instanceof Op.WindowAttention));
    }

    private Tensor composite(Op.Composite op, Operands in) {
        if (op instanceof Op.Silu) {
            return torch.silu(in.get(0));
        } else if (op instanceof Op.Linear) {
            return in.size() == 3
                    ? torch.linear(in.product(0), in.product(1), some(in.product(2)))
                    : torch.linear(in.product(0), in.product(1));
        } else if (op instanceof Op.ModulatedLayerNorm m) {
            return modulatedLayerNorm(in.get(0), in.get(1), in.get(2), m.epsilon());
        } else if (op instanceof Op.GatedResidual) {
            return gatedResidual(in.get(0), in.get(1), in.get(2));
        } else if (op instanceof Op.NormedRotary n) {
            return normedRotary(in.get(0), in.get(1), in.get(2), in.get(3), n);
        } else if (op instanceof Op.MemoryBlock) {
            return memoryBlock(in);
        }
        throw new IllegalArgumentException("operator " + op.name() + " has no LibTorch form");
    }

    private Tensor modulatedLayerNorm(Tensor x, Tensor shift, Tensor scale, double epsilon) {
        Tensor normed = layerNorm(x, null, null, epsilon);
        Tensor factor = scale.add(new Scalar(1.0));
        if (arithmetic.narrow()) {
            // The result feeds a product, which would round it anyway.
            normed = TorchTensors.cast(normed, arithmetic.products());
            factor = TorchTensors.cast(factor, arithmetic.products());
            return torch.addcmul(TorchTensors.cast(shift, arithmetic.products()), normed, factor);
        }
        return torch.addcmul(shift, normed, factor);
    }

    private Tensor gatedResidual(Tensor x, Tensor y, Tensor gate) {
        ScalarType type = arithmetic.wideResiduals() ? ScalarType.Float : arithmetic.products();
        return torch.addcmul(TorchTensors.cast(x, type), TorchTensors.cast(y, type), TorchTensors.cast(gate, type));
    }

    private static Tensor normedRotary(Tensor x, Tensor weight, Tensor cos, Tensor sin, Op.NormedRotary op) {
        Tensor wide = TorchTensors.cast(x, ScalarType.Float);
        Tensor y = rotary(wide.mul(weight), cos, sin, op.heads(), inverseRms(wide, op.epsilon()));
        return TorchTensors.cast(y, TorchTensors.type(x));
    }

    private static Tensor memoryBlock(Operands in) {
        Tensor x = in.product(0);
        Tensor y = torch.relu_(conv3x3(torch.cat(new TensorVector(x, in.product(1)), 1), in.kernel(2), in.product(3)));
        y = torch.relu_(conv3x3(y, in.kernel(4), in.product(5)));
        y = conv3x3(y, in.kernel(6), in.product(7));
        long[] one = {1, 1};
        Tensor skip = in.size() == 9
                ? torch.convolution(x, in.kernel(8), new TensorOptional(), one, new long[2], one, false, new long[2], 1)
                : x;
        // In-place forms return a borrowed handle: keep the owning one.
        Tensor sum = y.add(skip);
        torch.relu_(sum);
        return sum;
    }

    // ------------------------------------------------------------------------------------------ shape

    private static Tensor concat(Operands in, int axis) {
        Tensor[] parts = new Tensor[in.size()];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = in.get(i);
        }
        return torch.cat(new TensorVector(parts), axis);
    }

    private static List<Tensor> split(Tensor x, Op.Split op) {
        List<Tensor> out = new ArrayList<>();
        long start = 0;
        for (long size : op.sizes()) {
            out.add(x.narrow(op.axis(), start, size));
            start += size;
        }
        return out;
    }

    private static Tensor slice(Tensor x, Op.Slice op) {
        long size = x.size(op.axis());
        long start = op.start() < 0 ? op.start() + size : op.start();
        long end = op.end() == Op.Slice.TO_END ? size : op.end() < 0 ? op.end() + size : op.end();
        if (start < 0 || end > size || start > end) {
            throw new IllegalArgumentException(
                    "slice [" + op.start() + ", " + op.end() + ") does not lie within extent " + size);
        }
        return x.narrow(op.axis(), start, end - start);
    }

    private static Tensor gather(Tensor data, Tensor indices, int axis) {
        int a = axis < 0 ? axis + (int) data.dim() : axis;
        long[] d = TorchTensors.shape(data);
        long[] i = TorchTensors.shape(indices);
        long[] out = new long[d.length - 1 + i.length];
        System.arraycopy(d, 0, out, 0, a);
        System.arraycopy(i, 0, out, a, i.length);
        System.arraycopy(d, a + 1, out, a + i.length, d.length - a - 1);
        return torch.index_select(data, a, indices.reshape(-1)).reshape(out);
    }

    private static Tensor pad(Tensor x, Op.Pad op) {
        int rank = (int) x.dim();
        if (op.mode() == Op.PadMode.CONSTANT) {
            long[] reversed = new long[2 * rank];
            for (int a = 0; a < rank; a++) {
                reversed[2 * (rank - 1 - a)] = op.pads().get(a);
                reversed[2 * (rank - 1 - a) + 1] = op.pads().get(a + rank);
            }
            return torch.constant_pad_nd(x, reversed);
        }
        Tensor y = new Tensor(x);
        for (int a = 0; a < rank; a++) {
            int before = op.pads().get(a);
            int after = op.pads().get(a + rank);
            if (before + after > 0) {
                long size = x.size(a);
                long[] from = new long[Math.toIntExact(before + size + after)];
                for (int i = 0; i < from.length; i++) {
                    from[i] = Math.max(0, Math.min(size - 1, i - before));
                }
                Tensor index = TorchTensors.ofLongs(from, from.length);
                y = torch.index_select(y, a, x.is_cuda() ? index.to(x.device(), ScalarType.Long) : index);
            }
        }
        return y;
    }

    private static Tensor resize(Tensor x, Op.Resize op) {
        long[] size = {x.size(2) * op.scaleH(), x.size(3) * op.scaleW()};
        return op.mode() == Op.ResizeMode.NEAREST
                ? torch.upsample_nearest2d(x, size, new DoubleOptional(), new DoubleOptional())
                : torch.upsample_bilinear2d(x, size, false, new DoubleOptional(), new DoubleOptional());
    }

    // ------------------------------------------------------------------------------------------ helpers

    static Tensor kernel(Tensor weight, ScalarType type) {
        Tensor w = TorchTensors.cast(weight, type);
        return w.dim() == 4 ? w.contiguous(MemoryFormat.ChannelsLast) : w;
    }

    static Tensor additiveMask(Tensor mask, ScalarType type) {
        if (TorchTensors.type(mask) != ScalarType.Bool) {
            return TorchTensors.cast(mask, type);
        }
        Tensor hidden = torch.logical_not(mask);
        Tensor zeros = torch.zeros_like(mask).to(type);
        return zeros.masked_fill(hidden, new Scalar(Double.NEGATIVE_INFINITY));
    }

    private static TensorOptional some(@Nullable Tensor t) {
        return t == null ? new TensorOptional() : new TensorOptional(t);
    }

    private static long[] longs(List<Integer> values) {
        return values.stream().mapToLong(i -> i).toArray();
    }
}
