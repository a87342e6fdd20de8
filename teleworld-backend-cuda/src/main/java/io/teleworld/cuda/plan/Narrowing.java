package io.teleworld.cuda.plan;

import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;

/** Which operands are narrowed when products are computed in fp16 or bf16; everything else stays as declared. */
final class Narrowing {

    private Narrowing() {}

    /** Whether an operator's fp32 products are computed in a narrower type. */
    static boolean applies(Op op) {
        return op instanceof Op.Linear
                || op instanceof Op.MatMul
                || op instanceof Op.Conv
                || op instanceof Op.Attention
                || op instanceof Op.WindowAttention;
    }

    /** Whether operand {@code i} of a node is narrowed. Biases of matrix products are added in fp32. */
    static boolean applies(Node node, int i, DType narrow) {
        Value v = node.inputs().get(i);
        if (narrow == DType.F32 || v.dtype() != DType.F32 || !applies(node.op())) {
            return false;
        }
        return i < 2 || !(node.op() instanceof Op.Linear);
    }
}
