package io.teleworld.cuda.kernel;

import io.teleworld.graph.Op;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Launches of the fused kernels, beyond what one operator of a graph says. Stateless and thread-safe.
 *
 * <p>Buffers are numbers of a plan's; each begins at a multiple of 16 bytes. {@link KernelLaunch.Buffer#NONE} leaves an
 * optional one out. Element types are F32, BF16 and F16 unless a method says otherwise.
 */
public final class FusedKernels {

    private static final double LOG2_E = 1.4426950408889634;

    private FusedKernels() {}

    // ------------------------------------------------------------------------------------------ norms

    static KernelLaunch modulatedLayerNorm(double epsilon, List<TensorType> in, List<Integer> buffers, int y) {
        int per = per(in.get(0).dtype());
        ModulatedRows rows = ModulatedRows.of(in);
        long width = rows.width();
        boolean vector = width % per == 0 && width / per <= KernelLaunch.MAX_THREADS && rows.areDense();
        String type = KernelCatalog.suffix(in.get(0).dtype());
        LaunchBuilder b = rows.describe(
                new LaunchBuilder((vector ? "tw_modnorm_" : "tw_modnorm_any_") + type)
                        .buffer(buffers.get(0))
                        .buffer(buffers.get(1))
                        .buffer(buffers.get(2))
                        .buffer(y),
                epsilon);
        return vector
                ? b.grid(rows.count(), 1, 1, warps(width / per), 0)
                : rows.steps(b).grid(rows.count(), 1, 1, width <= 256 ? 32 : 256, 0);
    }

    /**
     * Layer norm without affine parameters, modulation, then quantisation to E4M3 with one scale per row: the input of
     * an fp8 product.
     *
     * @param dtype of x, shift and scale
     * @param x buffer of [frames,tokens,width]
     * @param shift buffer of [frames,width]
     * @param scale buffer of [frames,width]
     * @param y buffer of [frames,tokens,width] in F8_E4M3
     * @param rowScale buffer of [frames·tokens] in F32: what a row's numbers are multiplied by to undo it
     * @param frames at least 1
     * @param tokens at least 1
     * @param width a multiple of 8, at most 8192 (F32: of 4, 4096)
     * @param epsilon positive
     */
    public static KernelLaunch modulatedLayerNormQuantised(
            DType dtype,
            int x,
            int shift,
            int scale,
            int y,
            int rowScale,
            int frames,
            int tokens,
            int width,
            double epsilon) {
        requireRow(dtype, width);
        return new LaunchBuilder("tw_modnorm_fp8_" + KernelCatalog.suffix(dtype))
                .buffer(x)
                .buffer(shift)
                .buffer(scale)
                .buffer(y)
                .buffer(rowScale)
                .ints(width)
                .floats(epsilon)
                .ints(1, 1, 1, 1, frames, tokens)
                .ints(0, 0, 0, 0, width, 0)
                .ints(0, 0, 0, 0, width, 0)
                .grid((long) frames * tokens, 1, 1, warps(width / per(dtype)), 0);
    }

    static KernelLaunch normedRotary(Op.NormedRotary op, List<TensorType> in, List<Integer> buffers, int y) {
        long[] x = in.get(0).shape().known();
        int width = (int) x[2];
        int half = width / op.heads() / 2;
        int length = (int) x[1];
        int angleBatch = in.get(2).shape().known()[0] == 1 ? 0 : length;
        DType dtype = in.get(0).dtype();
        int per = per(dtype);
        long rows = x[0] * x[1];
        String types = KernelCatalog.suffix(dtype) + "_" + angles(in, 2);
        if (2 * half % per == 0 && width / per <= KernelLaunch.MAX_THREADS) {
            return rotaryRow(types, buffers, y, KernelLaunch.Buffer.NONE)
                    .ints(width, width, length, angleBatch, half, 1)
                    .floats(op.epsilon())
                    .grid(rows, 1, 1, warps(width / per), 0);
        }
        return new LaunchBuilder("tw_normedrotary_any_" + types)
                .buffer(buffers.get(0))
                .buffer(buffers.get(1))
                .buffer(buffers.get(2))
                .buffer(buffers.get(3))
                .buffer(y)
                .ints(width, length, angleBatch, half)
                .floats(op.epsilon())
                .grid(rows, 1, 1, width <= 512 ? 32 : 256, 0);
    }

