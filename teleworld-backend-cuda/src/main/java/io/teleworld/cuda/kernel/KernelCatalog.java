package io.teleworld.cuda.kernel;

import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/**
 * Which kernels compute an operator. Stateless and thread-safe.
 *
 * <p>Storage is F32, BF16 or F16, arithmetic F32; element-wise and moving operators also take I64, I32 and BOOL. Every
 * buffer begins at a multiple of 16 bytes and holds its tensor dense and row-major.
 */
public final class KernelCatalog {

    private KernelCatalog() {}

    /**
     * How to compute one operator.
     *
     * @param op any operator
     * @param inputs types of the operands, all extents known
     * @param outputs types of the results, all extents known
     * @param inputBuffers the plan's number of each operand's buffer
     * @param outputBuffers the plan's number of each result's buffer; none is an operand's
     * @throws IllegalArgumentException if an extent is not known, or types and buffers differ in number
     */
    public static KernelChoice choose(
            Op op,
            List<TensorType> inputs,
            List<TensorType> outputs,
            List<Integer> inputBuffers,
            List<Integer> outputBuffers) {
        if (inputs.size() != inputBuffers.size() || outputs.size() != outputBuffers.size()) {
            throw new IllegalArgumentException(op.name() + " has " + inputs.size() + " operands in "
                    + inputBuffers.size() + " buffers and " + outputs.size() + " results in " + outputBuffers.size());
        }
        try {
            return new Call(op, inputs, outputs, inputBuffers, outputBuffers).choose();
        } catch (NoKernelException e) {
            return new KernelChoice.Unsupported(op.name() + ": " + e.getMessage());
        }
    }

    /**
     * What the launches of an operator write besides its results; {@link #choose} takes it behind the results.
     *
     * @param op any operator
     * @param inputs types of the operands, all extents known
     * @param outputs types of the results, all extents known
     */
    public static List<TensorType> workspace(Op op, List<TensorType> inputs, List<TensorType> outputs) {
        if (op instanceof Op.Conv c && ConvShape.takes(c, inputs, outputs.get(0))) {
            return ConvShape.of(c, inputs, outputs.get(0)).workspace();
        }
        if (!(op instanceof Op.WindowAttention w) || !WindowShape.of(w, inputs).isBlockSparse()) {
            return List.of();
        }
        WindowShape s = WindowShape.of(w, inputs);
        return List.of(new TensorType(DType.I32, Shape.of(s.batch(), s.heads(), s.queryBlocks(), s.listLength())));
    }

    /**
     * Copies frames of a ring cache to a dense tensor.
     *
     * @param cache buffer of [capacity, frame]
     * @param slots buffer of I32, one slot per frame that is read
     * @param y buffer of [frames, frame]
     * @param frames frames read, at least 1
     * @param frameBytes bytes of one frame, a multiple of 16
     * @param capacity slots of the cache
     */
    public static KernelLaunch readFrames(int cache, int slots, int y, int frames, long frameBytes, int capacity) {
        return frames("tw_read_frames", cache, slots, y, frames, frameBytes, capacity);
    }

    /** Copies a dense tensor of frames into slots of a ring cache; parameters as {@link #readFrames}. */
    public static KernelLaunch writeFrames(int x, int slots, int cache, int frames, long frameBytes, int capacity) {
        return frames("tw_write_frames", x, slots, cache, frames, frameBytes, capacity);
    }

    private static KernelLaunch frames(
            String function, int from, int slots, int to, int frames, long frameBytes, int capacity) {
        if (frames < 1 || frameBytes < 16 || frameBytes % 16 != 0) {
            throw new IllegalArgumentException(
                    frames + " frames of " + frameBytes + " bytes; at least 1 frame, bytes a multiple of 16");
        }
        long words = frameBytes / 16;
        return new LaunchBuilder(function)
                .buffer(from)
                .buffer(slots)
                .buffer(to)
                .ints(frames * words, words, capacity)
                .over(frames * words, 1);
    }

