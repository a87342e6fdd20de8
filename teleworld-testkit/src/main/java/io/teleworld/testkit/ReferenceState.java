package io.teleworld.testkit;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.State;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;

/** Registers and frame caches as maps of arrays. */
final class ReferenceState implements ProgramState {

    private final ReferenceProgram program;
    private final AtomicLong stateBytes;
    private final Map<String, NdArray> registers = new TreeMap<>();
    /** The ids of each group in the order of their first writing. */
    private final Map<String, List<Integer>> ids = new TreeMap<>();
    /** Per cache its frames by id. */
    private final Map<String, Map<Integer, NdArray>> caches = new TreeMap<>();

    private long counted;
    private boolean closed;

    ReferenceState(ReferenceProgram program, AtomicLong stateBytes) {
        this.program = program;
        this.stateBytes = stateBytes;
        clear();
    }

    private void clear() {
        registers.clear();
        ids.clear();
        caches.clear();
        for (State s : program.graph().states().values()) {
            if (s instanceof State.Register r) {
                registers.put(r.name(), NdArray.zeros(r.dtype(), ints(r.shape().known())));
            } else if (s instanceof State.FrameCache c) {
                ids.putIfAbsent(c.group(), new ArrayList<>());
                caches.put(c.name(), new LinkedHashMap<>());
            }
        }
        recount();
    }

    boolean belongsTo(ReferenceProgram p) {
        return program == p;
    }

    void requireOpen() {
        if (closed) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    NdArray read(State state, RunOptions options) {
        if (!(state instanceof State.FrameCache c)) {
            return registers.getOrDefault(state.name(), NdArray.zeros(state.dtype()));
        }
        List<Integer> visible = ProgramChecks.visible(c.group(), this, options);
        Map<Integer, NdArray> frames = caches.getOrDefault(c.name(), Map.of());
        int[] frameShape = ints(c.frameShape().known());
        int[] shape = new int[frameShape.length + 1];
        shape[0] = visible.size();
        System.arraycopy(frameShape, 0, shape, 1, frameShape.length);
        return NdArray.of(c.dtype(), shape, index -> {
            NdArray frame = frames.getOrDefault(visible.get(index[0]), NdArray.zeros(DType.F32));
            return frame.get(Arrays.copyOfRange(index, 1, index.length));
        });
    }

    void commit(Map<State, NdArray> writes, RunOptions options) {
        writes.forEach((state, value) -> {
            if (state instanceof State.Register r) {
                if (options.writeRegisters()) {
                    registers.put(r.name(), value);
                }
            } else if (state instanceof State.FrameCache c) {
                List<Integer> written = options.written().getOrDefault(c.group(), List.of());
                Map<Integer, NdArray> frames = caches.computeIfAbsent(c.name(), n -> new LinkedHashMap<>());
                for (int k = 0; k < written.size(); k++) {
                    frames.put(written.get(k), value.row(k));
                }
            }
        });
        options.written().forEach((group, written) -> {
            List<Integer> held = ids.computeIfAbsent(group, g -> new ArrayList<>());
            written.stream().filter(id -> !held.contains(id)).forEach(held::add);
        });
        recount();
    }

    @Override
    public List<Integer> frames(String group) {
        requireOpen();
        ProgramChecks.requireGroup(program.graph(), group);
        return List.copyOf(ids.getOrDefault(group, List.of()));
    }

    @Override
    public void reset() {
        requireOpen();
        clear();
    }

    @Override
    public void evict(String group, List<Integer> frameIds) {
        requireOpen();
        ProgramChecks.requireGroup(program.graph(), group);
        ids.getOrDefault(group, new ArrayList<>()).removeAll(frameIds);
        for (State s : program.graph().states().values()) {
            if (s instanceof State.FrameCache c && c.group().equals(group)) {
                caches.getOrDefault(c.name(), new LinkedHashMap<>()).keySet().removeAll(frameIds);
            }
        }
        recount();
    }

    @Override
    public ProgramState snapshot(Scope scope) {
        requireOpen();
        ReferenceState copy = new ReferenceState(program, stateBytes);
        copy.takeOver(this);
        return scope.adopt(copy);
    }

    @Override
    public void restore(ProgramState snapshot) {
        requireOpen();
        if (!(snapshot instanceof ReferenceState s) || s.program != program) {
            throw ProgramChecks.foreignState(program.graph());
        }
        s.requireOpen();
        if (s != this) {
            takeOver(s);
        }
    }

    private void takeOver(ReferenceState other) {
        clear();
        registers.putAll(other.registers);
        other.ids.forEach((group, held) -> ids.put(group, new ArrayList<>(held)));
        other.caches.forEach((name, frames) -> caches.put(name, new LinkedHashMap<>(frames)));
        recount();
    }

    private void recount() {
        long bytes = 0;
        for (NdArray a : registers.values()) {
            bytes += a.byteSize();
        }
        for (Map<Integer, NdArray> c : caches.values()) {
            for (NdArray a : c.values()) {
                bytes += a.byteSize();
            }
        }
        stateBytes.addAndGet(bytes - counted);
        counted = bytes;
    }

    @Override
    public long sizeBytes() {
        requireOpen();
        return counted;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            registers.clear();
            ids.clear();
            caches.clear();
            recount();
        }
    }

    private static int[] ints(long[] shape) {
        return Arrays.stream(shape).mapToInt(Math::toIntExact).toArray();
    }

    @Override
    public String toString() {
        return "state of graph " + program.graph().name();
    }
}
