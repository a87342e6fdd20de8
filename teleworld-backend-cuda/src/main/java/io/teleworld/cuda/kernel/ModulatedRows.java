package io.teleworld.cuda.kernel;

import io.teleworld.graph.TensorType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/** The rows of a modulated layer norm, and where each finds its shift and scale. Immutable. */
final class ModulatedRows {

    private final long width;
    private final long shiftStep;
    private final long scaleStep;
    private final long[][] strides;

    private ModulatedRows(long width, long shiftStep, long scaleStep, long[][] strides) {
        this.width = width;
        this.shiftStep = shiftStep;
        this.scaleStep = scaleStep;
        this.strides = strides;
    }

    /** The rows of x, shift and scale, which broadcast to x. */
    static ModulatedRows of(List<TensorType> in) {
        long[] x = in.get(0).shape().known();
        int last = x.length - 1;
        long[] shift = Strides.broadcast(in.get(1).shape().known(), x);
        long[] scale = Strides.broadcast(in.get(2).shape().known(), x);
        return new ModulatedRows(
                x[last],
                x[last] == 1 ? 1 : shift[last],
                x[last] == 1 ? 1 : scale[last],
                Strides.collapse(Arrays.copyOf(x, last), Arrays.copyOf(shift, last), Arrays.copyOf(scale, last)));
    }

    long width() {
        return width;
    }

    long count() {
        return LongStream.of(strides[0]).reduce(1, Math::multiplyExact);
    }

    /** Whether shift and scale lie in memory as a row does. */
    boolean areDense() {
        return shiftStep == 1 && scaleStep == 1;
    }

    /** Adds what every kernel of these rows takes after its buffers. */
    LaunchBuilder describe(LaunchBuilder b, double epsilon) {
        return b.ints(width).floats(epsilon).ints(strides[0]).ints(strides[1]).ints(strides[2]);
    }

    /** Adds the steps from one number of a row's shift and scale to the next. */
    LaunchBuilder steps(LaunchBuilder b) {
        return b.ints(shiftStep, scaleStep);
    }
}