    /** The suffix of the kernels for an element type. */
    static String suffix(DType dtype) {
        return switch (dtype) {
            case F32 -> "f32";
            case BF16 -> "bf16";
            case F16 -> "f16";
            case I64 -> "i64";
            case I32 -> "i32";
            case BOOL -> "u8";
            case F64, F8_E4M3, I8, U8 -> throw new NoKernelException("element type " + dtype);
        };
    }

    /** One question to the catalogue. */
    private static final class Call {

        private final Op op;
        private final List<TensorType> in;
        private final List<TensorType> out;
        private final List<Integer> inBuffers;
        private final List<Integer> outBuffers;

        Call(Op op, List<TensorType> in, List<TensorType> out, List<Integer> inBuffers, List<Integer> outBuffers) {
            this.op = op;
            this.in = in;
            this.out = out;
            this.inBuffers = inBuffers;
            this.outBuffers = outBuffers;
            for (List<TensorType> types : List.of(in, out)) {
                for (TensorType t : types) {
                    if (!t.shape().isKnown()) {
                        throw new IllegalArgumentException(op.name() + " has an operand or result of shape " + t.shape()
                                + "; all extents must be known");
                    }
                }
            }
        }

        KernelChoice choose() {
            if (op instanceof Op.ReadState || op instanceof Op.WriteState) {
                State s = op instanceof Op.ReadState r ? r.state() : ((Op.WriteState) op).state();
                throw new NoKernelException("state " + s.name() + " is the runtime's memory; it copies or aliases it");
            }
            if (out.stream().allMatch(t -> t.shape().elementCount().known() == 0)) {
                return new KernelChoice.Kernels(List.of());
            }
            for (List<TensorType> types : List.of(in, out)) {
                for (TensorType t : types) {
                    if (t.shape().elementCount().known() > Integer.MAX_VALUE - 65_536) {
                        throw new NoKernelException(t + " has more elements than kernels index with 32 bits");
                    }
                }
            }
            if (op instanceof Op.MatMul || op instanceof Op.Linear) {
                return product();
            }
            return new KernelChoice.Kernels(launches());
        }

