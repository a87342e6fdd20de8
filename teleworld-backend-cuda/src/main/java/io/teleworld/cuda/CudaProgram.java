package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.driver.DeviceLostException;
import io.teleworld.cuda.kernel.KernelLaunch;
import io.teleworld.cuda.plan.BufferPlanner;
import io.teleworld.cuda.plan.ElementTypes;
import io.teleworld.cuda.plan.KernelSource;
import io.teleworld.cuda.plan.MemoryEstimate;
import io.teleworld.cuda.plan.Region;
import io.teleworld.cuda.plan.RunShape;
import io.teleworld.cuda.plan.StateLayout;
import io.teleworld.cuda.plan.StaticPlan;
import io.teleworld.cuda.plan.WeightLayout;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Value;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.AbstractProgram;
import io.teleworld.runtime.support.RuntimeLedger;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A graph with its weights on the device. A run of a shape that was run before fills one pinned buffer, launches one
 * captured graph between two events, waits for it once and reads another pinned buffer; the number of Java objects that it
 * makes does not depend on the graph's size.
 */
final class CudaProgram extends AbstractProgram<CudaProgramState> {

    /** Runs of one state that are kept captured; a ring of K frames needs about K of them. */
    static final int CAPTURED_AT_MOST = 64;

    private static final Logger LOG = LoggerFactory.getLogger(CudaProgram.class);

    private final CudaDevice device;
    private final Graph lowered;
    private final KernelSource kernels;
    private final boolean products;
    private final ElementTypes types;
    private final WeightLayout weightLayout;
    private final StateLayout stateLayout;
    private final DeviceMemory weights;
    private final Executables stateless = new Executables(CAPTURED_AT_MOST);
    private final Map<CudaDriver.MatmulShape, CudaDriver.Matmul> matmuls = new HashMap<>();
    private final Set<CudaDriver.MatmulShape> refused = new HashSet<>();

    /** Inputs, outputs, scratch and workspace of whichever run is under way; replaced by a larger one when needed. */
    private DeviceMemory arena;

    private CudaDriver.@Nullable PinnedMemory pinnedIn;
    private CudaDriver.@Nullable PinnedMemory pinnedOut;
    /** Counts replacements of the above. */
    private long generation;

    /** Two events around a replayed graph; made before the first capture. */
    private CudaDriver.@Nullable Event begun;

    private CudaDriver.@Nullable Event ended;

    private volatile RunTimes times = RunTimes.NONE;
    private volatile @Nullable CudaProfiler profiler;

    /** Compiles. */
    CudaProgram(
            CudaDevice device,
            RuntimeLedger ledger,
            Graph graph,
            Graph lowered,
            Weights source,
            KernelSource kernels,
            boolean products,
            ElementTypes types) {
        super(graph, ledger);
        this.device = device;
        this.lowered = lowered;
        this.kernels = kernels;
        this.products = products;
        this.types = types;
        this.weightLayout = WeightLayout.of(types);
        this.stateLayout = StateLayout.of(types);
        this.arena = new DeviceMemory(device, 0, 0);
        this.weights = device.call(() -> {
            MemoryEstimate m = new MemoryEstimate(weightLayout.bytes(), stateLayout.bytes(), 0, 0, 0, 0);
            m.requireFits(
                    "graph " + graph.name(),
                    m.totalBytes(),
                    device.driver().memory().freeBytes());
            DeviceMemory memory = device.allocate(weightLayout.bytes());
            try {
                WeightUpload.upload(device, weightLayout, lowered, source, memory.address());
                return memory;
            } catch (RuntimeException e) {
                memory.close();
                throw e;
            }
        });
    }

    /** From now on every run's steps are timed one by one; null to replay captured graphs again. */
    void profile(@Nullable CudaProfiler next) {
        profiler = next;
    }

    /** The times of all runs so far. */
    RunTimes times() {
        return times;
    }

    long weightBytes() {
        return weightLayout.bytes();
    }

    CudaDevice device() {
        return device;
    }

    StateLayout stateLayout() {
        return stateLayout;
    }

