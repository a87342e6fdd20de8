package io.teleworld.runtime.support;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.Scope;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A state without its memory: who it belongs to, whether it is open or in a run, and what it counts in the runtime's
 * ledger. Confined to one thread at a time, like every {@link ProgramState}.
 *
 * @param <S> the class that extends this one
 */
public abstract class AbstractProgramState<S extends AbstractProgramState<S>> implements ProgramState {

    private final Program program;
    private final RuntimeLedger ledger;
    private final AtomicBoolean busy = new AtomicBoolean();
    private final AtomicBoolean closed = new AtomicBoolean();
    private long bytes;

    /**
     * An open state.
     *
     * @param program whose graph declares the states
     * @param ledger the runtime's
     */
    protected AbstractProgramState(Program program, RuntimeLedger ledger) {
        this.program = program;
        this.ledger = ledger;
    }

    // ------------------------------------------------------------------------------------------ what a runtime gives

    /** A new, empty state of the same program. */
    protected abstract S createEmpty();

    /** This object. */
    protected abstract S self();

    /** The frames of a group in the order of their first writing. */
    protected abstract List<Integer> held(String group);

    /** Sets registers to zero and empties the caches. */
    protected abstract void clear();

    /** Forgets frames of a group, some of which may not be held. */
    protected abstract void drop(String group, List<Integer> frameIds);

    /** Replaces the content by a copy of another's; the other is never this object. */
    protected abstract void take(S other);

    /** Frees all memory; called once. */
    protected abstract void release();

    // ------------------------------------------------------------------------------------------ for the program

    /** The program that made this state. */
    public final Program program() {
        return program;
    }

    /** The graph that declares the states. */
    protected final Graph graph() {
        return program.graph();
    }

    /** Counts memory that was taken, or given back where negative, in {@link #sizeBytes} and in the ledger. */
    protected final void count(long change) {
        bytes += change;
        ledger.addStateBytes(change);
    }

    /** Begins a run. */
    final void enter() {
        requireOpen();
        if (!busy.compareAndSet(false, true)) {
            throw new IllegalStateException(this + " is used by two runs at once");
        }
    }

    final void leave() {
        busy.set(false);
    }

    // ------------------------------------------------------------------------------------------ for the user

    @Override
    public final List<Integer> frames(String group) {
        requireOpen();
        ProgramChecks.requireGroup(graph(), group);
        return List.copyOf(held(group));
    }

    @Override
    public final void reset() {
        requireOpen();
        clear();
    }

    @Override
    public final void evict(String group, List<Integer> frameIds) {
        requireOpen();
        ProgramChecks.requireGroup(graph(), group);
        drop(group, frameIds);
    }

    @Override
    public final ProgramState snapshot(Scope scope) {
        requireOpen();
        S copy = createEmpty();
        copy.take(self());
        return scope.adopt(copy);
    }

    @Override
    public final void restore(ProgramState snapshot) {
        requireOpen();
        S self = self();
        if (!self.getClass().isInstance(snapshot)) {
            throw ProgramChecks.foreignState(graph());
        }
        @SuppressWarnings("unchecked") // of the class of this object, which is S
        S other = (S) snapshot;
        if (other.program() != program) {
            throw ProgramChecks.foreignState(graph());
        }
        ((AbstractProgramState<?>) other).requireOpen();
        if (other != self) {
            take(other);
        }
    }

    @Override
    public final long sizeBytes() {
        requireOpen();
        return bytes;
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    @Override
    public final void close() {
        if (closed.compareAndSet(false, true)) {
            release();
            count(-bytes);
        }
    }

    @Override
    public String toString() {
        return "state of graph " + graph().name();
    }
}