        private List<KernelLaunch> launches() {
            if (op instanceof Op.Unary || op instanceof Op.Silu) {
                return List.of(unary());
            }
            if (op instanceof Op.Cast) {
                return List.of(start("tw_cast_" + suffix(dtype(0)) + "_" + suffix(outType(0)))
                        .buffer(inBuffers.get(0))
                        .buffer(outBuffers.get(0))
                        .ints(count(outShape(0)))
                        .over(count(outShape(0)), 4));
            }
            if (op instanceof Op.Binary || op instanceof Op.Comparison || op instanceof Op.Logical) {
                return List.of(binary());
            }
            if (op instanceof Op.Where) {
                long[] y = outShape(0);
                long[][] s = Strides.collapse(
                        y,
                        Strides.broadcast(shape(0), y),
                        Strides.broadcast(shape(1), y),
                        Strides.broadcast(shape(2), y));
                return List.of(operands("tw_where_" + bytes(outType(0)))
                        .ints(count(y))
                        .ints(s[0])
                        .ints(s[1])
                        .ints(s[2])
                        .ints(s[3])
                        .over(count(y), 1));
            }
            if (op instanceof Op.Reduction r) {
                return List.of(reduction(r));
            }
            if (op instanceof Op.Softmax s) {
                long[] x = shape(0);
                int axis = in.get(0).shape().axis(s.axis());
                long inner = count(Arrays.copyOfRange(x, axis + 1, x.length));
                return List.of(operands("tw_softmax_" + floating(0))
                        .ints(x[axis], inner)
                        .grid(count(x) / x[axis], 1, 1, x[axis] <= 128 ? 32 : 256, 0));
            }
            if (op instanceof Op.LayerNormalization n) {
                return List.of(rows("tw_layernorm_", true, n.epsilon()));
            }
            if (op instanceof Op.RMSNormalization n) {
                return List.of(rows("tw_rmsnorm_", false, n.epsilon()));
            }
            if (op instanceof Op.GroupNormalization g) {
                long[] x = shape(0);
                long inner = count(Arrays.copyOfRange(x, 2, x.length));
                return List.of(operands("tw_groupnorm_" + floating(0))
                        .ints(g.groups(), x[1] / g.groups(), inner)
                        .floats(g.epsilon())
                        .grid(x[0] * g.groups(), 1, 1, 256, 0));
            }
            if (op instanceof Op.Conv c) {
                if (out.size() > 1) {
                    return ConvShape.of(c, in, out.get(0)).launches(inBuffers, outBuffers);
                }
                return List.of(conv(c));
            }
            if (op instanceof Op.Attention a) {
                return List.of(attention(a));
            }
            if (op instanceof Op.WindowAttention w) {
                WindowShape s = WindowShape.of(w, in);
                if (out.size() == 2) {
                    return FusedKernels.windows(s, inBuffers, outBuffers.get(0), outBuffers.get(1), w.scale());
                }
                return List.of(operands("tw_window_attention_" + floating(0))
                        .ints(s.queries(), s.slabs(), s.windows(), s.reach(), s.heads(), s.width())
                        .ints(s.keyBatch() == 1 ? 0 : 1)
                        .floats(w.scale())
                        .grid(s.queries(), s.heads(), s.batch(), 32, 4L * s.reach() * s.slabs() * s.members()));
            }
            if (op instanceof Op.RotaryEmbedding r) {
                return List.of(rotary(r));
            }
            if (op instanceof Op.ModulatedLayerNorm m) {
                return List.of(FusedKernels.modulatedLayerNorm(m.epsilon(), in, inBuffers, outBuffers.get(0)));
            }
            if (op instanceof Op.GatedResidual) {
                return List.of(FusedKernels.gatedResidual(in, inBuffers, outBuffers.get(0)));
            }
            if (op instanceof Op.NormedRotary n) {
                return List.of(FusedKernels.normedRotary(n, in, inBuffers, outBuffers.get(0)));
            }
            return moves();
        }

        private List<KernelLaunch> moves() {
            if (op instanceof Op.Reshape) {
                return List.of(dense());
            }
            if (op instanceof Op.Transpose t) {
                long[] own = Strides.dense(shape(0));
                long[] from = t.permutation().stream().mapToLong(a -> own[a]).toArray();
                return List.of(copy(outShape(0), from, Strides.dense(outShape(0)), 0, 0, 0, 0));
            }
            if (op instanceof Op.Expand) {
                long[] y = outShape(0);
                return List.of(copy(y, Strides.broadcast(shape(0), y), Strides.dense(y), 0, 0, 0, 0));
            }
            if (op instanceof Op.Slice s) {
                int axis = in.get(0).shape().axis(s.axis());
                long begin = s.start() < 0 ? s.start() + shape(0)[axis] : s.start();
                long[] own = Strides.dense(shape(0));
                return List.of(copy(outShape(0), own, Strides.dense(outShape(0)), 0, begin * own[axis], 0, 0));
            }
            if (op instanceof Op.Split s) {
                int axis = in.get(0).shape().axis(s.axis());
                long[] own = Strides.dense(shape(0));
                List<KernelLaunch> all = new ArrayList<>();
                long begin = 0;
                for (int k = 0; k < out.size(); k++) {
                    if (count(outShape(k)) > 0) {
                        all.add(copy(outShape(k), own, Strides.dense(outShape(k)), 0, begin * own[axis], k, 0));
                    }
                    begin += s.sizes().get(k);
                }
                return all;
            }
            if (op instanceof Op.Concat c) {
                int axis = out.get(0).shape().axis(c.axis());
                long[] own = Strides.dense(outShape(0));
                List<KernelLaunch> all = new ArrayList<>();
                long begin = 0;
                for (int k = 0; k < in.size(); k++) {
                    if (count(shape(k)) > 0) {
                        all.add(copy(shape(k), Strides.dense(shape(k)), own, k, 0, 0, begin * own[axis]));
                    }
                    begin += shape(k)[axis];
                }
                return all;
            }
            if (op instanceof Op.Gather g) {
                long[] x = shape(0);
                int axis = in.get(0).shape().axis(g.axis());
                long inner = count(Arrays.copyOfRange(x, axis + 1, x.length));
                return List.of(operands("tw_gather_" + bytes(dtype(0)))
                        .ints(count(outShape(0)), x[axis], count(shape(1)), inner)
                        .over(count(outShape(0)), 1));
            }
            if (op instanceof Op.Pad p) {
                return List.of(pad(p));
            }
            if (op instanceof Op.Resize r) {
                return List.of(resize(r));
            }
            if (op instanceof Op.DepthToSpace d) {
                long b = d.blocksize();
                long[] x = shape(0);
                long c = x[1] / (b * b);
                long plane = x[2] * x[3];
                long[] dims = {x[0], c, x[2], b, x[3], b};
                long[] from = {x[1] * plane, b * b * plane, x[3], b * plane, 1, plane};
                return List.of(copy(dims, from, Strides.dense(dims), 0, 0, 0, 0));
            }
            if (op instanceof Op.Composite) {
                throw new NoKernelException("no kernel of its own; expand it");
            }
            throw new NoKernelException("no kernel");
        }

