package io.teleworld.runtime;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Op;
import java.util.List;
import java.util.Set;

/**
 * Compiles graphs and runs them. Thread-safe; different programs may run at the same time. Closing it closes its
 * programs; a second close does nothing.
 */
public interface TensorRuntime extends AutoCloseable {

    /** The provider's name. */
    String name();

    /** Its devices, the one in use first. */
    List<Device> devices();

    /** The operators that it runs itself; composites that are missing here are expanded. */
    Set<Class<? extends Op>> operators();

    /** The arithmetics that {@link #compile} accepts. */
    Set<Precision> precisions();

    /** What the runtime holds at this moment. */
    MemoryFigures memory();

    /**
     * Binds a graph to weights.
     *
     * @param weights one tensor per parameter, with its shape, in F32, F16 or BF16; read during this call only
     * @throws io.teleworld.error.TeleWorldException of category USER if a weight is missing or has another shape, of
     *     category BACKEND if the runtime lacks an operator or a precision (message names it)
     */
    Program compile(Graph graph, Weights weights, Precision precision);

    /**
     * Makes a sequence of runs of this runtime's programs ready to be repeated. By default it is done run by run; a
     * runtime may keep results on its device in between and do all of it in one go.
     *
     * @param scope owns what is returned
     * @throws IllegalArgumentException if a program or a state is of another runtime
     */
    default PreparedSequence prepare(RunSequence sequence, Scope scope) {
        return scope.adopt(new SteppedSequence(sequence));
    }

    @Override
    void close();
}
