package io.teleworld.runtime.support;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Program;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What a runtime has handed out: its open programs, and the bytes and tensors that they hold. Thread-safe.
 *
 * <p>The runtime owns it and closes it when it is closed itself.
 */
public final class RuntimeLedger implements AutoCloseable {

    private final String owner;
    private final AtomicLong stateBytes = new AtomicLong();
    private final AtomicLong liveTensors = new AtomicLong();
    /** Open programs with the bytes of their weights, oldest first. */
    private final Map<Program, Long> programs = new LinkedHashMap<>();

    private boolean closed;

    /**
     * A ledger without entries.
     *
     * @param owner the runtime as messages name it
     */
    public RuntimeLedger(String owner) {
        this.owner = owner;
    }

    /** The figures of this moment. */
    public MemoryFigures memory() {
        long weightBytes;
        synchronized (this) {
            weightBytes = programs.values().stream().mapToLong(Long::longValue).sum();
        }
        return new MemoryFigures(weightBytes, stateBytes.get(), liveTensors.get());
    }

    /** Throws {@link ResourceClosedException} once {@link #close} has begun. */
    public synchronized void requireOpen() {
        if (closed) {
            throw new ResourceClosedException(owner, null);
        }
    }

    /**
     * Enters a new program and returns it.
     *
     * @param weightBytes what its weights take
     * @throws ResourceClosedException if the ledger is closed; the program is then closed too
     */
    public <P extends Program> P add(P program, long weightBytes) {
        synchronized (this) {
            if (!closed) {
                programs.put(program, weightBytes);
                return program;
            }
        }
        program.close();
        throw new ResourceClosedException(owner, null);
    }

    /** Strikes a program out; one that is not there is ignored. */
    public synchronized void remove(Program program) {
        programs.remove(program);
    }

    /** Counts bytes of states; negative to give them back. */
    public void addStateBytes(long bytes) {
        stateBytes.addAndGet(bytes);
    }

    /** Counts results; negative when they are closed. */
    public void addLiveTensors(int count) {
        liveTensors.addAndGet(count);
    }

    /** Closes all programs, newest first; idempotent. */
    @Override
    public void close() {
        List<Program> open;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            open = new ArrayList<>(programs.keySet());
        }
        for (int i = open.size() - 1; i >= 0; i--) {
            open.get(i).close();
        }
    }

    @Override
    public String toString() {
        return "ledger of " + owner;
    }
}