        // -------------------------------------------------------------------------------------- element by element

        private KernelLaunch unary() {
            String name = op.name().toLowerCase(Locale.ROOT);
            double p = 0;
            double q = 0;
            if (op instanceof Op.Clip c) {
                p = c.min();
                q = c.max();
            } else if (op instanceof Op.Gelu g && g.tanhApproximation()) {
                name = "gelutanh";
            }
            long n = count(outShape(0));
            return operands("tw_" + name + "_" + floating(0))
                    .ints(n)
                    .floats(p, q)
                    .over(n, 16 / dtype(0).byteSize());
        }

        private KernelLaunch binary() {
            String name = op.name().toLowerCase(Locale.ROOT);
            if (op instanceof Op.Pow) {
                floating(0);
            }
            long[] y = outShape(0);
            long n = count(y);
            if (op instanceof Op.Binary && Arrays.equals(shape(0), y) && Arrays.equals(shape(1), y)) {
                return operands("tw_" + name + "_flat_" + suffix(dtype(0)))
                        .ints(n)
                        .over(n, 16 / dtype(0).byteSize());
            }
            long[][] s = Strides.collapse(y, Strides.broadcast(shape(0), y), Strides.broadcast(shape(1), y));
            return operands("tw_" + name + "_" + suffix(dtype(0)))
                    .ints(n)
                    .ints(s[0])
                    .ints(s[1])
                    .ints(s[2])
                    .over(n, 1);
        }

        // -------------------------------------------------------------------------------------- reductions

        private KernelLaunch reduction(Op.Reduction r) {
            long[] x = shape(0);
            long[] own = Strides.dense(x);
            boolean[] reduced = new boolean[x.length];
            r.axes().forEach(a -> reduced[in.get(0).shape().axis(a)] = true);
            long[][] kept = part(x, own, reduced, false);
            long[][] gone = part(x, own, reduced, true);
            long n = count(gone[0]);
            return operands("tw_" + (op instanceof Op.ReduceMax ? "reducemax" : "reducesum") + "_" + floating(0))
                    .ints(n)
                    .floats(op instanceof Op.ReduceMean ? 1.0 / n : 1.0)
                    .ints(kept[0])
                    .ints(kept[1])
                    .ints(gone[0])
                    .ints(gone[1])
                    .grid(count(outShape(0)), 1, 1, n <= 128 ? 32 : 256, 0);
        }

        private static long[][] part(long[] shape, long[] strides, boolean[] reduced, boolean which) {
            List<long[]> axes = new ArrayList<>();
            for (int a = 0; a < shape.length; a++) {
                if (reduced[a] == which) {
                    axes.add(new long[] {shape[a], strides[a]});
                }
            }
            return Strides.collapse(
                    axes.stream().mapToLong(a -> a[0]).toArray(),
                    axes.stream().mapToLong(a -> a[1]).toArray());
        }

