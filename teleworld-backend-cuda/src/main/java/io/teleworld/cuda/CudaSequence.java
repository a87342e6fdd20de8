package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.driver.DeviceLostException;
import io.teleworld.cuda.plan.BufferPlanner;
import io.teleworld.cuda.plan.RunShape;
import io.teleworld.cuda.plan.StaticPlan;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.graph.Value;
import io.teleworld.runtime.PreparedSequence;
import io.teleworld.runtime.ProgramChecks;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RunSequence;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A sequence of runs as one captured graph: the given values go to the device in one copy, results of a run are copied
 * on the device to where a later one reads them, the outputs come back in one copy, and the host waits once. As long as the
 * frames of the states stay in their slots, a repetition makes no Java object.
 *
 * <p>Memory that Java owns is pinned for the copies, so that a buffer that is kept too long is stale and not dangling.
 */
final class CudaSequence implements PreparedSequence {

    private record Step(CudaProgram program, @Nullable CudaProgramState state, RunSequence.Run run) {

        RunOptions options() {
            return run.options();
        }

        Map<String, RunSequence.Source> inputs() {
            return run.inputs();
        }
    }

    /** Tensors one behind the other in memory that Java owns, pinned. */
    private static final class HostArea {

        private static final int PAGE = 4096;

        private final Map<String, HostTensor> tensors = new LinkedHashMap<>();
        private final Map<String, Long> offsets = new HashMap<>();
        private final long bytes;
        private final CudaDriver.@Nullable PinnedMemory pinned;

        HostArea(CudaDevice device, Map<String, Declared> declared) {
            long at = 0;
            for (Map.Entry<String, Declared> e : declared.entrySet()) {
                offsets.put(e.getKey(), at);
                at = BufferPlanner.align(at + e.getValue().bytes());
            }
            bytes = at;
            if (bytes == 0) {
                pinned = null;
                return;
            }
            // Whole pages of its own: a page cannot be pinned twice.
            long pages = (bytes + PAGE - 1) / PAGE * PAGE;
            ByteBuffer all = ByteBuffer.allocateDirect(Math.toIntExact(pages + PAGE))
                    .alignedSlice(PAGE)
                    .slice(0, Math.toIntExact(pages))
                    .order(ByteOrder.LITTLE_ENDIAN);
            declared.forEach((name, d) -> tensors.put(
                    name,
                    HostTensor.wrap(
                            d.dtype(),
                            all.slice(Math.toIntExact(offset(name)), Math.toIntExact(d.bytes())),
                            d.shape())));
            pinned = device.driver().pin(all);
        }

        long offset(String name) {
            return Objects.requireNonNull(offsets.get(name), name);
        }

        HostTensor get(String what, String name) {
            HostTensor t = tensors.get(name);
            if (t == null) {
                throw new IllegalArgumentException("no " + what + " " + name + "; there are " + tensors.keySet());
            }
            return t;
        }

        void close() {
            tensors.values().forEach(HostTensor::close);
            if (pinned != null) {
                pinned.close();
            }
        }
    }

    /** A tensor of which only the type and the extents are known. */
    private static final class Declared implements Tensor {

        private final DType dtype;
        private final long[] shape;

        Declared(DType dtype, long[] shape) {
            this.dtype = dtype;
            this.shape = shape;
        }

        long bytes() {
            return HostTensor.elementCount(shape) * dtype.byteSize();
        }

        @Override
        public DType dtype() {
            return dtype;
        }

        @Override
        public long[] shape() {
            return shape.clone();
        }

        @Override
        public ByteBuffer hostBuffer() {
            throw new IllegalStateException("a result inside a sequence is not in host memory");
        }

        @Override
        public void close() {
            // Holds nothing.
        }
    }

    /** What is captured, and what it depends on. */
    private record Captured(
            CudaDriver.Executable executable,
            List<RunShape> shapes,
            List<Long> generations,
            DeviceMemory results,
            HostArea outputs) {

        void close() {
            executable.close();
            results.close();
            outputs.close();
        }
    }

    private final CudaDevice device;
    private final RuntimeLedger ledger;
    private final RunSequence sequence;
    private final Step[] steps;
    /** One step for each state, and for each program without one. */
    private final Step[] holders;

    private final HostArea given;
    private final IdentityHashMap<Tensor, Long> fixedOffsets = new IdentityHashMap<>();
    /** The given values, then the fixed ones. */
    private final DeviceMemory inputs;

    private final CudaDriver.Event begun;
    private final CudaDriver.Event ended;
    private final Supplier<Boolean> repeat = this::repeat;
    private @Nullable Captured captured;
    /** Versions of the holders' states that {@link #captured} may be repeated with. */
    private final long[] versions;

