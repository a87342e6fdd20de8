package io.teleworld.cuda.kernel;

import io.teleworld.graph.Op;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import java.util.List;

/**
 * Extents of an attention of windows.
 *
 * @param dtype element type of the operands
 * @param batch samples
 * @param keyBatch samples of the keys: as many, or one for all
 * @param slabs slabs of windows that the keys have
 * @param windows windows of a slab
 * @param members tokens of a window
 * @param reach neighbours that a window may see in a slab
 * @param heads heads
 * @param width elements of a head
 */
record WindowShape(
        DType dtype, int batch, int keyBatch, int slabs, int windows, int members, int reach, int heads, int width) {

    /** The most shared memory of the kernel that makes the lists. */
    private static final int MOST_PLACES = 12_000;

    static WindowShape of(Op.WindowAttention op, List<TensorType> in) {
        long[] q = in.get(0).shape().known();
        long[] k = in.get(1).shape().known();
        long[] near = in.get(4).shape().known();
        return new WindowShape(
                in.get(0).dtype(),
                (int) q[0],
                (int) k[0],
                (int) k[1],
                (int) near[0],
                (int) (q[1] / near[0]),
                (int) near[1],
                op.heads(),
                (int) (q[2] / op.heads()));
    }

    int queries() {
        return windows * members;
    }

    int keys() {
        return slabs * queries();
    }

    /** Whether windows are whole blocks of keys, so that lists of blocks say what is seen. */
    boolean isBlockSparse() {
        return dtype == DType.BF16
                && batch > 0
                && keys() > 0
                && reach > 0
                && members > 0
                && members % FlashShape.KEY_BLOCK == 0
                && slabs * windows <= MOST_PLACES
                && FlashShape.takes(width, width, FlashShape.Mask.HIDES);
    }

    /** Blocks of a window. */
    int units() {
        return members / FlashShape.KEY_BLOCK;
    }

    int queryBlocks() {
        return (queries() + FlashShape.QUERY_BLOCK - 1) / FlashShape.QUERY_BLOCK;
    }

    /** Numbers of one list: how many blocks it has, and the blocks. */
    int listLength() {
        return 1 + slabs * windows * units();
    }
}