        private KernelLaunch rows(String kernel, boolean biased, double epsilon) {
            long width = shape(0)[shape(0).length - 1];
            LaunchBuilder b =
                    start(kernel + floating(0)).buffer(inBuffers.get(0)).buffer(inBuffers.get(1));
            if (biased) {
                b.buffer(in.size() == 3 ? inBuffers.get(2) : KernelLaunch.Buffer.NONE);
            }
            return b.buffer(outBuffers.get(0))
                    .ints(width)
                    .floats(epsilon)
                    .grid(count(shape(0)) / width, 1, 1, width <= 256 ? 32 : 256, 0);
        }

        // -------------------------------------------------------------------------------------- products

        private KernelChoice product() {
            String type = floating(0);
            boolean linear = op instanceof Op.Linear;
            long[] x = shape(0);
            long[] w = shape(1);
            long[] y = outShape(0);
            long depth = x[x.length - 1];
            long columns = y[y.length - 1];
            int bias = linear && in.size() == 3 ? inBuffers.get(2) : KernelLaunch.Buffer.NONE;
            boolean sharedWeight = count(Arrays.copyOf(w, w.length - 2)) == 1;
            long rows;
            long[] batch;
            long[] bx;
            long[] bw;
            if (linear || sharedWeight) {
                rows = count(y) / columns;
                batch = new long[] {1, 1, 1};
                bx = new long[3];
                bw = new long[3];
            } else {
                rows = y[y.length - 2];
                long[] lead = Arrays.copyOf(y, y.length - 2);
                long[] sx = Strides.broadcast(Arrays.copyOf(x, x.length - 2), lead);
                long[] sw = Strides.broadcast(Arrays.copyOf(w, w.length - 2), lead);
                long[][] s = Strides.collapse(lead, sx, sw);
                if (s[0][2] != 1) {
                    throw new NoKernelException("more than three batch axes remain of " + Arrays.toString(lead));
                }
                batch = Arrays.copyOfRange(s[0], 3, 6);
                bx = LongStream.of(Arrays.copyOfRange(s[1], 3, 6))
                        .map(v -> v * rows * depth)
                        .toArray();
                bw = LongStream.of(Arrays.copyOfRange(s[2], 3, 6))
                        .map(v -> v * depth * columns)
                        .toArray();
            }
            long batches = count(batch);
            KernelLaunch own = start("tw_product_" + type)
                    .buffer(inBuffers.get(0))
                    .buffer(inBuffers.get(1))
                    .buffer(bias)
                    .buffer(outBuffers.get(0))
                    .ints(rows, columns, depth)
                    .ints(linear ? 1 : columns, linear ? depth : 1)
                    .ints(batch[1], batch[2])
                    .ints(bx)
                    .ints(bw)
                    .grid((rows + 63) / 64, (columns + 63) / 64, batches, 256, 0);
            if (batch[0] != 1 || batch[1] != 1 || depth == 0) {
                return new KernelChoice.Kernels(List.of(own));
            }
            return new KernelChoice.Product(
                    dtype(0),
                    inBuffers.get(0),
                    inBuffers.get(1),
                    linear,
                    bias,
                    outBuffers.get(0),
                    (int) rows,
                    (int) columns,
                    (int) depth,
                    (int) batches,
                    bx[2],
                    bw[2],
                    own);
        }

        private KernelLaunch conv(Op.Conv c) {
            long[] x = shape(0);
            long[] w = shape(1);
            long[] y = outShape(0);
            int n = x.length - 2;
            long[] i = spatial(x, n);
            long[] o = spatial(y, n);
            long[] k = spatial(w, n);
            long[] s = attribute(c.strides(), n, 1);
            long[] p = attribute(c.pads().subList(0, n), n, 0);
            long[] d = attribute(c.dilations(), n, 1);
            return start("tw_conv_" + floating(0))
                    .buffer(inBuffers.get(0))
                    .buffer(inBuffers.get(1))
                    .buffer(in.size() == 3 ? inBuffers.get(2) : KernelLaunch.Buffer.NONE)
                    .buffer(outBuffers.get(0))
                    .ints(count(y), x[1], w[0], w[1], w[0] / c.group())
                    .ints(i)
                    .ints(o)
                    .ints(k)
                    .ints(s)
                    .ints(p)
                    .ints(d)
                    .over(count(y), 1);
        }

