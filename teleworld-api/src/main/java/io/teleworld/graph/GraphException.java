package io.teleworld.graph;

import java.util.List;

/**
 * Thrown while a graph is built when an operator cannot take its inputs; names the operator, the inputs' types and the
 * rule that they break.
 */
public final class GraphException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    /** An operator whose inputs break a rule. */
    public GraphException(Op op, List<TensorType> inputs, String rule) {
        super(op.name() + inputs + ": " + rule + " (" + op + ")");
    }

    /** A graph that breaks a rule of its own, such as a name used twice. */
    public GraphException(String message) {
        super(message);
    }
}
