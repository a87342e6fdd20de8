package io.teleworld.cuda.plan;

import io.teleworld.cuda.kernel.KernelLaunch;
import io.teleworld.graph.Op;
import io.teleworld.graph.TensorType;
import java.util.List;

/** Where a plan gets its kernels from. Implementations are stateless and thread-safe. */
public interface KernelSource {

    /** Whether there is a kernel for an operator, for the element types that graphs usually give it. */
    boolean supports(Class<? extends Op> op);

    /**
     * Memory that an operator's launches need besides its results, as tensors whose buffers {@link #launches} is given
     * behind those of the results. By default none.
     *
     * @param op without symbols
     * @param inputs types of the operands, all extents known
     * @param outputs types of the results, all extents known
     */
    default List<TensorType> workspace(Op op, List<TensorType> inputs, List<TensorType> outputs) {
        return List.of();
    }

    /**
     * The launches that compute one operator.
     *
     * @param op without symbols
     * @param inputs types of the operands, all extents known
     * @param outputs types of the results and the workspace, all extents known, at least one element in all
     * @param inputBuffers the plan's number of each operand's buffer; operands begin at multiples of 16 bytes
     * @param outputBuffers the plan's number of each result's buffer, then of the workspace's
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if there is no kernel for these types
     */
    List<KernelLaunch> launches(
            Op op,
            List<TensorType> inputs,
            List<TensorType> outputs,
            List<Integer> inputBuffers,
            List<Integer> outputBuffers);

    /**
     * The launches that quantise the rows of a tensor to E4M3, each with a scale of its own: its largest magnitude over
     * 448, or 1 for a row of zeros.
     *
     * @param x type of the tensor, F32, BF16 or F16; its last extent is a multiple of 16
     * @param from its buffer
     * @param codes buffer of the same shape in F8_E4M3
     * @param scales buffer of one F32 number per row: what codes are multiplied by
     */
    List<KernelLaunch> quantise(TensorType x, int from, int codes, int scales);

    /**
     * The launches that compute an operator and quantise its result as {@link #quantise} does, or none if it takes two
     * steps.
     */
    List<KernelLaunch> quantised(Op op, List<TensorType> inputs, List<Integer> inputBuffers, int codes, int scales);
}