        private static long[] spatial(long[] shape, int n) {
            long[] three = {1, 1, 1};
            System.arraycopy(shape, 2, three, 3 - n, n);
            return three;
        }

        private static long[] attribute(List<Integer> values, int n, long missing) {
            long[] three = {missing, missing, missing};
            for (int a = 0; a < n; a++) {
                three[3 - n + a] = values.get(a);
            }
            return three;
        }

        private KernelLaunch attention(Op.Attention a) {
            long[] q = shape(0);
            long keys = shape(1)[1];
            long width = q[2] / a.heads();
            long valueWidth = shape(2)[2] / a.heads();
            if (keys == 0) {
                throw new NoKernelException("there are no keys");
            }
            FlashShape.Mask mask = in.size() < 4
                    ? FlashShape.Mask.NONE
                    : dtype(3) == DType.BOOL ? FlashShape.Mask.HIDES : FlashShape.Mask.ADDS;
            if (dtype(0) == DType.BF16 && FlashShape.takes(width, valueWidth, mask)) {
                int none = KernelLaunch.Buffer.NONE;
                return FusedKernels.flash(
                        inBuffers.get(0),
                        0,
                        (int) q[2],
                        inBuffers.get(1),
                        inBuffers.get(2),
                        outBuffers.get(0),
                        none,
                        1,
                        (int) keys,
                        none,
                        none,
                        false,
                        mask,
                        mask == FlashShape.Mask.NONE ? none : inBuffers.get(3),
                        mask != FlashShape.Mask.NONE && shape(3).length == 4 && shape(3)[0] != 1,
                        new FlashShape((int) q[0], (int) q[1], (int) keys, a.heads(), (int) width, (int) valueWidth),
                        a.scale());
            }
            int kind = in.size() < 4 ? 0 : dtype(3) == DType.BOOL ? 1 : 2;
            long maskBatch = kind != 0 && shape(3).length == 4 && shape(3)[0] != 1 ? q[1] : 0;
            return start("tw_attention_" + floating(0))
                    .buffer(inBuffers.get(0))
                    .buffer(inBuffers.get(1))
                    .buffer(inBuffers.get(2))
                    .buffer(kind == 0 ? KernelLaunch.Buffer.NONE : inBuffers.get(3))
                    .buffer(outBuffers.get(0))
                    .ints(q[1], keys, a.heads(), width, valueWidth, kind, maskBatch)
                    .floats(a.scale())
                    .grid(q[1], a.heads(), q[0], 32, 4 * keys);
        }

        private KernelLaunch rotary(Op.RotaryEmbedding r) {
            long[] x = shape(0);
            long pairs = count(x) / 2;
            return operands("tw_rotary_" + floating(0) + "_" + FusedKernels.angles(in, 1))
                    .ints(pairs, x[1], r.heads(), x[2] / r.heads() / 2, shape(1)[0] == 1 ? 0 : x[1])
                    .over(pairs, 1);
        }

        // -------------------------------------------------------------------------------------- moves

        private KernelLaunch dense() {
            long[] n = {count(outShape(0))};
            return copy(n, new long[] {1}, new long[] {1}, 0, 0, 0, 0);
        }

