package io.teleworld.training.torch;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.State;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Registers and frame caches as LibTorch tensors that are never written in place, so that snapshots share them.
 *
 * <p>A run collects what it writes and stores it only when it has succeeded.
 */
final class TorchProgramState implements ProgramState {

    private final TorchProgram program;
    private final Map<String, Tensor> registers = new LinkedHashMap<>();
    /** By cache name, then frame id in the order of first writing. */
    private final Map<String, Map<Integer, Tensor>> caches = new LinkedHashMap<>();

    private final Map<String, List<Integer>> groups = new LinkedHashMap<>();
    private final AtomicBoolean busy = new AtomicBoolean();
    private boolean closed;
    private long bytes;

    TorchProgramState(TorchProgram program) {
        this.program = program;
        for (State s : program.graph().states().values()) {
            if (s instanceof State.FrameCache c) {
                caches.put(c.name(), new HashMap<>());
                groups.putIfAbsent(c.group(), new ArrayList<>());
            }
        }
        count();
    }

    TorchProgram program() {
        return program;
    }

    void enter() {
        requireOpen();
        if (!busy.compareAndSet(false, true)) {
            throw new IllegalStateException(this + " is used by two runs at once");
        }
    }

    void leave() {
        busy.set(false);
    }

    // ------------------------------------------------------------------------------------------ running

    /** One run's view; closing it without {@link #commit} forgets what was written. */
    final class Transaction implements GraphExecutor.StateAccess, AutoCloseable {
        private final RunOptions options;
        private final Map<State, Tensor> written = new LinkedHashMap<>();

        Transaction(RunOptions options) {
            this.options = options;
        }

        @Override
        public Tensor read(State state) {
            if (state instanceof State.Register r) {
                Tensor t = registers.get(r.name());
                return t == null ? program.zeros(r.dtype(), r.shape().known()) : new Tensor(t);
            }
            State.FrameCache c = (State.FrameCache) state;
            List<Integer> ids = ProgramChecks.visible(c.group(), TorchProgramState.this, options);
            if (ids.isEmpty()) {
                long[] frame = c.frameShape().known();
                long[] shape = new long[frame.length + 1];
                System.arraycopy(frame, 0, shape, 1, frame.length);
                return program.zeros(c.dtype(), shape);
            }
            Map<Integer, Tensor> frames = frames(c);
            Tensor[] parts = ids.stream().map(frames::get).toArray(Tensor[]::new);
            return torch.stack(new TensorVector(parts));
        }

        @Override
        public void write(State state, Tensor value) {
            boolean wanted = state instanceof State.FrameCache c
                    ? !options.written().getOrDefault(c.group(), List.of()).isEmpty()
                    : options.writeRegisters();
            if (wanted) {
                // A copy, so that the state neither aliases an input nor keeps a larger tensor alive.
                written.put(state, TorchTensors.keep(value.contiguous().clone()));
            }
        }

        void commit() {
            written.forEach((state, t) -> {
                if (state instanceof State.FrameCache c) {
                    List<Integer> ids = options.written().getOrDefault(c.group(), List.of());
                    for (int i = 0; i < ids.size(); i++) {
                        try (PointerScope s = new PointerScope()) {
                            Tensor frame = TorchTensors.keep(t.select(0, i).clone());
                            replace(frames(c), ids.get(i), frame);
                        }
                    }
                } else {
                    replace(registers, state.name(), TorchTensors.keep(new Tensor(t)));
                }
            });
            options.written().forEach((group, ids) -> {
                List<Integer> held = group(group);
                ids.stream().filter(id -> !held.contains(id)).forEach(held::add);
            });
            count();
        }

        @Override
        public void close() {
            written.values().forEach(Tensor::close);
            written.clear();
        }
    }

    private Map<Integer, Tensor> frames(State.FrameCache c) {
        Map<Integer, Tensor> m = caches.get(c.name());
        if (m == null) {
            throw new IllegalStateException("no cache " + c.name());
        }
        return m;
    }

    private List<Integer> group(String name) {
        List<Integer> ids = groups.get(name);
        if (ids == null) {
            throw new IllegalStateException("no group " + name);
        }
        return ids;
    }

    private static <K> void replace(Map<K, Tensor> map, K key, Tensor value) {
        Tensor old = map.put(key, value);
        if (old != null) {
            old.close();
        }
    }

    /** Registers count in full from the start, although zeros are only made when they are read. */
    private void count() {
        long now = 0;
        for (State s : program.graph().states().values()) {
            if (s instanceof State.Register r) {
                now += r.shape().elementCount().known() * r.dtype().byteSize();
            } else if (s instanceof State.FrameCache c) {
                now += frames(c).size()
                        * c.frameShape().elementCount().known()
                        * c.dtype().byteSize();
            }
        }
        program.runtime().addStateBytes(now - bytes);
        bytes = now;
    }

    // ------------------------------------------------------------------------------------------ content

    @Override
    public List<Integer> frames(String group) {
        requireOpen();
        ProgramChecks.requireGroup(program.graph(), group);
        return List.copyOf(group(group));
    }

    @Override
    public void reset() {
        requireOpen();
        clear();
        count();
    }

    private void clear() {
        registers.values().forEach(Tensor::close);
        registers.clear();
        caches.values().forEach(m -> {
            m.values().forEach(Tensor::close);
            m.clear();
        });
        groups.values().forEach(List::clear);
    }

    @Override
    public void evict(String group, List<Integer> frameIds) {
        requireOpen();
        ProgramChecks.requireGroup(program.graph(), group);
        Set<Integer> gone = Set.copyOf(frameIds);
        group(group).removeAll(gone);
        for (State s : program.graph().states().values()) {
            if (s instanceof State.FrameCache c && c.group().equals(group)) {
                for (int id : gone) {
                    Tensor t = frames(c).remove(id);
                    if (t != null) {
                        t.close();
                    }
                }
            }
        }
        count();
    }

    @Override
    public ProgramState snapshot(Scope scope) {
        requireOpen();
        TorchProgramState s = new TorchProgramState(program);
        s.take(this);
        return scope.adopt(s);
    }

    @Override
    public void restore(ProgramState snapshot) {
        requireOpen();
        if (!(snapshot instanceof TorchProgramState other) || other.program != program) {
            throw ProgramChecks.foreignState(program.graph());
        }
        other.requireOpen();
        if (other != this) {
            clear();
            take(other);
        }
    }

    private void take(TorchProgramState other) {
        try (PointerScope s = new PointerScope()) {
            other.registers.forEach((n, t) -> registers.put(n, TorchTensors.keep(new Tensor(t))));
            other.caches.forEach((n, frames) -> {
                Map<Integer, Tensor> mine = new HashMap<>();
                frames.forEach((id, t) -> mine.put(id, TorchTensors.keep(new Tensor(t))));
                caches.put(n, mine);
            });
        }
        other.groups.forEach((n, ids) -> groups.put(n, new ArrayList<>(ids)));
        count();
    }

    private void requireOpen() {
        if (closed) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    @Override
    public long sizeBytes() {
        requireOpen();
        return bytes;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            clear();
            program.runtime().addStateBytes(-bytes);
            bytes = 0;
        }
    }

    @Override
    public String toString() {
        return "state of " + program;
    }
}
