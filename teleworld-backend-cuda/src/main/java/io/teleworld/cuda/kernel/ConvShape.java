package io.teleworld.cuda.kernel;

import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * A 2D convolution by tensor cores: pictures and weights are put with their channels last, filled up to a multiple of 8,
 * and the product is written with the channels first.
 *
 * @param op strides, pads and dilations
 * @param x extents of the pictures [n,c,h,w]
 * @param weight extents of the weight [m,c,kh,kw]
 * @param y extents of the result [n,m,oh,ow]
 */
record ConvShape(Op.Conv op, List<Long> x, List<Long> weight, List<Long> y) {

    /** Fewer channels would be zeros for the most part of 64 that a step takes. */
    private static final int LEAST_CHANNELS = 16;

    /** Places are kept in 16 bits. */
    private static final int MOST_EXTENT = 16_000;

    private static final int PIXELS = 128;

    static ConvShape of(Op.Conv op, List<TensorType> in, TensorType out) {
        return new ConvShape(op, extents(in.get(0)), extents(in.get(1)), extents(out));
    }

    private static List<Long> extents(TensorType t) {
        List<Long> all = new ArrayList<>();
        for (long e : t.shape().known()) {
            all.add(e);
        }
        return all;
    }

    static boolean takes(Op.Conv op, List<TensorType> in, TensorType out) {
        if (out.dtype() != DType.BF16 || in.get(0).shape().rank() != 4 || op.group() != 1) {
            return false;
        }
        ConvShape s = of(op, in, out);
        return s.x.get(1) >= LEAST_CHANNELS
                && s.x.stream().allMatch(e -> e > 0)
                && s.y.stream().allMatch(e -> e > 0)
                && Math.max(s.reach(0), s.reach(1)) <= MOST_EXTENT
                && s.weight.get(0) <= KernelLaunch.MAX_GRID_YZ
                && s.x.get(0) <= KernelLaunch.MAX_GRID_YZ;
    }

    /** The most that a place can be away from a picture's first. */
    private long reach(int axis) {
        return x.get(2 + axis)
                + 2L * op.pads().get(axis)
                + op.pads().get(2 + axis)
                + weight.get(2 + axis) * op.dilations().get(axis)
                + y.get(2 + axis) * op.strides().get(axis);
    }

    private long padded() {
        return (x.get(1) + 7) / 8 * 8;
    }

    private long taps() {
        return weight.get(2) * weight.get(3);
    }

    /** Whether the weight lies as it must already. */
    private boolean isPointwise() {
        return taps() == 1 && padded() == x.get(1);
    }

    List<TensorType> workspace() {
        TensorType last = new TensorType(DType.BF16, Shape.of(x.get(0), x.get(2), x.get(3), padded()));
        return isPointwise()
                ? List.of(last)
                : List.of(last, new TensorType(DType.BF16, Shape.of(weight.get(0), taps(), padded())));
    }

    /**
     * The launches.
     *
     * @param in buffers of pictures, weight and, perhaps, bias
     * @param out buffers of the result and of the {@link #workspace}
     */
    List<KernelLaunch> launches(List<Integer> in, List<Integer> out) {
        List<KernelLaunch> all = new ArrayList<>();
        all.add(channelsLast(in.get(0), out.get(1), x.get(0), x.get(1), x.get(2) * x.get(3)));
        if (!isPointwise()) {
            all.add(channelsLast(in.get(1), out.get(2), weight.get(0), x.get(1), taps()));
        }
        long m = weight.get(0);
        boolean wide = m > 64;
        long pixels = y.get(0) * y.get(2) * y.get(3);
        int rows = wide ? 128 : 64;
        // Four stages of 128 pixels and 128 channels, their barriers, and what aligns them; or three of 128 and 64.
        long shared = wide ? 1024 + 4 * 256 * 128 + 64 : 3 * 192 * 128;
        all.add(new LaunchBuilder(wide ? "tw_conv_group" : "tw_conv_tile")
                .buffer(out.get(1))
                .buffer(isPointwise() ? in.get(1) : out.get(2))
                .buffer(in.size() == 3 ? in.get(2) : KernelLaunch.Buffer.NONE)
                .buffer(out.get(0))
                .ints(pixels, x.get(2), x.get(3), y.get(2), y.get(3), padded(), m)
                .ints(weight.get(2), weight.get(3))
                .ints(op.strides().get(0), op.strides().get(1))
                .ints(op.pads().get(0), op.pads().get(1))
                .ints(op.dilations().get(0), op.dilations().get(1))
                .grid((pixels + PIXELS - 1) / PIXELS, (m + rows - 1) / rows, 1, wide ? 384 : 256, shared));
        return all;
    }

    private KernelLaunch channelsLast(int from, int to, long n, long c, long places) {
        return new LaunchBuilder("tw_channels_last")
                .buffer(from)
                .buffer(to)
                .ints(c, places, padded())
                .grid((places + 31) / 32, (padded() + 31) / 32, n, 256, 0);
    }
}