    /**
     * RMS norm and rotary embedding of the keys of one sample, written to their places in a ring cache.
     *
     * @param x buffer of the rows [tokens, …], which may be a part of joined q, k and v
     * @param byteOffset where the keys begin in the first row, a multiple of 16
     * @param rowStride elements from row to row, a multiple of 8
     * @param scale buffer of [width]
     * @param cosine buffer of [tokens,headWidth/2] in F32
     * @param sine buffer of [tokens,headWidth/2] in F32
     * @param cache buffer of [capacity,frameTokens,width]
     * @param slots buffer of I32, the slot of each frame of x; each must lie within the cache
     * @param tokens rows of x
     * @param width elements of a row of keys
     * @param headWidth elements of a head, a multiple of 8
     * @param frameTokens rows of one frame
     * @param epsilon positive
     */
    public static KernelLaunch normedRotaryToCache(
            DType dtype,
            int x,
            long byteOffset,
            int rowStride,
            int scale,
            int cosine,
            int sine,
            int cache,
            int slots,
            int tokens,
            int width,
            int headWidth,
            int frameTokens,
            double epsilon) {
        requireRow(dtype, width);
        if (headWidth % 8 != 0 || rowStride % 8 != 0 || byteOffset % 16 != 0) {
            throw new IllegalArgumentException("head width " + headWidth + ", row stride " + rowStride + ", offset "
                    + byteOffset + "; multiples of 8 elements and 16 bytes");
        }
        return new LaunchBuilder("tw_normedrotary_" + KernelCatalog.suffix(dtype) + "_f32")
                .buffer(x, byteOffset)
                .buffer(scale)
                .buffer(cosine)
                .buffer(sine)
                .buffer(cache)
                .buffer(slots)
                .ints(width, rowStride, tokens, 0, headWidth / 2, frameTokens)
                .floats(epsilon)
                .grid(tokens, 1, 1, warps(width / per(dtype)), 0);
    }

    /**
     * Rows of values to their places in a ring cache; parameters as
     * {@link #normedRotaryToCache}, with the cache's capacity in frames.
     */
    public static KernelLaunch valuesToCache(
            DType dtype,
            int x,
            long byteOffset,
            int rowStride,
            int cache,
            int slots,
            int tokens,
            int width,
            int frameTokens,
            int capacity) {
        requireRow(dtype, width);
        int per = per(dtype);
        if (rowStride % per != 0 || byteOffset % 16 != 0) {
            throw new IllegalArgumentException("row stride " + rowStride + ", offset " + byteOffset + "; multiples of "
                    + per + " elements and 16 bytes");
        }
        long words = (long) tokens * (width / per);
        return new LaunchBuilder("tw_cache_rows")
                .buffer(x, byteOffset)
                .buffer(slots)
                .buffer(cache)
                .ints(words, width / per, rowStride / per, frameTokens, capacity)
                .over(words, 1);
    }

    private static LaunchBuilder rotaryRow(String types, List<Integer> buffers, int y, int slots) {
        return new LaunchBuilder("tw_normedrotary_" + types)
                .buffer(buffers.get(0))
                .buffer(buffers.get(1))
                .buffer(buffers.get(2))
                .buffer(buffers.get(3))
                .buffer(y)
                .buffer(slots);
    }