    /** Holds the program, and a state of it, for a sequence; see {@link #enter}. */
    void hold(@Nullable CudaProgramState state) {
        enter(state);
    }

    /** Ends {@link #hold}. */
    void letGo(@Nullable CudaProgramState state) {
        leave(state);
    }

    RuntimeLedger ownLedger() {
        return ledger();
    }

    /** Memory for one state, refused with both numbers if it does not fit. */
    DeviceMemory allocateState() {
        return device.call(() -> {
            new MemoryEstimate(weightLayout.bytes(), stateLayout.bytes(), 0, 0, 0, 0)
                    .requireFits(
                            "a state of graph " + graph().name(),
                            stateLayout.bytes(),
                            device.driver().memory().freeBytes());
            return device.allocate(stateLayout.bytes());
        });
    }

    @Override
    protected CudaProgramState createState() {
        return new CudaProgramState(this);
    }

    // ------------------------------------------------------------------------------------------ running

    @Override
    protected Map<String, ? extends Tensor> execute(
            Map<String, ? extends Tensor> inputs,
            @Nullable CudaProgramState state,
            RunOptions options,
            Map<String, Long> symbols) {
        RunShape shape = shape(symbols, state, options);
        return device.call(() -> {
            long start = device.nanoTime();
            Executables.Entry known = known(shape, state);
            Executables.Entry entry = known == null ? plan(shape, state) : known;
            feed(entry.plan(), inputs);
            long waited = 0;
            float deviceMillis = 0;
            CudaProfiler clock = profiler;
            try {
                if (clock == null) {
                    CudaDriver driver = device.driver();
                    CudaDriver.Event before = Objects.requireNonNull(begun, "event");
                    CudaDriver.Event after = Objects.requireNonNull(ended, "event");
                    driver.record(before, device.stream());
                    driver.launch(entry.executable(), device.stream());
                    driver.record(after, device.stream());
                    long asleep = device.nanoTime();
                    driver.synchronize(device.stream());
                    waited = device.nanoTime() - asleep;
                    deviceMillis = driver.elapsedMillis(before, after);
                } else {
                    clock.add(entry.plan(), timed(entry.plan(), state));
                }
            } catch (RuntimeException e) {
                if (e instanceof DeviceLostException loss) {
                    device.lose(loss);
                }
                if (state != null) {
                    forget(state, e);
                }
                throw e;
            }
            Map<String, Tensor> out = fetch(entry.plan(), symbols);
            if (state != null) {
                state.commit(options, shape.written());
            }
            if (known == null) {
                times = times.plus(new RunTimes(0, 1, 0, 0));
            } else if (clock == null) {
                long device = Math.round(deviceMillis * 1e6);
                times = times.plus(new RunTimes(1, 0, device, this.device.nanoTime() - start - waited));
            }
            return out;
        });
    }

    /** What a run with these options depends on, as the state is now. */
    static RunShape shape(Map<String, Long> symbols, @Nullable CudaProgramState state, RunOptions options) {
        return state == null
                ? RunShape.stateless(symbols)
                : new RunShape(
                        symbols, state.visibleSlots(options), state.writtenSlots(options), options.writeRegisters());
    }

