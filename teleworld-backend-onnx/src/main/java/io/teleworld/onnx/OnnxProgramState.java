package io.teleworld.onnx;

import io.teleworld.graph.State;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.support.AbstractProgramState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Registers and frame caches in direct memory.
 *
 * <p>A register has two buffers: a run reads one, writes the other, and success swaps them. A frame cache is one buffer
 * of {@code capacity} slots. Visible frames that lie in a run of slots are passed without a copy, others are gathered
 * once for all runs that see the same frames; new frames are computed straight into free slots, while replaced ones
 * are copied over when the run has succeeded. So a run that fails leaves everything as it was.
 */
final class OnnxProgramState extends AbstractProgramState<OnnxProgramState> {

    private final OnnxProgram program;
    private final BufferPool pool;
    private final Map<String, RegisterMemory> registers = new LinkedHashMap<>();
    private final Map<String, CacheMemory> caches = new LinkedHashMap<>();
    private final Map<String, FrameSlots> groups = new LinkedHashMap<>();

    /** Counts writes, so that gathered frames are known to be stale. */
    private long version;

    OnnxProgramState(OnnxProgram program) {
        super(program, program.runtime().ledger());
        this.program = program;
        this.pool = program.runtime().pool();
        for (State s : program.graph().states().values()) {
            if (s instanceof State.Register r) {
                registers.put(r.name(), new RegisterMemory(r));
            } else if (s instanceof State.FrameCache c) {
                caches.put(c.name(), new CacheMemory(c));
                FrameSlots known = groups.get(c.group());
                int capacity = known == null ? c.capacity() : Math.min(known.capacity(), c.capacity());
                groups.put(c.group(), new FrameSlots(capacity));
            }
        }
    }

    // ------------------------------------------------------------------------------------------ running

    /** What a run will change once it has succeeded. */
    static final class Transaction {

        private final List<Runnable> steps = new ArrayList<>();

        void commit() {
            steps.forEach(Runnable::run);
        }
    }

    /** Adds this state's inputs and outputs to a run whose options have been checked. */
    Transaction begin(OnnxProgram.Run run, RunOptions options, OnnxModel model) {
        Transaction t = new Transaction();
        model.stateInputs().forEach((name, onnx) -> {
            if (program.state(name) instanceof State.FrameCache c) {
                List<Integer> ids = ProgramChecks.visible(c.group(), this, options);
                run.feed(onnx, c.dtype(), cache(name).read(ids), frames(c, ids.size()));
            } else {
                RegisterMemory r = register(name);
                run.feed(onnx, r.declared.dtype(), r.front, r.shape());
            }
        });
        Map<String, int[]> placements = new LinkedHashMap<>();
        options.written()
                .forEach((group, ids) -> placements.put(group, slots(group).place(ids)));
        model.stateOutputs().forEach((name, onnx) -> {
            if (program.state(name) instanceof State.FrameCache c) {
                List<Integer> ids = options.written().get(c.group());
                int[] slots = placements.get(c.group());
                if (ids != null && slots != null && slots.length > 0) {
                    cache(name).write(run, onnx, ids, slots, t);
                }
            } else if (options.writeRegisters()) {
                register(name).write(run, onnx, t);
            }
        });
        t.steps.add(() -> placements.forEach((group, slots) -> {
            slots(group).commit(options.written().getOrDefault(group, List.of()), slots);
            version++;
        }));
        return t;
    }

    private static long[] frames(State.FrameCache c, int count) {
        long[] frame = c.frameShape().known();
        long[] shape = new long[frame.length + 1];
        shape[0] = count;
        System.arraycopy(frame, 0, shape, 1, frame.length);
        return shape;
    }

    private FrameSlots slots(String group) {
        FrameSlots s = groups.get(group);
        if (s == null) {
            throw new IllegalStateException("no group " + group);
        }
        return s;
    }

    private CacheMemory cache(String name) {
        CacheMemory c = caches.get(name);
        if (c == null) {
            throw new IllegalStateException("no cache " + name);
        }
        return c;
    }

    private RegisterMemory register(String name) {
        RegisterMemory r = registers.get(name);
        if (r == null) {
            throw new IllegalStateException("no register " + name);
        }
        return r;
    }

    private ByteBuffer allocate(long size, boolean zeroed) {
        ByteBuffer b = zeroed ? pool.acquireZeroed(size) : pool.acquire(size);
        count(size);
        return b;
    }

    private static void copy(ByteBuffer from, ByteBuffer to) {
        to.put(0, from, 0, from.capacity());
    }

    private final class RegisterMemory {

        private final State.Register declared;
        private ByteBuffer front;
        private @Nullable ByteBuffer back;