    static KernelLaunch gatedResidual(List<TensorType> in, List<Integer> buffers, int y) {
        long[] shape = in.get(0).shape().known();
        long[] x = shape.length == 0 ? new long[] {1} : shape;
        int per = per(in.get(0).dtype());
        long width = x[x.length - 1];
        long[][] gate = lead(in.get(2), x);
        long n = LongStream.of(x).reduce(1, Math::multiplyExact);
        boolean vector = width % per == 0 && gate[1][0] == 1;
        long[][] s = vector
                ? Strides.collapse(Arrays.copyOf(x, x.length - 1), gate[0])
                : Strides.collapse(x, Strides.broadcast(in.get(2).shape().known(), x));
        LaunchBuilder b = new LaunchBuilder((vector ? "tw_gated_" : "tw_gated_any_")
                        + KernelCatalog.suffix(in.get(0).dtype()))
                .buffer(buffers.get(0))
                .buffer(buffers.get(1))
                .buffer(buffers.get(2))
                .buffer(y);
        if (vector) {
            return b.ints(n / per, width).ints(s[0]).ints(s[1]).over(n / per, 1);
        }
        return b.ints(n).ints(s[0]).ints(s[1]).over(n, 1);
    }

    // ------------------------------------------------------------------------------------------ attention

    /** Attention of BF16 operands: q, y [batch,queries,heads·width], k, v [batch,keys,heads·width]. */
    public static KernelLaunch flash(int q, int k, int v, int y, FlashShape shape, double scale) {
        int none = KernelLaunch.Buffer.NONE;
        int stride = shape.heads() * shape.width();
        return flash(q, 0, stride, k, v, y, none, 1, shape.keys(), none, none, false, none, false, shape, scale);
    }

    /**
     * Attention of BF16 operands with a ring cache, a block-sparse list or a mask. Queries that see no key get zeros.
     *
     * @param q buffer of the query rows, which may be a part of joined q, k and v
     * @param qByteOffset where the queries begin in the first row, a multiple of 16
     * @param qStride elements from query row to query row, a multiple of 8
     * @param k buffer of [batch,rows,heads·width]
     * @param v buffer of [batch,rows,heads·valueWidth]
     * @param y buffer of [batch,queries,heads·valueWidth]
     * @param slots buffer of I32: where frame f of the keys lies in k and v; or none where keys are dense
     * @param frameTokens key rows of one frame
     * @param rows rows of k and v per sample: the capacity of the cache, or the keys
     * @param first buffer of I32: where the list of each block of {@link FlashShape#QUERY_BLOCK} queries begins in
     *     {@code columns}, and the end of the last; or none for all keys
     * @param columns buffer of I32: ascending numbers of blocks of {@link FlashShape#KEY_BLOCK} keys
     * @param listPerHead whether each head has lists of its own, head after head
     * @param mask buffer of BOOL [queries,keys], or per sample; or none. Blocks that a mask hides are not read
     * @param maskPerSample whether each sample has a mask of its own
     * @param shape extents
     * @param scale factor on the scores, positive
     */
    public static KernelLaunch flash(
            int q,
            long qByteOffset,
            int qStride,
            int k,
            int v,
            int y,
            int slots,
            int frameTokens,
            int rows,
            int first,
            int columns,
            boolean listPerHead,
            int mask,
            boolean maskPerSample,
            FlashShape shape,
            double scale) {
        FlashShape.Mask kind = mask == KernelLaunch.Buffer.NONE ? FlashShape.Mask.NONE : FlashShape.Mask.HIDES;
        return flash(
                q,
                qByteOffset,
                qStride,
                k,
                v,
                y,
                slots,
                frameTokens,
                rows,
                first,
                columns,
                listPerHead,
                kind,
                mask,
                maskPerSample,
                shape,
                scale);
    }

