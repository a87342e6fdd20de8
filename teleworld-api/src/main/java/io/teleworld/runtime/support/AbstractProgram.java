package io.teleworld.runtime.support;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * A program without its arithmetic: checks what a run is given, holds the state while it runs, hands the results to their
 * scope, and closes when no run is under way. Thread-safe if {@link #execute} is.
 *
 * @param <S> the program's states
 */
public abstract class AbstractProgram<S extends AbstractProgramState<S>> implements Program {

    private final Graph graph;
    private final RuntimeLedger ledger;
    /** Runs share it, closing takes it alone. */
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    private boolean closed;

    /**
     * An open program.
     *
     * @param graph as it was given to {@code compile}
     * @param ledger the runtime's, which the runtime enters the program into
     */
    protected AbstractProgram(Graph graph, RuntimeLedger ledger) {
        this.graph = graph;
        this.ledger = ledger;
    }

    /** A new state of this program, empty and owned by the caller. */
    protected abstract S createState();

    /**
     * Runs the graph.
     *
     * @param inputs checked; borrowed for the call
     * @param state held for this run, or null if the graph has no states; changes only if the run succeeds
     * @param options checked
     * @param symbols the extent of every symbol
     * @return the outputs by name, which the caller owns
     */
    protected abstract Map<String, ? extends Tensor> execute(
            Map<String, ? extends Tensor> inputs, @Nullable S state, RunOptions options, Map<String, Long> symbols);

    /** Frees what the program holds; called once, when no run is under way. */
    protected abstract void release();

    @Override
    public final Graph graph() {
        return graph;
    }

    /** The runtime's ledger. */
    protected final RuntimeLedger ledger() {
        return ledger;
    }

    @Override
    public final ProgramState newState(Scope scope) {
        lock.readLock().lock();
        try {
            requireOpen();
            return scope.adopt(createState());
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public final Map<String, Tensor> run(
            Map<String, ? extends Tensor> inputs, ProgramState state, RunOptions options, Scope scope) {
        lock.readLock().lock();
        @Nullable S own = null;
        try {
            requireOpen();
            if (scope.isClosed()) {
                throw new ResourceClosedException("scope " + scope.name(), null);
            }
            if (!graph.states().isEmpty()) {
                S held = own(state);
                held.enter();
                own = held;
            }
            Map<String, Long> symbols = ProgramChecks.bind(graph, inputs, state, options);
            return adopt(execute(inputs, own, options, symbols), scope);
        } finally {
            if (own != null) {
                own.leave();
            }
            lock.readLock().unlock();
        }
    }

    private S own(ProgramState state) {
        if (state instanceof AbstractProgramState<?> s && s.program() == this) {
            @SuppressWarnings("unchecked") // createState made it, so it is one
            S own = (S) s;
            return own;
        }
        throw ProgramChecks.foreignState(graph);
    }

    /**
     * Holds the program and a state for work that a runtime does outside of {@link #run}; {@link #leave} must follow.
     *
     * @param state of this program, or null
     * @throws ResourceClosedException if the program or the state is closed; nothing is then held
     * @throws IllegalStateException if the state is in a run
     */
    protected final void enter(@Nullable S state) {
        lock.readLock().lock();
        boolean held = false;
        try {
            requireOpen();
            if (state != null) {
                state.enter();
            }
            held = true;
        } finally {
            if (!held) {
                lock.readLock().unlock();
            }
        }
    }

    /** Ends what {@link #enter} began, on the same thread. */
    protected final void leave(@Nullable S state) {
        if (state != null) {
            state.leave();
        }
        lock.readLock().unlock();
    }

    private static Map<String, Tensor> adopt(Map<String, ? extends Tensor> results, Scope scope) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        try {
            results.forEach((name, tensor) -> out.put(name, scope.adopt(tensor)));
        } catch (ResourceClosedException e) {
            results.values().forEach(Tensor::close);
            throw e;
        }
        return Collections.unmodifiableMap(out);
    }

    private void requireOpen() {
        if (closed) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    @Override
    public final void close() {
        lock.writeLock().lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            release();
        } finally {
            lock.writeLock().unlock();
        }
        ledger.remove(this);
    }

    @Override
    public String toString() {
        return "program of graph " + graph.name();
    }
}
