package io.teleworld.graph;

import java.util.List;

/**
 * One application of an operator. Immutable.
 *
 * @param name unique within its graph, with dots for scopes: {@code blocks.0.attn1.MatMul_3}
 * @param op the operator
 * @param inputs what it reads
 * @param outputs what it makes
 */
public record Node(String name, Op op, List<Value> inputs, List<Value> outputs) {

    public Node {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    /** The only output. */
    public Value output() {
        if (outputs.size() != 1) {
            throw new IllegalStateException(name + " has " + outputs.size() + " outputs");
        }
        return outputs.get(0);
    }
}