    /** As the public one, with masks that are added, too. */
    static KernelLaunch flash(
            int q,
            long qByteOffset,
            int qStride,
            int k,
            int v,
            int y,
            int slots,
            int frameTokens,
            int rows,
            int first,
            int columns,
            boolean listPerHead,
            FlashShape.Mask kind,
            int mask,
            boolean maskPerSample,
            FlashShape shape,
            double scale) {
        if (qStride % 8 != 0 || qByteOffset % 16 != 0 || frameTokens < 1) {
            throw new IllegalArgumentException("query stride " + qStride + ", offset " + qByteOffset + ", "
                    + frameTokens + " tokens per frame; multiples of 8 elements and 16 bytes, at least 1 token");
        }
        if (!FlashShape.takes(shape.width(), shape.valueWidth(), kind)) {
            throw new IllegalArgumentException(
                    "heads of width " + shape.width() + " and " + shape.valueWidth() + " with a mask; at most 128");
        }
        int blocks = (shape.queries() + FlashShape.QUERY_BLOCK - 1) / FlashShape.QUERY_BLOCK;
        return new LaunchBuilder(shape.function(kind))
                .buffer(q, qByteOffset)
                .buffer(k)
                .buffer(v)
                .buffer(y)
                .buffer(slots)
                .buffer(first)
                .buffer(columns)
                .buffer(mask)
                .ints(shape.queries(), shape.keys(), shape.heads(), shape.width(), shape.valueWidth(), shape.parts())
                .ints(qStride, (long) shape.heads() * shape.width(), (long) shape.heads() * shape.valueWidth())
                .ints(rows, frameTokens, listPerHead ? 1 : 0, maskPerSample ? shape.queries() : 0, 0)
                .floats(scale * LOG2_E, 1 / scale)
                .grid(
                        blocks,
                        (long) shape.heads() * shape.parts(),
                        shape.batch(),
                        shape.threads(),
                        shape.sharedBytes(kind));
    }

    /**
     * Attention of windows whose tokens are whole blocks: which windows are kept becomes a list of blocks of keys for each
     * two blocks of 64 queries, in which an entry says which of the two sees it.
     *
     * @param buffers of query, key, value, kept and neighbours
     * @param lists buffer of I32 [batch,heads,queryBlocks,listLength]
     */
    static List<KernelLaunch> windows(WindowShape s, List<Integer> buffers, int y, int lists, double scale) {
        FlashShape shape = new FlashShape(s.batch(), s.queries(), s.keys(), s.heads(), s.width());
        int none = KernelLaunch.Buffer.NONE;
        long row = (long) s.heads() * s.width();
        FlashShape.Mask kind = FlashShape.Mask.NONE;
        return List.of(
                new LaunchBuilder("tw_window_lists")
                        .buffer(buffers.get(3))
                        .buffer(buffers.get(4))
                        .buffer(lists)
                        .ints(s.windows(), s.reach(), s.slabs(), s.units(), s.listLength())
                        .grid(s.queryBlocks(), s.heads(), s.batch(), 128, 4L * s.slabs() * s.windows()),
                new LaunchBuilder(shape.function(kind))
                        .buffer(buffers.get(0))
                        .buffer(buffers.get(1))
                        .buffer(buffers.get(2))
                        .buffer(y)
                        .buffer(none)
                        .buffer(none)
                        .buffer(lists)
                        .buffer(none)
                        .ints(s.queries(), s.keys(), s.heads(), s.width(), s.width(), shape.parts(), row, row, row)
                        .ints(s.keyBatch() == 1 ? 0 : s.keys(), 1, 1, 0, s.listLength())
                        .floats(scale * LOG2_E, 1 / scale)
                        .grid(
                                s.queryBlocks(),
                                (long) s.heads() * shape.parts(),
                                s.batch(),
                                shape.threads(),
                                shape.sharedBytes(kind)));
    }

    // ------------------------------------------------------------------------------------------ decoder

