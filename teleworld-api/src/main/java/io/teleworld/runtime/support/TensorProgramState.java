package io.teleworld.runtime.support;

import io.teleworld.graph.State;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.RunOptions;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Registers and frame caches as tensors of a runtime's own that are never written in place, so that snapshots share them:
 * one tensor per register and one per cached frame. Confined to one thread at a time.
 *
 * <p>A run collects what it writes in a {@link Transaction}, which stores it only when the run has succeeded.
 *
 * @param <T> the runtime's tensors
 */
public final class TensorProgramState<T> extends AbstractProgramState<TensorProgramState<T>> {

    /**
     * What a state needs of a runtime's tensors. Tensors that are handed to the state stay until it releases them.
     *
     * @param <T> the tensors
     */
    public interface Memory<T> {

        /** Zeros, which are released when the run ends. */
        T zeros(DType dtype, long... shape);

        /** Frames one behind the other along a new first axis, which are released when the run ends. */
        T stack(List<T> frames);

        /** An independent copy for the state to keep. */
        T copy(T tensor);

        /** An independent copy of one entry of the first axis for the state to keep. */
        T copyEntry(T tensor, int index);

        /** The same content as something else to keep, for tensors that are never written. */
        T share(T tensor);

        /** Frees a tensor that came from this object; one that is freed already is left alone. */
        void release(T tensor);
    }

    private final RuntimeLedger ledger;
    private final Memory<T> memory;
    private final Map<String, T> registers = new LinkedHashMap<>();
    /** By cache name, then frame id. */
    private final Map<String, Map<Integer, T>> caches = new LinkedHashMap<>();
    /** By group, in the order of first writing. */
    private final Map<String, List<Integer>> groups = new LinkedHashMap<>();

    private long counted;

    /** An empty state, owned by the caller. */
    public TensorProgramState(Program program, RuntimeLedger ledger, Memory<T> memory) {
        super(program, ledger);
        this.ledger = ledger;
        this.memory = memory;
        for (State s : program.graph().states().values()) {
            if (s instanceof State.FrameCache c) {
                caches.put(c.name(), new HashMap<>());
                groups.putIfAbsent(c.group(), new ArrayList<>());
            }
        }
        recount();
    }

    /** A run's view of this state, whose options have been checked. */
    public Transaction begin(RunOptions options) {
        return new Transaction(options);
    }

    /** One run's view; closing it without {@link #commit} forgets what was written. */
    public final class Transaction implements AutoCloseable {

        private final RunOptions options;
        private final List<T> made = new ArrayList<>();
        private final Map<State.Register, T> writtenRegisters = new LinkedHashMap<>();
        private final Map<State.FrameCache, List<T>> writtenFrames = new LinkedHashMap<>();

        private Transaction(RunOptions options) {
            this.options = options;
        }

        /** The content of a state as the run sees it; borrowed until this object is closed. */
        public T read(State state) {
            if (state instanceof State.FrameCache c) {
                List<Integer> ids = ProgramChecks.visible(c.group(), TensorProgramState.this, options);
                if (ids.isEmpty()) {
                    long[] frame = c.frameShape().known();
                    long[] shape = new long[frame.length + 1];
                    System.arraycopy(frame, 0, shape, 1, frame.length);
                    return temporary(memory.zeros(c.dtype(), shape));
                }
                Map<Integer, T> frames = cache(c.name());
                return temporary(
                        memory.stack(ids.stream().map(id -> frame(frames, id)).toList()));
            }
            State.Register r = (State.Register) state;
            T value = registers.get(r.name());
            return value == null ? temporary(memory.zeros(r.dtype(), r.shape().known())) : value;
        }

        private T temporary(T tensor) {
            made.add(tensor);
            return tensor;
        }

        /** Whether the run's options let a state change. */
        public boolean writes(State state) {
            return state instanceof State.FrameCache c ? !written(c).isEmpty() : options.writeRegisters();
        }