    private boolean ran;
    private boolean closed;
    private long runs;
    private long planned;
    private long deviceNanos;
    private long hostNanos;

    /** Takes memory for the inputs and brings the fixed ones to the device. */
    CudaSequence(CudaDevice device, RuntimeLedger ledger, RunSequence sequence) {
        this.device = device;
        this.ledger = ledger;
        this.sequence = sequence;
        this.steps = new Step[sequence.runs().size()];
        IdentityHashMap<Object, Step> held = new IdentityHashMap<>();
        List<Step> first = new ArrayList<>();
        for (int i = 0; i < steps.length; i++) {
            steps[i] = own(i, sequence.runs().get(i));
            CudaProgramState state = steps[i].state();
            if (held.putIfAbsent(state == null ? steps[i].program() : state, steps[i]) == null) {
                first.add(steps[i]);
            }
        }
        this.holders = first.toArray(new Step[0]);
        this.versions = new long[holders.length];
        List<AutoCloseable> made = new ArrayList<>();
        try {
            Map<String, Declared> declared = new LinkedHashMap<>();
            sequence.given()
                    .forEach((name, g) ->
                            declared.put(name, new Declared(g.dtype(), g.shape().known())));
            given = device.call(() -> new HostArea(device, declared));
            made.add(given::close);
            inputs = device.allocate(given.bytes + placeFixed());
            made.add(inputs);
            device.run(this::uploadFixed);
            begun = device.call(() -> device.driver().createEvent());
            made.add(begun);
            ended = device.call(() -> device.driver().createEvent());
        } catch (RuntimeException e) {
            closeAll(made, e);
            throw e;
        }
        device.retain();
        ledger.addStateBytes(inputs.bytes());
    }

    private void closeAll(List<AutoCloseable> made, RuntimeException failure) {
        device.closing(() -> {
            for (AutoCloseable c : made) {
                try {
                    c.close();
                } catch (Exception e) {
                    failure.addSuppressed(e);
                }
            }
        });
    }

    private Step own(int i, RunSequence.Run run) {
        if (!(run.program() instanceof CudaProgram program) || program.device() != device) {
            throw new IllegalArgumentException("run " + i + " is of " + run.program() + ", which another runtime made");
        }
        if (program.graph().states().isEmpty()) {
            return new Step(program, null, run);
        }
        if (run.state() instanceof CudaProgramState state && state.program() == program) {
            return new Step(program, state, run);
        }
        throw ProgramChecks.foreignState(program.graph());
    }

    private long placeFixed() {
        long at = 0;
        for (Step s : steps) {
            for (RunSequence.Source source : s.inputs().values()) {
                if (source instanceof RunSequence.Fixed f && !fixedOffsets.containsKey(f.tensor())) {
                    fixedOffsets.put(f.tensor(), given.bytes + at);
                    at = BufferPlanner.align(
                            at + f.tensor().elementCount() * f.tensor().dtype().byteSize());
                }
            }
        }
        return at;
    }

    private void uploadFixed() {
        fixedOffsets.forEach((tensor, offset) -> {
            ByteBuffer from = tensor.hostBuffer();
            if (from.remaining() == 0) {
                return;
            }
            try (CudaDriver.PinnedMemory staging = device.driver().allocatePinned(from.remaining())) {
                staging.buffer().put(0, from, from.position(), from.remaining());
                device.driver().copyToDevice(inputs.address() + offset, staging, 0, from.remaining(), device.stream());
                device.driver().synchronize(device.stream());
            }
        });
    }

    /** The times of all repetitions so far. */
    RunTimes times() {
        return new RunTimes(runs, planned, deviceNanos, hostNanos);
    }