    /**
     * Convolution of BF16 images with channels last: y = relu?(conv([x ; past]) + bias + residual), 3×3 with padding 1
     * or 1×1.
     *
     * @param x buffer of [n,h,w,c]
     * @param past buffer of [n,h,w,c], joined behind x's channels; or none
     * @param weight buffer of [m,taps,c or 2c]
     * @param bias buffer of [m] in F32, or none
     * @param residual buffer of [n,h,w,m], or none
     * @param y buffer of [n,h,w,m]
     * @param c a multiple of 32
     * @param m a multiple of 8
     * @param taps 9 or 1
     * @param relu whether negative results become 0
     */
    public static KernelLaunch convolution(
            int x,
            int past,
            int weight,
            int bias,
            int residual,
            int y,
            int n,
            int h,
            int w,
            int c,
            int m,
            int taps,
            boolean relu) {
        if (c < 32 || c % 32 != 0 || m < 8 || m % 8 != 0 || (taps != 1 && taps != 9)) {
            throw new IllegalArgumentException(c + " to " + m + " channels with " + taps
                    + " taps; inputs a multiple of 32, outputs of 8, taps 1 or 9");
        }
        long pixels = (long) n * h * w;
        return new LaunchBuilder("tw_conv_nhwc_bf16")
                .buffer(x)
                .buffer(past)
                .buffer(weight)
                .buffer(bias)
                .buffer(residual)
                .buffer(y)
                .ints(pixels, h, w, c, m, taps, relu ? 1 : 0)
                .grid((pixels + 127) / 128, (m + 63) / 64, 1, 256, 3 * (128 + 64) * 32 * 2);
    }

    // ------------------------------------------------------------------------------------------ sampler and pixels

    /** Latent [c,f,h,w] in F32 to tokens [f·h/p·w/p, c·p·p] with features in the order channel, row, column. */
    public static KernelLaunch patchify(DType dtype, int x, int y, int c, int f, int h, int w, int p) {
        return patches("tw_patchify_", dtype, x, y, c, f, h, w, p);
    }

    /** Tokens [f·h/p·w/p, p·p·c] with features in the order row, column, channel to a latent [c,f,h,w] in F32. */
    public static KernelLaunch unpatchify(DType dtype, int x, int y, int c, int f, int h, int w, int p) {
        return patches("tw_unpatchify_", dtype, x, y, c, f, h, w, p);
    }

    private static KernelLaunch patches(String name, DType dtype, int x, int y, int c, int f, int h, int w, int p) {
        if (p < 1 || h % p != 0 || w % p != 0) {
            throw new IllegalArgumentException(h + "×" + w + " in patches of " + p + "; they must divide both");
        }
        long n = (long) c * f * h * w;
        return new LaunchBuilder(name + KernelCatalog.suffix(dtype))
                .buffer(x)
                .buffer(y)
                .ints(n, c, f, h, w, p)
                .over(n, 1);
    }

    /**
     * One step of a flow whose velocity is noise − data: Euler from sigma to next, or, with noise, to the clean estimate
     * x − sigma·v and back to next. x, noise and y are F32 and may be one buffer.
     */
    public static KernelLaunch flowStep(
            DType dtype, int x, int velocity, int noise, int y, long elements, double sigma, double next) {
        return new LaunchBuilder("tw_flow_" + KernelCatalog.suffix(dtype))
                .buffer(x)
                .buffer(velocity)
                .buffer(noise)
                .buffer(y)
                .ints(elements)
                .floats(sigma, next)
                .over(elements, 4);
    }

    /**
     * Numbers in [−1,1] to 8-bit RGB [frames,pixels,3].
     *
     * @param frameStride elements of x from frame to frame
     * @param channelStride elements of x from channel to channel
     * @param pixelStride elements of x from pixel to pixel
     */
    public static KernelLaunch rgb(
            DType dtype, int x, int y, int frames, int pixels, int frameStride, int channelStride, int pixelStride) {
        long n = (long) frames * pixels;
        return new LaunchBuilder("tw_rgb_" + KernelCatalog.suffix(dtype))
                .buffer(x)
                .buffer(y)
                .ints(n, pixels, frameStride, channelStride, pixelStride)
                .over(n, 4);
    }

    // ------------------------------------------------------------------------------------------ memory

