package io.teleworld.cuda.kernel;

import io.teleworld.graph.Op;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Launches of operators whose operands have different float types: norms of F32 rows to BF16 or F16, and F32 sums of
 * such terms. Also quantises rows for fp8 products. Stateless and thread-safe; buffers as in {@link FusedKernels}.
 */
public final class MixedKernels {

    private MixedKernels() {}

    /** Whether floats of different types meet in one of the operators that have a kernel for it. */
    public static boolean takes(Op op, List<TensorType> in, List<TensorType> out) {
        boolean known = op instanceof Op.ModulatedLayerNorm
                || op instanceof Op.LayerNormalization
                || op instanceof Op.RMSNormalization
                || op instanceof Op.GatedResidual
                || op instanceof Op.Add;
        DType first = out.get(0).dtype();
        return known && first.isFloat() && in.stream().anyMatch(t -> t.dtype() != first);
    }

    /**
     * The launch of an operator that {@link #takes} accepts.
     *
     * @throws IllegalArgumentException if there is no kernel for these types; names them
     */
    public static KernelLaunch choose(
            Op op, List<TensorType> in, List<TensorType> out, List<Integer> buffers, List<Integer> outBuffers) {
        int y = outBuffers.get(0);
        DType result = out.get(0).dtype();
        if (op instanceof Op.ModulatedLayerNorm m && all(in, DType.F32, 0, 1, 2) && isNarrow(result)) {
            return modulatedLayerNorm(m.epsilon(), in, result, buffers, y);
        }
        if (op instanceof Op.LayerNormalization n && all(in, DType.F32, 0, 1) && isNarrow(result)) {
            return norm(n.epsilon(), true, in, result, buffers, y);
        }
        if (op instanceof Op.RMSNormalization n && all(in, DType.F32, 0, 1) && isNarrow(result)) {
            return norm(n.epsilon(), false, in, result, buffers, y);
        }
        if (op instanceof Op.GatedResidual
                && all(in, DType.F32, 0, 2)
                && isNarrow(in.get(1).dtype())) {
            return gatedResidual(in, buffers, y);
        }
        if (op instanceof Op.Add && result == DType.F32) {
            DType a = in.get(0).dtype();
            DType b = in.get(1).dtype();
            if (in.get(0).shape().equals(in.get(1).shape()) && (a == DType.F32 || b == DType.F32 || a == b)) {
                boolean swap = b == DType.F32;
                long n = count(in.get(0).shape().known());
                return new LaunchBuilder("tw_mixed_add_" + KernelCatalog.suffix(swap ? b : a) + "_"
                                + KernelCatalog.suffix(swap ? a : b))
                        .buffer(buffers.get(swap ? 1 : 0))
                        .buffer(buffers.get(swap ? 0 : 1))
                        .buffer(y)
                        .ints(n)
                        .over(n, 8);
            }
        }
        throw new IllegalArgumentException("no kernel of " + op.name() + " for " + in + " to " + out);
    }

    /**
     * Quantises rows to E4M3 with one scale each, the row's largest magnitude over 448.
     *
     * @param dtype of x: F32, BF16 or F16
     * @param x buffer of [rows,width]
     * @param y buffer of [rows,width] in F8_E4M3
     * @param rowScale buffer of [rows] in F32: what a row's numbers are multiplied by to undo it
     * @param rows at least 1
     * @param width a multiple of 8
     */
    public static KernelLaunch quantiseRows(DType dtype, int x, int y, int rowScale, long rows, long width) {
        if (width < 8 || width % 8 != 0) {
            throw new IllegalArgumentException("rows of " + width + " elements; a multiple of 8");
        }
        return new LaunchBuilder("tw_quantise_rows_" + KernelCatalog.suffix(dtype))
                .buffer(x)
                .buffer(y)
                .buffer(rowScale)
                .ints(width)
                .grid(rows, 1, 1, threads(width), 0);
    }

    /** Whether {@link #quantisedModulatedLayerNorm} takes such operands. */
    public static boolean quantises(Op op, List<TensorType> in) {
        if (!(op instanceof Op.ModulatedLayerNorm) || !all(in, DType.F32, 0, 1, 2)) {
            return false;
        }
        long[] x = in.get(0).shape().known();
        long width = x[x.length - 1];
        return width >= 8
                && width % 8 == 0
                && isDense(in.get(1).shape().known(), width)
                && isDense(in.get(2).shape().known(), width);
    }