        /** Moves elements between strided places; words of 16 bytes where the last axis and all offsets allow. */
        private KernelLaunch copy(
                long[] dims, long[] from, long[] to, int input, long fromOffset, int output, long toOffset) {
            DType type = outType(output);
            int size = type.byteSize();
            long[][] s = Strides.collapse(dims, from, to);
            int per = 16 / size;
            boolean wide = size < 16
                    && s[0][5] % per == 0
                    && s[1][5] == 1
                    && s[2][5] == 1
                    && fromOffset % per == 0
                    && toOffset % per == 0;
            for (int a = 0; a < 5; a++) {
                wide = wide && s[1][a] % per == 0 && s[2][a] % per == 0;
            }
            if (wide) {
                s[0][5] /= per;
                for (int a = 0; a < 5; a++) {
                    s[1][a] /= per;
                    s[2][a] /= per;
                }
            }
            long n = count(s[0]);
            return start("tw_copy_" + (wide ? "b16" : bytes(type)))
                    .buffer(inBuffers.get(input), fromOffset * size)
                    .buffer(outBuffers.get(output), toOffset * size)
                    .ints(n)
                    .ints(s[0])
                    .ints(s[1])
                    .ints(s[2])
                    .over(n, 1);
        }

        private KernelLaunch pad(Op.Pad p) {
            long[] x = shape(0);
            int rank = x.length;
            // Neighbouring axes without a border become one.
            List<long[]> axes = new ArrayList<>();
            for (int a = 0; a < rank; a++) {
                long before = p.pads().get(a);
                long after = p.pads().get(a + rank);
                long[] last = axes.isEmpty() ? null : axes.get(axes.size() - 1);
                if (last != null && before == 0 && after == 0 && last[0] == last[1]) {
                    last[0] *= x[a];
                    last[1] *= x[a];
                } else {
                    axes.add(new long[] {x[a] + before + after, x[a], before});
                }
            }
            if (axes.size() > Strides.RANK) {
                throw new NoKernelException(axes.size() + " axes remain; at most " + Strides.RANK);
            }
            if (count(x) == 0) {
                throw new NoKernelException("there is nothing to pad");
            }
            long[][] s = new long[3][Strides.RANK];
            Arrays.fill(s[0], 1);
            Arrays.fill(s[1], 1);
            for (int a = 0; a < axes.size(); a++) {
                for (int k = 0; k < 3; k++) {
                    s[k][a + Strides.RANK - axes.size()] = axes.get(a)[k];
                }
            }
            long n = count(outShape(0));
            return operands("tw_pad_" + bytes(dtype(0)))
                    .ints(n, p.mode() == Op.PadMode.EDGE ? 1 : 0)
                    .ints(s[0])
                    .ints(s[1])
                    .ints(s[2])
                    .over(n, 1);
        }

        private KernelLaunch resize(Op.Resize r) {
            long[] x = shape(0);
            if (r.mode() == Op.ResizeMode.NEAREST) {
                long[] dims = {x[0] * x[1], x[2], r.scaleH(), x[3], r.scaleW()};
                long[] from = {x[2] * x[3], x[3], 0, 1, 0};
                return copy(dims, from, Strides.dense(dims), 0, 0, 0, 0);
            }
            long n = count(outShape(0));
            return operands("tw_resize_" + floating(0))
                    .ints(n, x[2], x[3], r.scaleH(), r.scaleW())
                    .over(n, 1);
        }

        // -------------------------------------------------------------------------------------- helpers

        private static LaunchBuilder start(String function) {
            return new LaunchBuilder(function);
        }

        /** All operands, then all results. */
        private LaunchBuilder operands(String function) {
            LaunchBuilder b = start(function);
            inBuffers.forEach(b::buffer);
            outBuffers.forEach(b::buffer);
            return b;
        }

        private long[] shape(int input) {
            return in.get(input).shape().known();
        }

        private long[] outShape(int output) {
            return out.get(output).shape().known();
        }

        private DType dtype(int input) {
            return in.get(input).dtype();
        }

        private DType outType(int output) {
            return out.get(output).dtype();
        }

        private String floating(int input) {
            if (!dtype(input).isFloat()) {
                throw new NoKernelException("element type " + dtype(input));
            }
            return suffix(dtype(input));
        }

        private static String bytes(DType dtype) {
            return "b" + dtype.byteSize();
        }

        private static long count(long[] shape) {
            return LongStream.of(shape).reduce(1, Math::multiplyExact);
        }
    }
}