    private static void forget(CudaProgramState state, RuntimeException failure) {
        try {
            state.forget();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    private Executables captured(@Nullable CudaProgramState state) {
        return state == null ? stateless : state.executables();
    }

    private Executables.@Nullable Entry known(RunShape shape, @Nullable CudaProgramState state) {
        return captured(state).find(shape, generation);
    }

    private Executables.Entry plan(RunShape shape, @Nullable CudaProgramState state) {
        if (begun == null) {
            begun = device.driver().createEvent();
        }
        if (ended == null) {
            ended = device.driver().createEvent();
        }
        StaticPlan plan = planned(shape);
        pinnedIn = pinned(pinnedIn, plan.memory().inputBytes());
        pinnedOut = pinned(pinnedOut, plan.memory().outputBytes());
        Executables.Entry entry = new Executables.Entry(plan, capture(plan, state), generation);
        captured(state).put(shape, entry);
        return entry;
    }

    /** The plan of a run, for which there is memory from now on; for calls within the device. */
    StaticPlan planned(RunShape shape) {
        StaticPlan plan = StaticPlan.of(lowered, shape, weightLayout, stateLayout, kernels, products, types);
        reserve(plan.memory());
        LOG.info("{}", plan);
        return plan;
    }

    /** Makes the arena large enough, before anything is launched. */
    private void reserve(MemoryEstimate memory) {
        CudaDriver driver = device.driver();
        if (memory.arenaBytes() > arena.bytes()) {
            memory.requireFits(
                    "a run of graph " + graph().name(),
                    memory.arenaBytes(),
                    driver.memory().freeBytes() + arena.bytes());
            generation++;
            arena.close();
            arena = new DeviceMemory(device, 0, 0);
            arena = device.allocate(memory.arenaBytes());
        }
    }

    /** Counts replacements of the memory that captured work names by address. */
    long generation() {
        return generation;
    }

    private CudaDriver.@Nullable PinnedMemory pinned(CudaDriver.@Nullable PinnedMemory held, long bytes) {
        if (bytes == 0 || (held != null && held.buffer().capacity() >= bytes)) {
            return held;
        }
        generation++;
        CudaDriver.PinnedMemory larger = device.driver().allocatePinned(bytes);
        if (held != null) {
            held.close();
        }
        return larger;
    }

    private void feed(StaticPlan plan, Map<String, ? extends Tensor> inputs) {
        CudaDriver.PinnedMemory memory = pinnedIn;
        if (memory == null) {
            return;
        }
        plan.inputs().forEach((name, id) -> {
            Tensor t = inputs.get(name);
            if (t == null) {
                throw new IllegalArgumentException("input " + name + " is missing");
            }
            StaticPlan.Buffer b = plan.buffers().get(id);
            memory.buffer().put(Math.toIntExact(b.offset()), t.hostBuffer(), 0, Math.toIntExact(b.bytes()));
        });
    }

    private Map<String, Tensor> fetch(StaticPlan plan, Map<String, Long> symbols) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        CudaDriver.PinnedMemory memory = pinnedOut;
        ByteBuffer from = memory == null ? ByteBuffer.allocate(0) : memory.buffer();
        for (Map.Entry<String, Value> e : graph().outputs().entrySet()) {
            Integer id = plan.outputs().get(e.getKey());
            if (id == null) {
                throw new IllegalStateException("no output " + e.getKey());
            }
            Value v = e.getValue();
            out.put(
                    e.getKey(),
                    new CudaResult(
                            ledger(),
                            v.dtype(),
                            v.shape().evaluate(symbols),
                            from,
                            plan.buffers().get(id).offset()));
        }
        return out;
    }

    // ------------------------------------------------------------------------------------------ capturing

    /** Where the regions of one plan begin. */
    private record Bases(long weights, long state, long input, long output, long scratch, long workspace) {

        long of(StaticPlan.Buffer b) {
            long base = switch (b.region()) {
                case WEIGHTS -> weights;
                case STATE -> state;
                case INPUT -> input;
                case OUTPUT -> output;
                case WORKSPACE -> workspace;
            };
            return base + b.offset();
        }
    }

    private Bases bases(StaticPlan plan, @Nullable CudaProgramState state) {
        MemoryEstimate m = plan.memory();
        long input = arena.address();
        long output = input + BufferPlanner.align(m.inputBytes());
        long scratch = output + BufferPlanner.align(m.outputBytes());
        return new Bases(
                weights.address(),
                state == null ? 0 : state.address(),
                input,
                output,
                scratch,
                scratch + m.scratchBytes());
    }

    /** Does a run step by step; milliseconds of each step between events. */
    private float[] timed(StaticPlan plan, @Nullable CudaProgramState state) {
        CudaDriver driver = device.driver();
        CudaDriver.Stream stream = device.stream();
        Bases bases = bases(plan, state);
        MemoryEstimate m = plan.memory();
        List<StaticPlan.Step> steps = plan.steps();
        List<CudaDriver.Event> events = new ArrayList<>();
        try {
            for (int i = 0; i <= steps.size(); i++) {
                events.add(driver.createEvent());
            }
            List<List<Runnable>> work =
                    steps.stream().map(s -> resolve(plan, s, bases)).toList();
            CudaDriver.PinnedMemory in = pinnedIn;
            if (in != null && m.inputBytes() > 0) {
                driver.copyToDevice(bases.input(), in, 0, m.inputBytes(), stream);
            }
            for (int i = 0; i < steps.size(); i++) {
                driver.record(events.get(i), stream);
                work.get(i).forEach(Runnable::run);
            }
            driver.record(events.get(steps.size()), stream);
            CudaDriver.PinnedMemory out = pinnedOut;
            if (out != null && m.outputBytes() > 0) {
                driver.copyToHost(out, 0, bases.output(), m.outputBytes(), stream);
            }
            driver.synchronize(stream);
            float[] millis = new float[steps.size()];
            for (int i = 0; i < millis.length; i++) {
                millis[i] = driver.elapsedMillis(events.get(i), events.get(i + 1));
            }
            return millis;
        } finally {
            events.forEach(CudaDriver.Event::close);
        }
    }

    private CudaDriver.Executable capture(StaticPlan plan, @Nullable CudaProgramState state) {
        MemoryEstimate m = plan.memory();
        Bases bases = bases(plan, state);
        long input = bases.input();
        long output = bases.output();
        List<Runnable> work = work(plan, bases);
        CudaDriver driver = device.driver();
        CudaDriver.Stream stream = device.stream();
        driver.beginCapture(stream);
        try {
            CudaDriver.PinnedMemory in = pinnedIn;
            if (in != null && m.inputBytes() > 0) {
                driver.copyToDevice(input, in, 0, m.inputBytes(), stream);
            }
            work.forEach(Runnable::run);
            CudaDriver.PinnedMemory out = pinnedOut;
            if (out != null && m.outputBytes() > 0) {
                driver.copyToHost(out, 0, output, m.outputBytes(), stream);
            }
        } catch (RuntimeException e) {
            driver.abandonCapture(stream);
            throw e;
        }
        return driver.endCapture(stream);
    }

    /**
     * Everything between the copies of a run, to be launched. Loads kernels and chooses algorithms, neither of which is
     * allowed during a capture.
     */
    private List<Runnable> work(StaticPlan plan, Bases bases) {
        List<Runnable> work = new ArrayList<>();
        for (StaticPlan.Step s : plan.steps()) {
            work.addAll(resolve(plan, s, bases));
        }
        device.tuner().keep();
        return work;
    }

    /** A planned run without copies from and to the host, for calls within the device and until the generation changes. */
    PlacedRun placed(StaticPlan plan, @Nullable CudaProgramState state) {
        Bases bases = bases(plan, state);
        Map<String, PlacedRun.Place> inputs = new HashMap<>();
        plan.inputs().forEach((name, id) -> inputs.put(name, place(plan, id, bases)));
        Map<String, PlacedRun.Place> outputs = new HashMap<>();
        plan.outputs().forEach((name, id) -> outputs.put(name, place(plan, id, bases)));
        return new PlacedRun(inputs, outputs, work(plan, bases));
    }

    private static PlacedRun.Place place(StaticPlan plan, int id, Bases bases) {
        StaticPlan.Buffer b = plan.buffers().get(id);
        return new PlacedRun.Place(bases.of(b), b.bytes());
    }

    private List<Runnable> resolve(StaticPlan plan, StaticPlan.Step step, Bases bases) {
        CudaDriver driver = device.driver();
        CudaDriver.Stream stream = device.stream();
        List<Runnable> out = new ArrayList<>();
        if (step instanceof StaticPlan.Kernels k) {
            for (KernelLaunch l : k.launches()) {
                CudaDriver.Function f = device.function(l.function());
                List<Number> arguments = l.arguments().stream()
                        .map(a -> argument(plan, a, bases))
                        .toList();
                out.add(() -> driver.launch(
                        f,
                        l.gridX(),
                        l.gridY(),
                        l.gridZ(),
                        l.blockX(),
                        l.blockY(),
                        l.blockZ(),
                        l.sharedBytes(),
                        arguments,
                        stream));
            }
        } else if (step instanceof StaticPlan.Product p) {
            long a = address(plan, p.a(), bases);
            long b = address(plan, p.b(), bases);
            CudaDriver.MatmulMemory memory = new CudaDriver.MatmulMemory(
                    a,
                    b,
                    address(plan, p.scaleA(), bases),
                    address(plan, p.scaleB(), bases),
                    address(plan, p.bias(), bases),
                    address(plan, p.d(), bases),
                    bases.scratch());
            // Nothing lives in the arena between runs, so a product may be timed on it; a state or weights are not its
            // to change.
            Region at = plan.buffers().get(p.d().buffer()).region();
            boolean spare = at == Region.WORKSPACE || at == Region.OUTPUT;
            CudaDriver.Matmul batch = matmul(p.shape(), spare ? memory : null);
            if (batch != null) {
                out.add(() -> driver.matmul(batch, memory, stream));
                return out;
            }
            for (int i = 0; i < p.shape().batch(); i++) {
                CudaDriver.MatmulMemory own = memory.at(p.shape(), i);
                CudaDriver.Matmul single =
                        Objects.requireNonNull(matmul(p.shape().single(), spare ? own : null));
                out.add(() -> driver.matmul(single, own, stream));
            }
        } else if (step instanceof StaticPlan.Copy c) {
            long from = address(plan, c.from(), bases);
            long to = address(plan, c.to(), bases);
            out.add(() -> driver.copyOnDevice(to, from, c.bytes(), stream));
        }
        return out;
    }

    /** A product with its algorithm; null for a batch that the library refuses, whose products are then done singly. */
    private CudaDriver.@Nullable Matmul matmul(CudaDriver.MatmulShape shape, CudaDriver.@Nullable MatmulMemory memory) {
        CudaDriver.Matmul known = matmuls.get(shape);
        if (known != null || refused.contains(shape)) {
            return known;
        }
        try {
            CudaDriver.Matmul made = device.tuner().create(shape, StaticPlan.SCRATCH_BYTES, memory, device.stream());
            matmuls.put(shape, made);
            return made;
        } catch (TeleWorldException e) {
            if (shape.batch() == 1
                    || e.category() != TeleWorldException.Category.BACKEND
                    || e instanceof DeviceLostException) {
                throw e;
            }
            LOG.warn("{} is done one by one: {}", shape, e.getMessage());
            refused.add(shape);
            return null;
        }
    }

    private static Number argument(StaticPlan plan, KernelLaunch.Argument a, Bases bases) {
        if (a instanceof KernelLaunch.Buffer at) {
            return at.buffer() == KernelLaunch.Buffer.NONE
                    ? Long.valueOf(0)
                    : Long.valueOf(bases.of(plan.buffers().get(at.buffer())) + at.byteOffset());
        }
        if (a instanceof KernelLaunch.Int i) {
            return i.value();
        }
        if (a instanceof KernelLaunch.Long l) {
            return l.value();
        }
        return ((KernelLaunch.Float) a).value();
    }

    private static @Nullable Long address(StaticPlan plan, OptionalInt buffer, Bases bases) {
        return buffer.isPresent() ? bases.of(plan.buffers().get(buffer.getAsInt())) : null;
    }

    private static long address(StaticPlan plan, StaticPlan.Place p, Bases bases) {
        return bases.of(plan.buffers().get(p.buffer())) + p.byteOffset();
    }

    @Override
    protected void release() {
        device.closing(() -> {
            stateless.close();
            matmuls.values().forEach(CudaDriver.Matmul::close);
            matmuls.clear();
            for (CudaDriver.Event e : new CudaDriver.@Nullable Event[] {begun, ended}) {
                if (e != null) {
                    e.close();
                }
            }
            CudaDriver.PinnedMemory in = pinnedIn;
            if (in != null) {
                in.close();
            }
            CudaDriver.PinnedMemory out = pinnedOut;
            if (out != null) {
                out.close();
            }
        });
        arena.close();
        weights.close();
    }

    @Override
    public String toString() {
        return super.toString() + " on CUDA";
    }
}