    private void requireOpen() {
        if (closed) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    @Override
    public HostTensor input(String name) {
        requireOpen();
        return given.get("given value", name);
    }

    @Override
    public HostTensor output(String name) {
        requireOpen();
        if (!sequence.outputs().containsKey(name)) {
            throw new IllegalArgumentException(
                    "no output " + name + "; there are " + sequence.outputs().keySet());
        }
        Captured c = captured;
        if (!ran || c == null) {
            throw new IllegalStateException("output " + name + " is there after the first run");
        }
        return c.outputs().get("output", name);
    }

    @Override
    public void run() {
        requireOpen();
        int held = 0;
        try {
            while (held < holders.length) {
                holders[held].program().hold(holders[held].state());
                held++;
            }
            device.call(repeat);
        } finally {
            while (held > 0) {
                held--;
                holders[held].program().letGo(holders[held].state());
            }
        }
    }

    // ------------------------------------------------------------------------------------------ within the device

    private boolean repeat() {
        long start = device.nanoTime();
        boolean replayed = current();
        if (!replayed) {
            capture();
        }
        Captured c = Objects.requireNonNull(captured, "captured");
        CudaDriver driver = device.driver();
        long waited;
        float deviceMillis;
        try {
            driver.record(begun, device.stream());
            driver.launch(c.executable(), device.stream());
            driver.record(ended, device.stream());
            long asleep = device.nanoTime();
            driver.synchronize(device.stream());
            waited = device.nanoTime() - asleep;
            deviceMillis = driver.elapsedMillis(begun, ended);
        } catch (RuntimeException e) {
            if (e instanceof DeviceLostException loss) {
                device.lose(loss);
            }
            forgetStates(e);
            throw e;
        }
        ran = true;
        if (replayed) {
            runs++;
            deviceNanos += Math.round(deviceMillis * 1e6);
            hostNanos += device.nanoTime() - start - waited;
        } else {
            planned++;
        }
        return replayed;
    }

    private void forgetStates(RuntimeException failure) {
        for (Step s : holders) {
            CudaProgramState state = s.state();
            if (state != null) {
                try {
                    state.forget();
                } catch (RuntimeException e) {
                    failure.addSuppressed(e);
                }
            }
        }
    }

    private boolean current() {
        Captured c = captured;
        if (c == null || !sameMemory(c)) {
            return false;
        }
        for (int i = 0; i < holders.length; i++) {
            if (version(holders[i]) != versions[i]) {
                return false;
            }
        }
        return true;
    }

    private static long version(Step s) {
        CudaProgramState state = s.state();
        return state == null ? 0 : state.version();
    }

    /** Plans and captures for the states as they are now; marks their frames as written. */
    private void capture() {
        List<List<FrameRing>> slots = new ArrayList<>();
        for (Step s : holders) {
            CudaProgramState state = s.state();
            slots.add(state == null ? List.of() : state.slots());
        }
        try {
            List<Map<String, Declared>> results = new ArrayList<>();
            List<RunShape> shapes = new ArrayList<>();
            boolean moved = false;
            for (Step s : steps) {
                Map<String, Tensor> in = new HashMap<>();
                s.inputs().forEach((name, source) -> in.put(name, standIn(source, results)));
                CudaProgramState state = s.state();
                Map<String, Long> symbols =
                        ProgramChecks.bind(s.program().graph(), in, s.run().state(), s.options());
                RunShape shape = CudaProgram.shape(symbols, state, s.options());
                shapes.add(shape);
                if (state != null) {
                    long before = state.version();
                    state.commit(s.options(), shape.written());
                    moved |= state.version() != before;
                }
                Map<String, Declared> out = new LinkedHashMap<>();
                for (Map.Entry<String, Value> e : s.program().graph().outputs().entrySet()) {
                    Value v = e.getValue();
                    out.put(e.getKey(), new Declared(v.dtype(), v.shape().evaluate(symbols)));
                }
                results.add(out);
            }
            Captured c = captured;
            if (c == null || !c.shapes().equals(shapes) || !sameMemory(c)) {
                replace(shapes, results);
            }
            for (int i = 0; i < holders.length; i++) {
                // What moves frames cannot be repeated as it is.
                versions[i] = moved ? -1 : version(holders[i]);
            }
        } catch (RuntimeException e) {
            for (int i = 0; i < holders.length; i++) {
                CudaProgramState state = holders[i].state();
                if (state != null) {
                    state.restoreSlots(slots.get(i));
                }
            }
            throw e;
        }
    }

    private boolean sameMemory(Captured c) {
        for (int i = 0; i < steps.length; i++) {
            if (steps[i].program().generation() != c.generations().get(i)) {
                return false;
            }
        }
        return true;
    }

    private Tensor standIn(RunSequence.Source source, List<Map<String, Declared>> results) {
        if (source instanceof RunSequence.Given g) {
            return given.get("given value", g.name());
        }
        if (source instanceof RunSequence.Fixed f) {
            return f.tensor();
        }
        return declared((RunSequence.Result) source, results);
    }

    private static Declared declared(RunSequence.Result r, List<Map<String, Declared>> results) {
        return Objects.requireNonNull(results.get(r.run()).get(r.output()), r.output());
    }

    private void replace(List<RunShape> shapes, List<Map<String, Declared>> results) {
        Captured old = captured;
        captured = null;
        if (old != null) {
            ledger.addStateBytes(-old.results().bytes());
            old.close();
        }
        // All memory first: a later plan of the same program may move what an earlier one was placed in.
        IdentityHashMap<CudaProgram, Map<RunShape, StaticPlan>> plans = new IdentityHashMap<>();
        for (int i = 0; i < steps.length; i++) {
            CudaProgram p = steps[i].program();
            plans.computeIfAbsent(p, k -> new HashMap<>()).computeIfAbsent(shapes.get(i), p::planned);
        }
        List<Long> generations = new ArrayList<>();
        List<PlacedRun> placed = new ArrayList<>();
        for (int i = 0; i < steps.length; i++) {
            CudaProgram p = steps[i].program();
            StaticPlan plan = Objects.requireNonNull(plans.get(p)).get(shapes.get(i));
            placed.add(p.placed(Objects.requireNonNull(plan), steps[i].state()));
            generations.add(p.generation());
        }
        Map<String, Declared> wanted = new LinkedHashMap<>();
        sequence.outputs().forEach((name, r) -> wanted.put(name, declared(r, results)));
        HostArea outputs = new HostArea(device, wanted);
        DeviceMemory memory = null;
        try {
            Map<RunSequence.Result, Long> kept = new HashMap<>();
            long bytes = placeResults(outputs, results, kept);
            memory = device.allocate(bytes);
            captured =
                    new Captured(record(placed, memory.address(), outputs, kept), shapes, generations, memory, outputs);
            ledger.addStateBytes(bytes);
        } catch (RuntimeException e) {
            outputs.close();
            if (memory != null) {
                memory.close();
            }
            throw e;
        }
    }

    /** Results that are read later: the outputs as they lie in host memory, then the others. */
    private long placeResults(
            HostArea outputs, List<Map<String, Declared>> results, Map<RunSequence.Result, Long> kept) {
        long at = outputs.bytes;
        for (Step s : steps) {
            for (RunSequence.Source source : s.inputs().values()) {
                if (source instanceof RunSequence.Result r && !kept.containsKey(r)) {
                    kept.put(r, at);
                    at = BufferPlanner.align(at + declared(r, results).bytes());
                }
            }
        }
        return at;
    }

    private CudaDriver.Executable record(
            List<PlacedRun> placed, long memory, HostArea outputs, Map<RunSequence.Result, Long> kept) {
        CudaDriver driver = device.driver();
        CudaDriver.Stream stream = device.stream();
        driver.beginCapture(stream);
        try {
            CudaDriver.PinnedMemory in = given.pinned;
            if (in != null) {
                driver.copyToDevice(inputs.address(), in, 0, given.bytes, stream);
            }
            for (int i = 0; i < steps.length; i++) {
                PlacedRun run = placed.get(i);
                for (Map.Entry<String, RunSequence.Source> e : steps[i].inputs().entrySet()) {
                    PlacedRun.Place to = Objects.requireNonNull(run.inputs().get(e.getKey()), e.getKey());
                    copy(to.address(), address(e.getValue(), memory, kept), to.bytes());
                }
                run.work().forEach(Runnable::run);
                for (Map.Entry<RunSequence.Result, Long> e : kept.entrySet()) {
                    keep(i, run, e.getKey(), memory + e.getValue());
                }
                for (Map.Entry<String, RunSequence.Result> e :
                        sequence.outputs().entrySet()) {
                    keep(i, run, e.getValue(), memory + outputs.offset(e.getKey()));
                }
            }
            CudaDriver.PinnedMemory out = outputs.pinned;
            if (out != null) {
                driver.copyToHost(out, 0, memory, outputs.bytes, stream);
            }
        } catch (RuntimeException e) {
            driver.abandonCapture(stream);
            throw e;
        }
        return driver.endCapture(stream);
    }

    private void keep(int i, PlacedRun run, RunSequence.Result r, long to) {
        if (r.run() == i) {
            PlacedRun.Place from = Objects.requireNonNull(run.outputs().get(r.output()), r.output());
            copy(to, from.address(), from.bytes());
        }
    }

    private void copy(long to, long from, long bytes) {
        if (bytes > 0) {
            device.driver().copyOnDevice(to, from, bytes, device.stream());
        }
    }

    private long address(RunSequence.Source source, long memory, Map<RunSequence.Result, Long> kept) {
        if (source instanceof RunSequence.Given g) {
            return inputs.address() + given.offset(g.name());
        }
        if (source instanceof RunSequence.Fixed f) {
            return inputs.address() + Objects.requireNonNull(fixedOffsets.get(f.tensor()), "fixed value");
        }
        return memory + Objects.requireNonNull(kept.get((RunSequence.Result) source), "result");
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        Captured c = captured;
        captured = null;
        long bytes = inputs.bytes() + (c == null ? 0 : c.results().bytes());
        device.closing(() -> {
            if (c != null) {
                c.close();
            }
            given.close();
            begun.close();
            ended.close();
        });
        inputs.close();
        ledger.addStateBytes(-bytes);
        device.release();
    }

    @Override
    public String toString() {
        return "sequence of " + steps.length + " runs on CUDA";
    }
}