        /** Takes a state's new value in its element type, of which it keeps a copy; ignored if {@link #writes} says no. */
        public void write(State state, T value) {
            if (!writes(state)) {
                return;
            }
            if (state instanceof State.FrameCache c) {
                List<T> frames = new ArrayList<>();
                List<T> old = writtenFrames.put(c, frames);
                if (old != null) {
                    old.forEach(memory::release);
                }
                for (int i = 0; i < written(c).size(); i++) {
                    frames.add(memory.copyEntry(value, i));
                }
            } else if (state instanceof State.Register r) {
                replace(writtenRegisters, r, memory.copy(value));
            }
        }

        private List<Integer> written(State.FrameCache c) {
            return options.written().getOrDefault(c.group(), List.of());
        }

        /** Makes what was written the state's content. */
        public void commit() {
            writtenRegisters.forEach((r, value) -> replace(registers, r.name(), value));
            writtenRegisters.clear();
            writtenFrames.forEach((c, frames) -> {
                Map<Integer, T> held = cache(c.name());
                for (int i = 0; i < frames.size(); i++) {
                    replace(held, written(c).get(i), frames.get(i));
                }
            });
            writtenFrames.clear();
            options.written().forEach((group, ids) -> {
                List<Integer> held = held(group);
                ids.stream().filter(id -> !held.contains(id)).forEach(held::add);
            });
            recount();
        }

        @Override
        public void close() {
            made.forEach(memory::release);
            writtenRegisters.values().forEach(memory::release);
            writtenFrames.values().forEach(frames -> frames.forEach(memory::release));
        }
    }

    private Map<Integer, T> cache(String name) {
        Map<Integer, T> frames = caches.get(name);
        if (frames == null) {
            throw new IllegalStateException("no cache " + name);
        }
        return frames;
    }

    private T frame(Map<Integer, T> frames, int id) {
        T frame = frames.get(id);
        if (frame == null) {
            throw new IllegalStateException("frame " + id + " is not held");
        }
        return frame;
    }

    private <K> void replace(Map<K, T> map, K key, T value) {
        T old = map.put(key, value);
        if (old != null) {
            memory.release(old);
        }
    }

    /** Registers count in full from the start, although zeros are only made when they are read. */
    private void recount() {
        long now = 0;
        for (State s : graph().states().values()) {
            if (s instanceof State.Register r) {
                now += r.shape().elementCount().known() * r.dtype().byteSize();
            } else if (s instanceof State.FrameCache c) {
                now += cache(c.name()).size()
                        * c.frameShape().elementCount().known()
                        * c.dtype().byteSize();
            }
        }
        count(now - counted);
        counted = now;
    }

    @Override
    protected TensorProgramState<T> createEmpty() {
        return new TensorProgramState<>(program(), ledger, memory);
    }

    @Override
    protected TensorProgramState<T> self() {
        return this;
    }

    @Override
    protected List<Integer> held(String group) {
        List<Integer> ids = groups.get(group);
        if (ids == null) {
            throw new IllegalStateException("no group " + group);
        }
        return ids;
    }

    @Override
    protected void clear() {
        release();
        recount();
    }

    @Override
    protected void drop(String group, List<Integer> frameIds) {
        Set<Integer> gone = Set.copyOf(frameIds);
        held(group).removeAll(gone);
        for (State s : graph().states().values()) {
            if (s instanceof State.FrameCache c && c.group().equals(group)) {
                for (int id : gone) {
                    T frame = cache(c.name()).remove(id);
                    if (frame != null) {
                        memory.release(frame);
                    }
                }
            }
        }
        recount();
    }

    @Override
    protected void take(TensorProgramState<T> other) {
        release();
        other.registers.forEach((name, value) -> registers.put(name, memory.share(value)));
        other.caches.forEach((name, frames) -> {
            Map<Integer, T> mine = cache(name);
            frames.forEach((id, frame) -> mine.put(id, memory.share(frame)));
        });
        other.groups.forEach((group, ids) -> held(group).addAll(ids));
        recount();
    }

    @Override
    protected void release() {
        registers.values().forEach(memory::release);
        registers.clear();
        caches.values().forEach(frames -> {
            frames.values().forEach(memory::release);
            frames.clear();
        });
        groups.values().forEach(List::clear);
    }
}
