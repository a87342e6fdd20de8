package io.teleworld.cuda.kernel;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Extents with several sets of strides over them, axes merged where all sets allow it. */
final class Strides {

    /** The most axes that a kernel walks over. */
    static final int RANK = 6;

    private Strides() {}

    /** Row-major strides. */
    static long[] dense(long[] shape) {
        long[] s = new long[shape.length];
        long n = 1;
        for (int a = shape.length - 1; a >= 0; a--) {
            s[a] = n;
            n *= shape[a];
        }
        return s;
    }

    /** Strides of a dense operand under the axes of a result that it broadcasts to. */
    static long[] broadcast(long[] operand, long[] result) {
        long[] own = dense(operand);
        long[] s = new long[result.length];
        int lead = result.length - operand.length;
        for (int a = 0; a < operand.length; a++) {
            s[a + lead] = operand[a] == 1 ? 0 : own[a];
        }
        return s;
    }

    /**
     * The extents, then each set of strides, all of length {@link #RANK}, after leaving out axes of extent 1 and merging
     * neighbours.
     *
     * @throws NoKernelException if more axes remain
     */
    static long[][] collapse(long[] shape, long[]... sets) {
        List<long[]> axes = new ArrayList<>();
        for (int a = 0; a < shape.length; a++) {
            if (shape[a] == 1) {
                continue;
            }
            long[] axis = new long[sets.length + 1];
            axis[0] = shape[a];
            for (int k = 0; k < sets.length; k++) {
                axis[k + 1] = sets[k][a];
            }
            long[] last = axes.isEmpty() ? null : axes.get(axes.size() - 1);
            boolean merges = last != null;
            for (int k = 1; merges && k <= sets.length; k++) {
                merges = last != null && last[k] == axis[k] * axis[0];
            }
            if (merges && last != null) {
                axis[0] *= last[0];
                axes.set(axes.size() - 1, axis);
            } else {
                axes.add(axis);
            }
        }
        if (axes.size() > RANK) {
            throw new NoKernelException(
                    axes.size() + " axes remain of " + Arrays.toString(shape) + "; at most " + RANK);
        }
        long[][] out = new long[sets.length + 1][RANK];
        Arrays.fill(out[0], 1);
        int lead = RANK - axes.size();
        for (int a = 0; a < axes.size(); a++) {
            for (int k = 0; k <= sets.length; k++) {
                out[k][a + lead] = axes.get(a)[k];
            }
        }
        return out;
    }
}