    private static boolean isDense(long[] shape, long width) {
        return shape.length > 0 && shape[shape.length - 1] == width;
    }

    /**
     * Modulated layer norm, quantised as {@link #quantiseRows} does.
     *
     * @param in types of x, shift and scale, which {@link #quantises} accepts
     * @param buffers of x, shift and scale
     * @param y buffer of x's shape in F8_E4M3
     * @param rowScale buffer of one F32 number per row
     */
    public static KernelLaunch quantisedModulatedLayerNorm(
            Op.ModulatedLayerNorm op, List<TensorType> in, List<Integer> buffers, int y, int rowScale) {
        ModulatedRows rows = ModulatedRows.of(in);
        return rows.describe(
                        new LaunchBuilder("tw_mixed_modnorm_e4m3")
                                .buffer(buffers.get(0))
                                .buffer(buffers.get(1))
                                .buffer(buffers.get(2))
                                .buffer(y)
                                .buffer(rowScale),
                        op.epsilon())
                .grid(rows.count(), 1, 1, threads(rows.width()), 0);
    }

    private static KernelLaunch modulatedLayerNorm(
            double epsilon, List<TensorType> in, DType result, List<Integer> buffers, int y) {
        ModulatedRows rows = ModulatedRows.of(in);
        LaunchBuilder b = rows.describe(
                new LaunchBuilder("tw_mixed_modnorm_" + KernelCatalog.suffix(result))
                        .buffer(buffers.get(0))
                        .buffer(buffers.get(1))
                        .buffer(buffers.get(2))
                        .buffer(y),
                epsilon);
        return rows.steps(b).grid(rows.count(), 1, 1, threads(rows.width()), 0);
    }

    private static KernelLaunch norm(
            double epsilon, boolean centred, List<TensorType> in, DType result, List<Integer> buffers, int y) {
        long[] x = in.get(0).shape().known();
        long width = x[x.length - 1];
        return new LaunchBuilder("tw_mixed_norm_" + KernelCatalog.suffix(result))
                .buffer(buffers.get(0))
                .buffer(buffers.get(1))
                .buffer(in.size() == 3 ? buffers.get(2) : KernelLaunch.Buffer.NONE)
                .buffer(y)
                .ints(width)
                .floats(epsilon)
                .ints(centred ? 1 : 0)
                .grid(count(x) / width, 1, 1, threads(width), 0);
    }

    private static KernelLaunch gatedResidual(List<TensorType> in, List<Integer> buffers, int y) {
        long[] known = in.get(0).shape().known();
        long[] x = known.length == 0 ? new long[] {1} : known;
        long[] gate = Strides.broadcast(in.get(2).shape().known(), x);
        long[][] s = Strides.collapse(x, gate);
        boolean rows = s[0][Strides.RANK - 1] % 8 == 0 && s[1][Strides.RANK - 1] == 1;
        for (int a = 0; a < Strides.RANK - 1; a++) {
            rows = rows && s[1][a] % 8 == 0;
        }
        long n = count(x);
        return new LaunchBuilder(
                        "tw_mixed_gated_" + KernelCatalog.suffix(in.get(1).dtype()))
                .buffer(buffers.get(0))
                .buffer(buffers.get(1))
                .buffer(buffers.get(2))
                .buffer(y)
                .ints(n, rows ? 1 : 0)
                .ints(s[0])
                .ints(s[1])
                .over(n, 8);
    }

    private static int threads(long width) {
        long packs = (width + 7) / 8;
        return (int) Math.min(256, (packs + 31) / 32 * 32);
    }

    private static boolean all(List<TensorType> in, DType dtype, int... which) {
        return Arrays.stream(which).allMatch(i -> in.get(i).dtype() == dtype);
    }

    private static boolean isNarrow(DType dtype) {
        return dtype == DType.BF16 || dtype == DType.F16;
    }

    private static long count(long[] shape) {
        return LongStream.of(shape).reduce(1, Math::multiplyExact);
    }
}