    /**
     * The points of the 4D memory as a camera sees them, nearest first: clear, splat, resolve.
     *
     * @param points buffer of [n,3] world points in F32
     * @param colours buffer of [n] in I32: R | G≪8 | B≪16
     * @param words buffer of 8·height·width bytes
     * @param rgb buffer of [3,height,width] in {@code dtype}, in [−1,1], 0 where nothing is seen
     * @param depth buffer of [height,width] in F32, planar depth, 0 where nothing is seen
     * @param seen buffer of [height,width] in BOOL
     * @param n points
     * @param radius a point covers (2·radius+1)² pixels
     * @param nearest least depth that is seen, positive
     * @param intrinsics fx, fy, cx, cy with pixel centres at +0.5
     * @param worldToCamera rotation, row-major, then translation: 12 numbers
     */
    public static List<KernelLaunch> splat(
            DType dtype,
            int points,
            int colours,
            int words,
            int rgb,
            int depth,
            int seen,
            int n,
            int height,
            int width,
            int radius,
            double nearest,
            double[] intrinsics,
            double[] worldToCamera) {
        if (intrinsics.length != 4 || worldToCamera.length != 12 || radius < 0 || !(nearest > 0)) {
            throw new IllegalArgumentException(intrinsics.length + " intrinsics, " + worldToCamera.length
                    + " camera numbers, radius " + radius + ", nearest " + nearest
                    + "; 4, 12, not negative, positive");
        }
        long pixels = (long) height * width;
        return List.of(
                new LaunchBuilder("tw_splat_clear").buffer(words).ints(pixels).over(pixels, 1),
                new LaunchBuilder("tw_splat")
                        .buffer(points)
                        .buffer(colours)
                        .buffer(words)
                        .ints(n, height, width, radius)
                        .floats(nearest)
                        .floats(intrinsics)
                        .floats(worldToCamera)
                        .over(Math.max(n, 1), 1),
                new LaunchBuilder("tw_splat_resolve_" + KernelCatalog.suffix(dtype))
                        .buffer(words)
                        .buffer(rgb)
                        .buffer(depth)
                        .buffer(seen)
                        .ints(pixels)
                        .over(pixels, 1));
    }

    // ------------------------------------------------------------------------------------------ helpers

    /** The suffix for angles: F32, or the element type of what is turned. */
    static String angles(List<TensorType> in, int first) {
        DType angle = in.get(first).dtype();
        if (in.get(first + 1).dtype() != angle
                || (angle != DType.F32 && angle != in.get(0).dtype())) {
            throw new NoKernelException("angles of type " + angle + " and "
                    + in.get(first + 1).dtype() + " for " + in.get(0).dtype());
        }
        return KernelCatalog.suffix(angle);
    }

    /** Strides of a broadcast operand over all axes of x but the last, and over the last. */
    private static long[][] lead(TensorType operand, long[] x) {
        long[] s = Strides.broadcast(operand.shape().known(), x);
        return new long[][] {Arrays.copyOf(s, s.length - 1), {x[x.length - 1] == 1 ? 1 : s[s.length - 1]}};
    }

    private static int per(DType dtype) {
        if (dtype != DType.F32 && dtype != DType.BF16 && dtype != DType.F16) {
            throw new NoKernelException("element type " + dtype);
        }
        return 16 / dtype.byteSize();
    }

    private static int warps(long threads) {
        return (int) ((threads + 31) / 32 * 32);
    }

    private static void requireRow(DType dtype, int width) {
        int per = 16 / dtype.byteSize();
        if ((dtype != DType.F32 && dtype != DType.BF16 && dtype != DType.F16)
                || width < per
                || width % per != 0
                || width / per > KernelLaunch.MAX_THREADS) {
            throw new IllegalArgumentException(
                    "rows of " + width + " of type " + dtype + "; F32, BF16 or F16 in packs of 16 bytes, at most 1024");
        }
    }
}
