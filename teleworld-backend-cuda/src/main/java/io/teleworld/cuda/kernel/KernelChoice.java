package io.teleworld.cuda.kernel;

import io.teleworld.tensor.DType;
import java.util.List;

/** How one operator is computed. */
public sealed interface KernelChoice {

    /**
     * By launches in this order; none where there is nothing to compute.
     *
     * @param launches need no workspace
     */
    record Kernels(List<KernelLaunch> launches) implements KernelChoice {
        public Kernels {
            launches = List.copyOf(launches);
        }
    }

    /**
     * By one matrix product, y[z] = x[z]·w[z] + bias, for cuBLASLt; the fallback is an own kernel that does the same.
     * All matrices are row-major and dense. A product with several broadcast batch axes is given as {@link Kernels}.
     *
     * @param dtype element type of all operands; sums are in fp32
     * @param x buffer of the [rows,depth] matrices
     * @param weight buffer of the [depth,columns] matrices, or [columns,depth] if transposed
     * @param weightTransposed whether the weight is stored as [columns,depth]
     * @param bias buffer of [columns], or {@link KernelLaunch.Buffer#NONE}
     * @param y buffer of the [rows,columns] results
     * @param rows rows of x
     * @param columns columns of y
     * @param depth the summed extent
     * @param batches matrices in y
     * @param strideX elements between matrices of x; 0 where all batches share one
     * @param strideWeight elements between matrices of the weight; 0 where all batches share one
     * @param fallback one launch that computes the same
     */
    record Product(
            DType dtype,
            int x,
            int weight,
            boolean weightTransposed,
            int bias,
            int y,
            int rows,
            int columns,
            int depth,
            int batches,
            long strideX,
            long strideWeight,
            KernelLaunch fallback)
            implements KernelChoice {}

    /**
     * Not at all.
     *
     * @param reason says what is missing
     */
    record Unsupported(String reason) implements KernelChoice {}
}
