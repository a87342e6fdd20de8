package io.teleworld.runtime;

import io.teleworld.graph.Graph;
import io.teleworld.tensor.Tensor;
import java.util.Map;

/**
 * A compiled graph. Thread-safe as long as no state is used by two runs at once. Closing it is idempotent; states that
 * it made stay readable but cannot be run any more.
 */
public interface Program extends AutoCloseable {

    /** The graph that it was compiled from. */
    Graph graph();

    /** A state with zero registers and empty frame caches, owned by {@code scope}. */
    ProgramState newState(Scope scope);

    /**
     * Runs the graph once.
     *
     * @param inputs one tensor per graph input; borrowed for the call
     * @param state made by this program; a graph without states takes any
     * @param options which cached frames are visible and which are written
     * @param scope owns the results
     * @return the outputs by name
     * @throws IllegalArgumentException if an input is missing, unknown or does not fit; names it, its shape and what
     *     the graph declares. The state is then unchanged.
     * @throws io.teleworld.error.ResourceClosedException if the program, the state or an input is closed
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if the runtime fails; the state is then
     *     unchanged or empty
     */
    Map<String, Tensor> run(Map<String, ? extends Tensor> inputs, ProgramState state, RunOptions options, Scope scope);

    @Override
    void close();
}
