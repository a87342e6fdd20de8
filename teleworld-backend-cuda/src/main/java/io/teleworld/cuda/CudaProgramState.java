package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.plan.StateLayout;
import io.teleworld.graph.State;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.support.AbstractProgramState;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Registers and frame slots in one piece of device memory that never moves, with the runs that were captured for it.
 * Confined to one thread at a time.
 */
final class CudaProgramState extends AbstractProgramState<CudaProgramState> {

    private final CudaProgram owner;
    private final CudaDevice device;
    private final StateLayout layout;
    private final DeviceMemory memory;
    private final Map<String, FrameRing> rings = new LinkedHashMap<>();
    /** The values of {@link #rings}. */
    private final FrameRing[] all;

    private final Executables executables;

    CudaProgramState(CudaProgram owner) {
        super(owner, owner.ownLedger());
        this.owner = owner;
        this.device = owner.device();
        this.layout = owner.stateLayout();
        this.executables = new Executables(CudaProgram.CAPTURED_AT_MOST);
        layout.capacities().forEach((group, capacity) -> rings.put(group, new FrameRing(capacity)));
        all = rings.values().toArray(new FrameRing[0]);
        memory = owner.allocateState();
        device.retain();
        count(memory.bytes());
        try {
            zeroRegisters();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Captured runs; for calls within the device. */
    Executables executables() {
        return executables;
    }

    long address() {
        return memory.address();
    }

    /** Grows whenever which frame is in which slot changes. */
    long version() {
        long sum = 0;
        for (FrameRing ring : all) {
            sum += ring.version();
        }
        return sum;
    }

    /** Which frames are in which slots, for {@link #restoreSlots}. */
    List<FrameRing> slots() {
        List<FrameRing> out = new ArrayList<>();
        rings.forEach((group, ring) -> {
            FrameRing copy = new FrameRing(layout.capacities().getOrDefault(group, 0));
            copy.copyFrom(ring);
            out.add(copy);
        });
        return out;
    }

    /** Takes {@link #slots} back; the memory is as it is. */
    void restoreSlots(List<FrameRing> slots) {
        for (int i = 0; i < all.length; i++) {
            all[i].copyFrom(slots.get(i));
        }
    }

    private FrameRing ring(String group) {
        FrameRing r = rings.get(group);
        if (r == null) {
            throw new IllegalStateException("no group " + group);
        }
        return r;
    }

    /** The slots that a run sees, by group. */
    Map<String, List<Integer>> visibleSlots(RunOptions options) {
        Map<String, List<Integer>> out = new LinkedHashMap<>();
        rings.forEach((group, ring) -> out.put(group, ring.slots(ProgramChecks.visible(group, this, options))));
        return out;
    }

    /** The slots that a run writes, by group. */
    Map<String, List<Integer>> writtenSlots(RunOptions options) {
        Map<String, List<Integer>> out = new LinkedHashMap<>();
        options.written().forEach((group, frames) -> {
            if (!frames.isEmpty()) {
                out.put(group, ring(group).place(frames));
            }
        });
        return out;
    }

    /** A run has written its frames. */
    void commit(RunOptions options, Map<String, List<Integer>> slots) {
        slots.forEach((group, placed) -> ring(group).commit(options.written().getOrDefault(group, List.of()), placed));
    }

    /** A run failed half-way: nothing that is held can be trusted. */
    void forget() {
        rings.values().forEach(FrameRing::clear);
        device.closing(this::zeroRegistersNow);
    }

    private void zeroRegisters() {
        device.run(this::zeroRegistersNow);
    }

    private void zeroRegistersNow() {
        CudaDriver driver = device.driver();
        for (State s : graph().states().values()) {
            long bytes = layout.entryBytes(s);
            if (s instanceof State.Register && bytes > 0) {
                driver.clear(memory.address() + layout.offset(s), bytes, device.stream());
            }
        }
    }

    @Override
    protected CudaProgramState createEmpty() {
        return new CudaProgramState(owner);
    }

    @Override
    protected CudaProgramState self() {
        return this;
    }

    @Override
    protected List<Integer> held(String group) {
        return ring(group).frames();
    }

    @Override
    protected void clear() {
        rings.values().forEach(FrameRing::clear);
        zeroRegisters();
    }

    @Override
    protected void drop(String group, List<Integer> frameIds) {
        ring(group).evict(frameIds);
    }

    @Override
    protected void take(CudaProgramState other) {
        if (memory.bytes() > 0) {
            device.run(() -> device.driver()
                    .copyOnDevice(memory.address(), other.memory.address(), memory.bytes(), device.stream()));
        }
        rings.forEach((group, ring) -> ring.copyFrom(other.ring(group)));
    }

    @Override
    protected void release() {
        device.closing(executables::close);
        memory.close();
        device.release();
    }
}