        RegisterMemory(State.Register declared) {
            this.declared = declared;
            this.front = allocate(OnnxTensorRuntime.byteSize(declared.dtype(), shape()), true);
        }

        long[] shape() {
            return declared.shape().known();
        }

        void write(OnnxProgram.Run run, String onnx, Transaction t) {
            ByteBuffer next = back;
            if (next == null) {
                next = allocate(front.capacity(), false);
                back = next;
            }
            ByteBuffer written = next;
            run.pin(onnx, declared.dtype(), written, shape());
            t.steps.add(() -> {
                back = front;
                front = written;
            });
        }

        void release() {
            pool.release(front);
            if (back != null) {
                pool.release(back);
            }
        }
    }

    private final class CacheMemory {

        private final State.FrameCache declared;
        private final long frameBytes;
        private @Nullable ByteBuffer slots;
        private @Nullable ByteBuffer gathered;
        private List<Integer> gatheredIds = List.of();
        private long gatheredVersion = -1;

        CacheMemory(State.FrameCache declared) {
            this.declared = declared;
            this.frameBytes = OnnxTensorRuntime.byteSize(
                    declared.dtype(), declared.frameShape().known());
        }

        private FrameSlots group() {
            return OnnxProgramState.this.slots(declared.group());
        }

        private ByteBuffer memory() {
            ByteBuffer m = slots;
            if (m == null) {
                m = allocate(group().capacity() * frameBytes, false);
                slots = m;
            }
            return m;
        }

        private ByteBuffer slice(ByteBuffer b, int firstSlot, int count) {
            return b.slice(Math.toIntExact(firstSlot * frameBytes), Math.toIntExact(count * frameBytes))
                    .order(b.order());
        }

        /** The visible frames, one behind the other. */
        ByteBuffer read(List<Integer> ids) {
            int[] where = group().slots(ids);
            if (FrameSlots.contiguous(where)) {
                return slice(memory(), where.length == 0 ? 0 : where[0], where.length);
            }
            ByteBuffer g = gathered;
            if (g == null) {
                g = allocate(group().capacity() * frameBytes, false);
                gathered = g;
            }
            if (gatheredVersion != version || !gatheredIds.equals(ids)) {
                for (int i = 0; i < where.length; i++) {
                    copy(slice(memory(), where[i], 1), slice(g, i, 1));
                }
                gatheredVersion = version;
                gatheredIds = List.copyOf(ids);
            }
            return slice(g, 0, where.length);
        }

        void write(OnnxProgram.Run run, String onnx, List<Integer> ids, int[] where, Transaction t) {
            boolean replaces = ids.stream().anyMatch(group()::holds);
            long[] shape = frames(declared, where.length);
            if (!replaces && FrameSlots.contiguous(where)) {
                run.pin(onnx, declared.dtype(), slice(memory(), where[0], where.length), shape);
                return;
            }
            ByteBuffer made = run.scratch(where.length * frameBytes);
            run.pin(onnx, declared.dtype(), made, shape);
            t.steps.add(() -> {
                for (int i = 0; i < where.length; i++) {
                    copy(slice(made, i, 1), slice(memory(), where[i], 1));
                }
            });
        }

        void copyFrom(CacheMemory other) {
            for (int slot : other.group().slots(other.group().ids())) {
                copy(other.slice(other.memory(), slot, 1), slice(memory(), slot, 1));
            }
        }

        void release() {
            if (slots != null) {
                pool.release(slots);
            }
            if (gathered != null) {
                pool.release(gathered);
            }
        }
    }

    // ------------------------------------------------------------------------------------------ content

    @Override
    protected OnnxProgramState createEmpty() {
        return new OnnxProgramState(program);
    }

    @Override
    protected OnnxProgramState self() {
        return this;
    }

    @Override
    protected List<Integer> held(String group) {
        return slots(group).ids();
    }

    @Override
    protected void clear() {
        registers.values().forEach(r -> BufferPool.clear(r.front));
        groups.values().forEach(FrameSlots::clear);
        version++;
    }

    @Override
    protected void drop(String group, List<Integer> frameIds) {
        slots(group).evict(frameIds);
    }

    @Override
    protected void take(OnnxProgramState other) {
        registers.forEach((name, r) -> copy(other.register(name).front, r.front));
        groups.forEach((name, g) -> g.copyFrom(other.slots(name)));
        caches.forEach((name, c) -> c.copyFrom(other.cache(name)));
        version++;
    }

    @Override
    protected void release() {
        registers.values().forEach(RegisterMemory::release);
        caches.values().forEach(CacheMemory::release);
    }
}
