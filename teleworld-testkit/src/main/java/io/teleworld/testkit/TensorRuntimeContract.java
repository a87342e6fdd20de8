package io.teleworld.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.PreparedSequence;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RunSequence;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.RangeRecorder;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.opentest4j.AssertionFailedError;

/**
 * What every {@link TensorRuntime} must do; a runtime's module extends this class and says how to make one.
 *
 * <p>Each operator, whole random graphs and sequences of state changes are compared with {@link ReferenceRuntime}; the
 * rest are the promises of the runtime interfaces: errors, ownership, leaks, aliasing, concurrency, determinism. Every
 * failure names the seed and prints the graph.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class TensorRuntimeContract {

    private static final String GROUP = "self";
    private static final Shape FRAME = Shape.of(2);
    private static final int CAPACITY = 4;

    private final ReferenceRuntime reference = new ReferenceRuntime();
    private TensorRuntime runtime = reference;

    // ------------------------------------------------------------------------------------------ what a module gives

    /** A new runtime; the contract closes it. */
    protected abstract TensorRuntime createRuntime();

    /**
     * How far a result may be from the oracle's: in FP32 |a−e| ≤ tolerance·(1+|e|) for each element, in the other
     * precisions ‖a−e‖ ≤ tolerance·‖e‖ for an output.
     */
    protected double tolerance(Precision precision) {
        return switch (precision) {
            case FP32 -> 1e-4;
            case FP16 -> 0.01;
            case BF16 -> 0.04;
            case INT8_LINEAR, INT8, FP8_LINEAR -> 0.05;
        };
    }

    /** How many random cases each operator gets. */
    protected int casesPerOperator() {
        return 8;
    }

    /** How many random graphs are run: 60, or what the system property {@code teleworld.randomGraphs} says. */
    protected int randomGraphs() {
        return Integer.getInteger("teleworld.randomGraphs", 60);
    }

    @BeforeAll
    final void open() {
        runtime = createRuntime();
    }

    @AfterAll
    final void close() {
        MemoryFigures m = runtime.memory();
        runtime.close();
        runtime.close();
        reference.close();
        assertThat(m.liveTensors()).as("tensors that live after all tests").isZero();
        assertThat(m.stateBytes()).as("state bytes after all tests").isZero();
        assertThat(m.weightBytes()).as("weight bytes after all tests").isZero();
    }

    // ------------------------------------------------------------------------------------------ operators

    /** Every operator agrees with the oracle, or is refused by name. */
    @TestFactory
    final Stream<DynamicTest> operators() {
        return Op.all().stream().map(op -> DynamicTest.dynamicTest(op.getSimpleName(), () -> checkOperator(op)));
    }

    private void checkOperator(Class<? extends Op> op) {
        boolean composite = Op.Composite.class.isAssignableFrom(op);
        if (!runtime.operators().contains(op) && !composite) {
            GraphCase c = OperatorCases.draw(op, 0);
            assertFails(
                    () -> runtime.compile(c.graph(), c.asWeights(), Precision.FP32),
                    TeleWorldException.Category.BACKEND,
                    op.getSimpleName());
            return;
        }
        for (long seed = 0; seed < casesPerOperator(); seed++) {
            compare(OperatorCases.draw(op, seed), tolerance(Precision.FP32));
        }
    }

    /** Whole random graphs agree with the oracle; a failing one is shrunk to the fewest nodes that still fail. */
    @TestFactory
    final Stream<DynamicTest> randomGraphsAgree() {
        return LongStream.range(0, randomGraphs())
                .mapToObj(seed -> DynamicTest.dynamicTest(
                        "seed " + seed,
                        // Twelve operators may each enlarge a rounding error a little.
                        () -> compareShrinking(RandomGraphs.draw(seed), 10 * tolerance(Precision.FP32))));
    }

    private void compareShrinking(GraphCase c, double tolerance) {
        if (failure(c, tolerance) != null) {
            GraphCase least = GraphShrinker.shrink(c, smaller -> failure(smaller, tolerance) != null);
            throw new AssertionFailedError(
                    c.label() + " disagrees with the oracle; so does\n" + least.describe(), failure(least, tolerance));
        }
    }

    private @Nullable Throwable failure(GraphCase c, double tolerance) {
        try {
            compare(c, tolerance);
            return null;
        } catch (RuntimeException | AssertionError e) {
            return e;
        }
    }

    /** Each precision that a runtime offers keeps a small network close to the oracle. */
    @TestFactory
    final Stream<DynamicTest> precisions() {
        return runtime.precisions().stream()
                .map(p -> DynamicTest.dynamicTest(p.name(), () -> {
                    GraphCase c = network();
                    try (Scope scope = Scope.root("precisions")) {
                        Map<String, Tensor> expected = runOnce(reference, c, Precision.FP32, scope);
                        Map<String, Tensor> actual = runOnce(runtime, c, p, scope);
                        expected.forEach((name, e) -> assertThat(TensorAssertions.relativeError(get(actual, name), e))
                                .as("relative error of %s in %s", name, p)
                                .isLessThanOrEqualTo(tolerance(p)));
                    }
                }));
    }

    /** In INT8, convolutions whose ranges are known stay close to the oracle, in a stream of frames too. */
    @Test
    final void convolutionsWithRangesStayClose() {
        assumeThat(runtime.precisions()).contains(Precision.INT8);
        Draw d = new Draw("pictures", 11);
        GraphCase c = pictures(d);
        Map<String, HostTensor> weights = new LinkedHashMap<>(c.weights());
        try (Scope scope = Scope.root("ranges");
                RangeRecorder recorder = new RangeRecorder(reference, c.graph(), c.asWeights());
                Program exact = reference.compile(c.graph(), c.asWeights(), Precision.FP32)) {
            ProgramState looked = recorder.newState(scope);
            ProgramState kept = exact.newState(scope);
            Map<String, Tensor> expected = Map.of();
            for (int i = 0; i < 2; i++) {
                assertThat(recorder.run(c.inputs(), looked, RunOptions.DEFAULT, scope))
                        .containsOnlyKeys(c.graph().outputs().keySet());
                expected = exact.run(c.inputs(), kept, RunOptions.DEFAULT, scope);
            }
            assertThat(recorder.ranges()).hasSize(5);
            recorder.ranges().forEach((weight, ranges) -> weights.putAll(ranges.stored(weight)));
            try (Program p = runtime.compile(c.graph(), Weights.of(weights), Precision.INT8)) {
                ProgramState state = p.newState(scope);
                p.run(c.inputs(), state, RunOptions.DEFAULT, scope);
                Map<String, Tensor> actual = p.run(c.inputs(), state, RunOptions.DEFAULT, scope);
                expected.forEach((name, e) -> assertThat(TensorAssertions.relativeError(get(actual, name), e))
                        .as("relative error of %s", name)
                        .isLessThanOrEqualTo(tolerance(Precision.INT8)));
            }
        }
    }

    /** Two frames through a convolution, a memory block, and a convolution whose result is read twice. */
    private static GraphCase pictures(Draw d) {
        Value x = d.input("x", DType.F32, Shape.of(2, 8, 6, 10), () -> d.r.nextDouble(-1, 1));
        Value y = d.b.relu(d.b.conv2d(x, d.weight(-0.2, 0.2, 16, 8, 3, 3), d.weight(-0.3, 0.3, 16), 1, 1));
        State.Register memory =
                new State.Register("memory", DType.F32, y.shape().with(0, Dim.of(1)));
        Value past = d.b.slice(d.b.concat(0, d.b.readState(memory), y), 0, 0, -1);
        d.b.writeState(memory, d.b.slice(y, 0, -1, Op.Slice.TO_END));
        List<Value> in = new ArrayList<>(List.of(y, past));
        for (long channels : new long[] {32, 16, 16}) {
            in.add(d.weight(-0.15, 0.15, 16, channels, 3, 3));
            in.add(d.weight(-0.3, 0.3, 16));
        }
        y = d.b.apply(new Op.MemoryBlock(), in).get(0);
        Value last = d.b.conv2d(y, d.weight(-0.2, 0.2, 12, 16, 3, 3), null, 1, 1);
        d.b.output("negative", d.b.relu(d.b.neg(last)));
        d.b.output("plain", last);
        return d.done();
    }

    /** A precision that a runtime does not list is refused by name. */
    @Test
    final void otherPrecisionsAreRefused() {
        GraphCase c = network();
        for (Precision p : Precision.values()) {
            if (!runtime.precisions().contains(p)) {
                assertFails(
                        () -> runtime.compile(c.graph(), c.asWeights(), p),
                        TeleWorldException.Category.BACKEND,
                        p.name());
            }
        }
        assertThat(runtime.precisions()).contains(Precision.FP32);
        assertThat(runtime.devices()).isNotEmpty();
    }

    private void compare(GraphCase c, double tolerance) {
        long before = runtime.memory().liveTensors();
        try (Scope scope = Scope.root("compare");
                Program expected = reference.compile(c.graph(), c.asWeights(), Precision.FP32);
                Program actual = compile(c)) {
            ProgramState expectedState = expected.newState(scope);
            ProgramState actualState = actual.newState(scope);
            int runs = c.graph().states().isEmpty() ? 1 : 3;
            for (int k = 0; k < runs; k++) {
                Map<String, Tensor> e = expected.run(c.inputs(), expectedState, RunOptions.DEFAULT, scope);
                Map<String, Tensor> a;
                try {
                    a = actual.run(c.inputs(), actualState, RunOptions.DEFAULT, scope);
                } catch (RuntimeException x) {
                    throw new IllegalStateException("could not run " + c, x);
                }
                TensorAssertions.assertClose(a, e, tolerance, c);
            }
        }
        assertThat(runtime.memory().liveTensors())
                .as("live tensors after %s", c)
                .isEqualTo(before);
    }

    private Program compile(GraphCase c) {
        try {
            return runtime.compile(c.graph(), c.asWeights(), Precision.FP32);
        } catch (RuntimeException x) {
            throw new IllegalStateException("could not compile " + c, x);
        }
    }

    private static Map<String, Tensor> runOnce(TensorRuntime runtime, GraphCase c, Precision precision, Scope scope) {
        try (Program p = runtime.compile(c.graph(), c.asWeights(), precision)) {
            return p.run(c.inputs(), p.newState(scope), RunOptions.DEFAULT, scope);
        }
    }

    /** A transformer block and a convolution, with weights of the usual size. */
    private static GraphCase network() {
        Draw d = new Draw("network", 7);
        int width = 32;
        Value x = d.input(
                "x", DType.F32, Shape.of(d.symbol("n", 2), Dim.of(8), Dim.of(width)), () -> d.r.nextDouble(-2, 2));
        double u = 1 / Math.sqrt(width);
        Value h = d.b.rmsNorm(x, d.weight(0.5, 1.5, width), 1e-6);
        Value q = d.b.linear(h, d.weight(-u, u, width, width), d.weight(-u, u, width));
        Value k = d.b.linear(h, d.weight(-u, u, width, width), null);
        Value v = d.b.linear(h, d.weight(-u, u, width, width), null);
        Value y = d.b.add(x, d.b.attention(q, k, v, null, 4, 1 / Math.sqrt(8)));
        Value m = d.b.geluTanh(d.b.linear(y, d.weight(-u, u, 2L * width, width), null));
        y = d.b.add(y, d.b.linear(m, d.weight(-u, u, width, 2L * width), null));
        d.b.output("tokens", y);
        Value image = d.b.reshape(y, Dim.symbol("n"), Dim.of(16), Dim.of(4), Dim.of(4));
        d.b.output("image", d.b.conv2d(image, d.weight(-0.1, 0.1, 6, 16, 3, 3), d.weight(-0.1, 0.1, 6), 1, 1));
        return d.done();
    }

    // ------------------------------------------------------------------------------------------ state

    /** A register starts at zero, takes each run's value, and only then. */
    @Test
    final void registersAccumulate() {
        try (Scope scope = Scope.root("registers");
                Program p = compile(counter())) {
            ProgramState state = p.newState(scope);
            assertThat(count(p, state, RunOptions.DEFAULT, 1)).isEqualTo(1);
            assertThat(count(p, state, RunOptions.DEFAULT, 2)).isEqualTo(3);
            assertThat(count(p, state, RunOptions.DEFAULT.withoutRegisterWrites(), 10))
                    .isEqualTo(13);
            assertThat(count(p, state, RunOptions.DEFAULT, 1)).isEqualTo(4);
            state.reset();
            assertThat(count(p, state, RunOptions.DEFAULT, 5)).isEqualTo(5);
        }
    }

    /** Frames are seen in the order of first writing, or as the options say; writing a held id replaces it in place. */
    @Test
    final void framesAreSeenInOrder() {
        try (Scope scope = Scope.root("frames");
                Program p = compile(cache())) {
            ProgramState state = p.newState(scope);
            assertThat(state.frames(GROUP)).isEmpty();
            assertThat(seen(p, state, RunOptions.DEFAULT, 1)).containsExactly(1f);
            assertThat(state.frames(GROUP))
                    .as("a run that names no frames writes none")
                    .isEmpty();
            assertThat(seen(p, state, written(10, 20), 1, 2)).containsExactly(1f, 2f);
            assertThat(seen(p, state, written(5), 3)).containsExactly(1f, 2f, 3f);
            assertThat(state.frames(GROUP)).containsExactly(10, 20, 5);
            assertThat(seen(p, state, written(20), 7)).containsExactly(1f, 2f, 3f, 7f);
            assertThat(state.frames(GROUP)).containsExactly(10, 20, 5);
            assertThat(seen(p, state, RunOptions.DEFAULT, 9)).containsExactly(1f, 7f, 3f, 9f);
            assertThat(seen(p, state, visible(5, 10), 9)).containsExactly(3f, 1f, 9f);
            assertThat(seen(p, state, visible(), 9)).containsExactly(9f);
        }
    }

    /** Evicted frames are gone; written again they come last; ids that are not held are ignored. */
    @Test
    final void framesAreEvicted() {
        try (Scope scope = Scope.root("evict");
                Program p = compile(cache())) {
            ProgramState state = p.newState(scope);
            seen(p, state, written(1, 2, 3), 1, 2, 3);
            state.evict(GROUP, List.of(1, 99));
            assertThat(state.frames(GROUP)).containsExactly(2, 3);
            assertThat(seen(p, state, written(1), 8)).containsExactly(2f, 3f, 8f);
            assertThat(state.frames(GROUP)).containsExactly(2, 3, 1);
            state.evict(GROUP, List.of(3, 2));
            assertThat(seen(p, state, RunOptions.DEFAULT, 4)).containsExactly(8f, 4f);
            state.reset();
            assertThat(state.frames(GROUP)).isEmpty();
            assertThat(seen(p, state, RunOptions.DEFAULT, 4)).containsExactly(4f);
            assertRefused(() -> state.evict("other", List.of(1)), "other", GROUP);
            assertRefused(() -> state.frames("other"), "other", GROUP);
        }
    }

    /** Options that do not fit the state are refused and leave it as it was. */
    @Test
    final void wrongFrameOptionsAreRefused() {
        try (Scope scope = Scope.root("options");
                Program p = compile(cache())) {
            ProgramState state = p.newState(scope);
            seen(p, state, written(1, 2, 3), 1, 2, 3);
            assertRefused(() -> seen(p, state, written(4, 5), 4, 5), "capacity", "k", "4");
            assertRefused(() -> seen(p, state, written(4), 4, 5), GROUP, "2 frames");
            assertRefused(() -> seen(p, state, visible(2, 77), 4), "77", GROUP);
            assertRefused(() -> seen(p, state, RunOptions.DEFAULT.withVisible("other", List.of()), 4), "other");
            assertRefused(() -> seen(p, state, RunOptions.DEFAULT.withWritten("other", List.of(1)), 4), "other");
            assertThat(state.frames(GROUP)).containsExactly(1, 2, 3);
            assertThat(seen(p, state, written(1, 4), 6, 7)).containsExactly(1f, 2f, 3f, 6f, 7f);
            assertThat(seen(p, state, RunOptions.DEFAULT, 0)).containsExactly(6f, 2f, 3f, 7f, 0f);
        }
    }

    /** A snapshot is independent of its origin, and restoring takes its content over. */
    @Test
    final void snapshotsAreIndependent() {
        try (Scope scope = Scope.root("snapshot");
                Program p = compile(cache());
                Program other = compile(cache())) {
            ProgramState state = p.newState(scope);
            seen(p, state, written(1, 2), 1, 2);
            ProgramState copy = state.snapshot(scope);
            seen(p, state, written(1), 5);
            seen(p, state, written(3), 6);
            assertThat(seen(p, copy, RunOptions.DEFAULT, 0)).containsExactly(1f, 2f, 0f);
            assertThat(seen(p, state, RunOptions.DEFAULT, 0)).containsExactly(5f, 2f, 6f, 0f);
            state.restore(copy);
            assertThat(seen(p, state, RunOptions.DEFAULT, 0)).containsExactly(1f, 2f, 0f);
            seen(p, state, written(2), 9);
            assertThat(seen(p, copy, RunOptions.DEFAULT, 0)).containsExactly(1f, 2f, 0f);
            copy.close();
            assertThat(seen(p, state, RunOptions.DEFAULT, 0)).containsExactly(1f, 9f, 0f);
            ProgramState foreign = other.newState(scope);
            assertRefused(() -> state.restore(foreign), "another program");
            assertRefused(() -> seen(p, foreign, RunOptions.DEFAULT, 0), "another program");
        }
    }

    /** A run that fails leaves registers and caches as they were. */
    @Test
    final void failedRunsLeaveTheStateAlone() {
        try (Scope scope = Scope.root("failure");
                Program p = compile(counter())) {
            ProgramState state = p.newState(scope);
            count(p, state, RunOptions.DEFAULT, 3);
            assertRefused(
                    () -> p.run(Map.of("x", HostTensor.zeros(DType.F32, 7)), state, RunOptions.DEFAULT, scope), "x");
            Scope closed = Scope.root("closed");
            closed.close();
            assertThatThrownBy(() -> p.run(Map.of("x", floats(4)), state, RunOptions.DEFAULT, closed))
                    .isInstanceOf(ResourceClosedException.class);
            assertThat(count(p, state, RunOptions.DEFAULT, 1)).isEqualTo(4);
        }
    }

    /** Sizes count what is held, and go back to zero. */
    @Test
    final void stateSizesAreCounted() {
        MemoryFigures before = runtime.memory();
        try (Scope scope = Scope.root("sizes");
                Program p = compile(cache())) {
            ProgramState state = p.newState(scope);
            seen(p, state, written(1, 2), 1, 2);
            assertThat(state.sizeBytes()).isGreaterThanOrEqualTo(2 * 2 * 4);
            assertThat(runtime.memory().stateBytes() - before.stateBytes()).isEqualTo(state.sizeBytes());
            ProgramState copy = state.snapshot(scope);
            assertThat(runtime.memory().stateBytes() - before.stateBytes())
                    .isEqualTo(state.sizeBytes() + copy.sizeBytes());
        }
        assertThat(runtime.memory().stateBytes()).isEqualTo(before.stateBytes());
    }

    /** Random sequences of runs, evictions, snapshots, restores and resets agree with the oracle at every step. */
    @TestFactory
    final Stream<DynamicTest> stateSequences() {
        return LongStream.range(0, 12)
                .mapToObj(seed -> DynamicTest.dynamicTest("seed " + seed, () -> stateSequence(seed)));
    }

    private void stateSequence(long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        GraphCase c = cachedAttention(seed);
        long before = runtime.memory().liveTensors();
        try (Scope scope = Scope.root("sequence");
                Program expected = reference.compile(c.graph(), c.asWeights(), Precision.FP32);
                Program actual = compile(c)) {
            List<ProgramState> e = new ArrayList<>(List.of(expected.newState(scope)));
            List<ProgramState> a = new ArrayList<>(List.of(actual.newState(scope)));
            for (int step = 0; step < 30; step++) {
                int k = r.nextInt(e.size());
                String context = "step " + step + " of " + c;
                switch (r.nextInt(8)) {
                    case 0 -> {
                        List<Integer> ids = List.of(r.nextInt(6), r.nextInt(6, 12));
                        e.get(k).evict(GROUP, ids);
                        a.get(k).evict(GROUP, ids);
                    }
                    case 1 -> {
                        if (e.size() < 3) {
                            e.add(e.get(k).snapshot(scope));
                            a.add(a.get(k).snapshot(scope));
                        }
                    }
                    case 2 -> {
                        int from = r.nextInt(e.size());
                        e.get(k).restore(e.get(from));
                        a.get(k).restore(a.get(from));
                    }
                    case 3 -> {
                        if (r.nextInt(4) == 0) {
                            e.get(k).reset();
                            a.get(k).reset();
                        }
                    }
                    default -> {
                        Map<String, HostTensor> in = new LinkedHashMap<>();
                        int frames = r.nextInt(1, 3);
                        RunOptions options = drawOptions(r, e.get(k).frames(GROUP), frames);
                        in.put("x", draw(r, frames, 3, 4));
                        try (Scope step1 = scope.child("step")) {
                            Map<String, Tensor> want = expected.run(in, e.get(k), options, step1);
                            Map<String, Tensor> got = actual.run(in, a.get(k), options, step1);
                            TensorAssertions.assertClose(
                                    got, want, tolerance(Precision.FP32), options + " at " + context);
                        }
                    }
                }
                for (int s = 0; s < e.size(); s++) {
                    assertThat(a.get(s).frames(GROUP))
                            .as(context)
                            .isEqualTo(e.get(s).frames(GROUP));
                }
            }
        }
        assertThat(runtime.memory().liveTensors()).isEqualTo(before);
    }

    private static RunOptions drawOptions(SplittableRandom r, List<Integer> held, int frames) {
        RunOptions options = RunOptions.DEFAULT;
        if (r.nextBoolean()) {
            List<Integer> shown = new ArrayList<>(held);
            Collections.shuffle(shown, new Random(r.nextLong()));
            options = options.withVisible(GROUP, shown.subList(0, r.nextInt(shown.size() + 1)));
        }
        if (r.nextInt(4) > 0) {
            List<Integer> ids = new ArrayList<>();
            for (int k = 0; k < frames; k++) {
                // Full caches only replace what they hold.
                int id = held.size() + frames <= 8 ? r.nextInt(12) : held.get(r.nextInt(held.size()));
                if (!ids.contains(id)) {
                    ids.add(id);
                }
            }
            if (ids.size() == frames) {
                options = options.withWritten(GROUP, ids);
            }
        }
        return r.nextInt(4) == 0 ? options.withoutRegisterWrites() : options;
    }

    /** Attention of [frames,3,4] tokens over cached and new keys and values, plus a register that counts tokens. */
    private static GraphCase cachedAttention(long seed) {
        Draw d = new Draw("cached attention", seed);
        Dim frames = d.symbol("frames", 1);
        Shape entry = Shape.of(3, 4);
        State keys = new State.FrameCache("keys", GROUP, DType.F32, entry, 8);
        State values = new State.FrameCache("values", GROUP, DType.F32, entry, 9);
        State.Register total = new State.Register("total", DType.F32, Shape.of(4));
        Value x = d.b.input("x", DType.F32, Shape.of(frames, Dim.of(3), Dim.of(4)));
        Value k = d.b.linear(x, d.weight(-1, 1, 4, 4), null);
        Value v = d.b.linear(x, d.weight(-1, 1, 4, 4), null);
        Dim visible = Dim.symbol(((State.FrameCache) keys).visibleSymbol());
        Shape all = Shape.of(Dim.of(1), visible.plus(frames).times(3), Dim.of(4));
        Value allKeys = d.b.reshape(d.b.concat(0, d.b.readState(keys), k), all);
        Value allValues = d.b.reshape(d.b.concat(0, d.b.readState(values), v), all);
        Value q = d.b.reshape(x, Dim.of(1), frames.times(3), Dim.of(4));
        Value y = d.b.attention(q, allKeys, allValues, null, 2, 1 / Math.sqrt(2));
        Value sum = d.b.add(d.b.mul(d.b.readState(total), d.b.scalar(0.9)), d.b.reduceSum(x, false, 0, 1));
        d.b.writeState(keys, k);
        d.b.writeState(values, v);
        d.b.writeState(total, sum);
        d.b.output("y", d.b.reshape(y, frames, Dim.of(3), Dim.of(4)));
        d.b.output("total", sum);
        return d.done();
    }

    // ------------------------------------------------------------------------------------------ sequences

    /** A sequence does what its runs do one by one, whatever happens to the states and programs in between. */
    @Test
    final void sequencesEqualTheirRuns() {
        long seed = new Random().nextLong();
        SplittableRandom r = new SplittableRandom(seed);
        HostTensor constant = draw(r, 1, 3, 4);
        try (Scope scope = Scope.root("sequence");
                Program a = compile(cachedAttention(seed));
                Program b = compile(cachedAttention(seed + 1))) {
            ProgramState ours = a.newState(scope);
            ProgramState plain = a.newState(scope);
            ProgramState ourOther = b.newState(scope);
            ProgramState plainOther = b.newState(scope);
            PreparedSequence sequence = runtime.prepare(sequence(a, ours, b, ourOther, constant), scope);
            for (int i = 0; i < 6; i++) {
                HostTensor x = draw(r, 2, 3, 4);
                sequence.input("x").mutableBuffer().put(0, x.hostBuffer(), 0, 2 * 3 * 4 * 4);
                sequence.run();
                Map<String, Tensor> expected = oneByOne(a, plain, b, plainOther, x, constant, scope);
                for (Map.Entry<String, Tensor> e : expected.entrySet()) {
                    assertThat(TensorAssertions.relativeError(sequence.output(e.getKey()), e.getValue()))
                            .as("%s of repetition %d, seed %d", e.getKey(), i, seed)
                            .isLessThan(1e-5);
                }
                assertThat(ours.frames(GROUP)).isEqualTo(plain.frames(GROUP));
                for (ProgramState s : List.of(ours, plain)) {
                    if (i == 2) {
                        s.evict(GROUP, List.of(1, 2));
                    } else if (i == 4) {
                        // A longer run of the same program, which may take more memory and leaves frames behind.
                        RunOptions many =
                                RunOptions.DEFAULT.withVisible(GROUP, List.of()).withWritten(GROUP, List.of(7, 5, 0));
                        a.run(Map.of("x", draw(new SplittableRandom(seed), 3, 3, 4)), s, many, scope);
                    }
                }
            }
        }
    }

    private static final RunOptions WRITES_0_1 =
            RunOptions.DEFAULT.withVisible(GROUP, List.of()).withWritten(GROUP, List.of(0, 1));
    private static final RunOptions SEES_0_1 =
            RunOptions.DEFAULT.withVisible(GROUP, List.of(1, 0)).withoutRegisterWrites();
    private static final RunOptions WRITES_2_3 =
            RunOptions.DEFAULT.withVisible(GROUP, List.of(0, 1)).withWritten(GROUP, List.of(2, 3));

    private static RunSequence sequence(
            Program a, ProgramState ours, Program b, ProgramState other, HostTensor constant) {
        return new RunSequence(
                List.of(
                        new RunSequence.Run(
                                a,
                                ours,
                                WRITES_0_1,
                                Map.of("x", new RunSequence.Given("x", DType.F32, Shape.of(2, 3, 4)))),
                        new RunSequence.Run(a, ours, SEES_0_1, Map.of("x", new RunSequence.Result(0, "y"))),
                        new RunSequence.Run(b, other, RunOptions.DEFAULT, Map.of("x", new RunSequence.Fixed(constant))),
                        new RunSequence.Run(a, ours, WRITES_2_3, Map.of("x", new RunSequence.Result(1, "y")))),
                Map.of(
                        "first", new RunSequence.Result(0, "y"),
                        "other", new RunSequence.Result(2, "total"),
                        "last", new RunSequence.Result(3, "y"),
                        "total", new RunSequence.Result(3, "total")));
    }

    private static Map<String, Tensor> oneByOne(
            Program a,
            ProgramState state,
            Program b,
            ProgramState other,
            HostTensor x,
            HostTensor constant,
            Scope scope) {
        Map<String, Tensor> first = a.run(Map.of("x", x), state, WRITES_0_1, scope);
        Map<String, Tensor> second = a.run(Map.of("x", get(first, "y")), state, SEES_0_1, scope);
        Map<String, Tensor> third = b.run(Map.of("x", constant), other, RunOptions.DEFAULT, scope);
        Map<String, Tensor> last = a.run(Map.of("x", get(second, "y")), state, WRITES_2_3, scope);
        return Map.of(
                "first", get(first, "y"),
                "other", get(third, "total"),
                "last", get(last, "y"),
                "total", get(last, "total"));
    }

    /** What does not fit is named, and what a sequence holds can be closed in any order. */
    @Test
    final void wrongSequencesAreRefused() {
        HostTensor constant = floats(1, 2);
        try (Scope scope = Scope.root("sequence");
                Program p = compile(cache())) {
            ProgramState state = p.newState(scope);
            RunSequence.Source given = new RunSequence.Given("g", DType.F32, Shape.of(1, 2));
            assertRefused(() -> new RunSequence(List.of(), Map.of()), "at least one");
            assertRefused(() -> run(p, state, Map.of("y", given), Map.of()), "[y]", "[x]");
            assertRefused(() -> run(p, state, Map.of("x", new RunSequence.Result(0, "all")), Map.of()), "run 0");
            assertRefused(
                    () -> run(p, state, Map.of("x", given), Map.of("o", new RunSequence.Result(0, "none"))),
                    "none",
                    "[all]");
            assertRefused(() -> new RunSequence.Given("g", DType.F32, Shape.of(Dim.symbol("n"))), "g", "must be known");
            PreparedSequence late =
                    runtime.prepare(run(p, state, Map.of("x", new RunSequence.Fixed(constant)), Map.of()), scope);
            assertRefused(late::run, "x");
            PreparedSequence sequence = runtime.prepare(
                    run(p, state, Map.of("x", given), Map.of("o", new RunSequence.Result(0, "all"))), scope);
            assertRefused(() -> sequence.input("h"), "h", "[g]");
            assertRefused(() -> sequence.output("h"), "h", "[o]");
            assertThatThrownBy(() -> sequence.output("o")).isInstanceOf(IllegalStateException.class);
            sequence.run();
            HostTensor result = sequence.output("o");
            assertThat(result.toFloatArray()).isEqualTo(new float[2]);
            state.close();
            assertClosed(sequence::run);
            assertThat(result.toFloatArray()).isEqualTo(new float[2]);
            sequence.close();
            sequence.close();
            assertClosed(sequence::run);
            assertClosed(() -> sequence.input("g"));
            assertClosed(result::shape);
        }
    }

    private static RunSequence run(
            Program p,
            ProgramState state,
            Map<String, RunSequence.Source> inputs,
            Map<String, RunSequence.Result> outputs) {
        return new RunSequence(List.of(new RunSequence.Run(p, state, RunOptions.DEFAULT, inputs)), outputs);
    }

    // ------------------------------------------------------------------------------------------ ownership

    /** Results live until their scope ends, are counted, and close once. */
    @Test
    final void resultsBelongToTheirScope() {
        try (Scope outer = Scope.root("outer");
                Program p = compile(counter())) {
            ProgramState state = p.newState(outer);
            long before = runtime.memory().liveTensors();
            Scope inner = outer.child("inner");
            Tensor first = get(p.run(Map.of("x", floats(1)), state, RunOptions.DEFAULT, inner), "sum");
            Tensor second = get(p.run(Map.of("x", floats(2)), state, RunOptions.DEFAULT, inner), "sum");
            assertThat(runtime.memory().liveTensors()).isEqualTo(before + 2);
            first.close();
            first.close();
            assertThat(runtime.memory().liveTensors()).isEqualTo(before + 1);
            assertThat(first.toString()).isNotNull();
            assertClosed(first::hostBuffer);
            assertClosed(first::toFloatArray);
            assertClosed(first::shape);
            assertThat(second.toFloatArray()).containsExactly(3f);
            inner.moveTo(outer, second);
            inner.close();
            assertThat(second.toFloatArray()).containsExactly(3f);
            assertThat(runtime.memory().liveTensors()).isEqualTo(before + 1);
        }
    }

    /** Results are the caller's own, even where the graph only passes something through. */
    @Test
    final void resultsShareNothingThatChanges() {
        State.Register register = new State.Register("r", DType.F32, Shape.of(2));
        GraphBuilder b = new GraphBuilder("aliases");
        Value x = b.input("x", DType.F32, Dim.of(2));
        Value w = b.parameter("w", 2);
        b.output("input", x);
        b.output("again", x);
        b.output("weight", w);
        b.output("constant", b.constant(new float[] {8, 9}, 2));
        b.output("register", b.readState(register));
        b.writeState(register, x);
        Graph g = b.build();
        Weights weights = Weights.of(Map.of("w", floats(5, 6)));
        try (Scope scope = Scope.root("aliases")) {
            HostTensor input = floats(1, 2);
            Map<String, Tensor> first;
            Map<String, Tensor> second;
            try (Program p = runtime.compile(g, weights, Precision.FP32)) {
                ProgramState state = p.newState(scope);
                first = p.run(Map.of("x", input), state, RunOptions.DEFAULT, scope);
                assertThat(input.toFloatArray()).as("inputs are borrowed").containsExactly(1f, 2f);
                input.mutableBuffer().asFloatBuffer().put(0, 77f).put(1, 77f);
                input.close();
                get(first, "again").close();
                second = p.run(Map.of("x", floats(3, 4)), state, RunOptions.DEFAULT, scope);
            }
            assertThat(get(first, "input").toFloatArray()).containsExactly(1f, 2f);
            assertThat(get(first, "weight").toFloatArray()).containsExactly(5f, 6f);
            assertThat(get(first, "constant").toFloatArray()).containsExactly(8f, 9f);
            assertThat(get(first, "register").toFloatArray()).containsExactly(0f, 0f);
            assertThat(get(second, "register").toFloatArray())
                    .as("the register keeps what the input held during the run")
                    .containsExactly(1f, 2f);
        }
    }

    /** A runtime's own results are inputs like any other. */
    @Test
    final void resultsFeedTheNextRun() {
        try (Scope scope = Scope.root("feed");
                Program p = compile(counter())) {
            ProgramState state = p.newState(scope);
            Tensor t = floats(1);
            for (int k = 0; k < 5; k++) {
                t = get(p.run(Map.of("x", t), state, RunOptions.DEFAULT, scope), "sum");
            }
            assertThat(t.toFloatArray()).containsExactly(16f);
        }
    }

    /** A hundred runs leave nothing behind. */
    @Test
    final void repeatedRunsDoNotLeak() {
        MemoryFigures before = runtime.memory();
        try (Scope scope = Scope.root("leaks");
                Program p = compile(cache())) {
            ProgramState state = p.newState(scope);
            seen(p, state, written(1, 2, 3), 1, 2, 3);
            MemoryFigures held = runtime.memory();
            for (int k = 0; k < 100; k++) {
                seen(p, state, written(k % 3 + 1), k);
            }
            assertThat(runtime.memory()).isEqualTo(held);
        }
        assertThat(runtime.memory()).isEqualTo(before);
    }

    // ------------------------------------------------------------------------------------------ errors

    /** Inputs that do not fit are refused with name, shape and what was declared. */
    @Test
    final void wrongInputsAreRefused() {
        GraphBuilder b = new GraphBuilder("checked");
        Dim n = Dim.symbol("n");
        Value x = b.input("x", DType.F32, n, Dim.of(3));
        Value y = b.input("y", DType.F32, n);
        Value z = b.input("z", DType.I64, n.times(2));
        b.output("out", b.add(b.reduceSum(x, false, 1), y));
        b.output("whole", z);
        try (Scope scope = Scope.root("inputs");
                Program p = runtime.compile(b.build(), Weights.of(Map.of()), Precision.FP32)) {
            ProgramState state = p.newState(scope);
            HostTensor x2 = HostTensor.zeros(DType.F32, 2, 3);
            HostTensor y2 = HostTensor.zeros(DType.F32, 2);
            HostTensor z4 = HostTensor.zeros(DType.I64, 4);
            assertRefused(() -> run(p, state, scope, Map.of("x", x2, "y", y2)), "z", "checked", "I64");
            assertRefused(() -> run(p, state, scope, Map.of("x", x2, "y", y2, "z", z4, "q", y2)), "q", "x");
            assertRefused(
                    () -> run(p, state, scope, Map.of("x", HostTensor.zeros(DType.F32, 2, 4), "y", y2, "z", z4)),
                    "x",
                    "[2,4]",
                    "[n,3]");
            assertRefused(
                    () -> run(p, state, scope, Map.of("x", x2, "y", HostTensor.zeros(DType.F32, 3), "z", z4)),
                    "[n]",
                    "n");
            assertRefused(
                    () -> run(p, state, scope, Map.of("x", x2, "y", y2, "z", HostTensor.zeros(DType.I64, 5))),
                    "z",
                    "[5]",
                    "2*n");
            assertRefused(
                    () -> run(p, state, scope, Map.of("x", x2, "y", y2, "z", HostTensor.zeros(DType.I32, 4))),
                    "z",
                    "I32",
                    "I64");
            assertRefused(
                    () -> run(p, state, scope, Map.of("x", x2, "y", HostTensor.zeros(DType.F32, 2, 1), "z", z4)),
                    "y",
                    "[2,1]");
            HostTensor gone = HostTensor.zeros(DType.F32, 2);
            gone.close();
            assertClosed(() -> run(p, state, scope, Map.of("x", x2, "y", gone, "z", z4)));
            assertThat(run(p, state, scope, Map.of("x", x2, "y", y2, "z", z4))).containsOnlyKeys("out", "whole");
        }
    }

    /** Weights that are missing or do not fit are refused by name; further ones are ignored. */
    @Test
    final void wrongWeightsAreRefused() {
        GraphBuilder b = new GraphBuilder("weighed");
        b.output("y", b.linear(b.input("x", DType.F32, Dim.of(1), Dim.of(3)), b.parameter("layer.weight", 2, 3), null));
        Graph g = b.build();
        assertFails(
                () -> runtime.compile(g, Weights.of(Map.of()), Precision.FP32),
                TeleWorldException.Category.USER,
                "layer.weight");
        assertFails(
                () -> runtime.compile(
                        g, Weights.of(Map.of("layer.weight", HostTensor.zeros(DType.F32, 3, 2))), Precision.FP32),
                TeleWorldException.Category.USER,
                "layer.weight",
                "[3,2]",
                "[2,3]");
        assertFails(
                () -> runtime.compile(
                        g, Weights.of(Map.of("layer.weight", HostTensor.zeros(DType.I64, 2, 3))), Precision.FP32),
                TeleWorldException.Category.USER,
                "layer.weight",
                "I64");
        Weights more = Weights.of(Map.of("layer.weight", HostTensor.zeros(DType.F32, 2, 3), "other", floats(1)));
        runtime.compile(g, more, Precision.FP32).close();
    }

    /** An extent that turns out too small for the graph is refused. */
    @Test
    final void extentsThatAreTooSmallAreRefused() {
        GraphBuilder b = new GraphBuilder("sliced");
        b.output("y", b.slice(b.input("x", DType.F32, Dim.symbol("n")), 0, 2, 5));
        try (Scope scope = Scope.root("extents");
                Program p = runtime.compile(b.build(), Weights.of(Map.of()), Precision.FP32)) {
            ProgramState state = p.newState(scope);
            Map<String, Tensor> five = run(p, state, scope, Map.of("x", floats(0, 1, 2, 3, 4)));
            assertThat(get(five, "y").toFloatArray()).containsExactly(2f, 3f, 4f);
            assertRefused(() -> run(p, state, scope, Map.of("x", floats(0, 1, 2, 3))), "n=4");
        }
    }

    /** Closed programs, states and runtimes refuse; closing again does nothing. */
    @Test
    final void closedObjectsRefuse() {
        try (Scope scope = Scope.root("closed")) {
            GraphCase c = counter();
            Program p = compile(c);
            ProgramState state = p.newState(scope);
            ProgramState kept = p.newState(scope);
            count(p, kept, RunOptions.DEFAULT, 2);
            state.close();
            state.close();
            assertClosed(() -> count(p, state, RunOptions.DEFAULT, 1));
            assertClosed(() -> state.snapshot(scope));
            assertClosed(state::reset);
            assertClosed(() -> kept.restore(state));
            p.close();
            p.close();
            assertClosed(() -> count(p, kept, RunOptions.DEFAULT, 1));
            assertClosed(() -> p.newState(scope));
            assertThat(kept.sizeBytes()).as("states stay readable").isNotNegative();

            TensorRuntime other = createRuntime();
            Program orphan = other.compile(c.graph(), c.asWeights(), Precision.FP32);
            ProgramState orphanState = orphan.newState(scope);
            other.close();
            other.close();
            assertClosed(() -> count(orphan, orphanState, RunOptions.DEFAULT, 1));
            assertClosed(() -> other.compile(c.graph(), c.asWeights(), Precision.FP32));
            orphanState.close();
            orphan.close();
        }
    }

    // ------------------------------------------------------------------------------------------ threads

    /** Two programs, and two states of one program, run at the same time. */
    @Test
    final void programsRunConcurrently() throws Exception {
        GraphCase c = network();
        try (Scope scope = Scope.root("threads");
                Program first = compile(c);
                Program second = compile(c)) {
            Map<String, Tensor> expected = runOnce(reference, c, Precision.FP32, scope);
            List<Callable<Void>> tasks = IntStream.range(0, 4)
                    .<Callable<Void>>mapToObj(k -> () -> {
                        Program p = k % 2 == 0 ? first : second;
                        try (Scope own = Scope.root("thread " + k)) {
                            ProgramState state = p.newState(own);
                            for (int i = 0; i < 10; i++) {
                                TensorAssertions.assertClose(
                                        p.run(c.inputs(), state, RunOptions.DEFAULT, own),
                                        expected,
                                        tolerance(Precision.FP32),
                                        c);
                            }
                        }
                        return null;
                    })
                    .toList();
            ExecutorService pool = Executors.newFixedThreadPool(4);
            try {
                for (Future<Void> f : pool.invokeAll(tasks)) {
                    f.get();
                }
            } finally {
                pool.shutdownNow();
            }
        }
    }

    /** The same program and input give the same bits. */
    @Test
    final void runsAreDeterministic() {
        GraphCase c = network();
        try (Scope scope = Scope.root("determinism");
                Program p = compile(c);
                Program q = compile(c)) {
            Map<String, Tensor> first = p.run(c.inputs(), p.newState(scope), RunOptions.DEFAULT, scope);
            for (Program again : List.of(p, p, q)) {
                Map<String, Tensor> t = again.run(c.inputs(), again.newState(scope), RunOptions.DEFAULT, scope);
                first.forEach((name, expected) ->
                        assertThat(get(t, name).hostBuffer()).as(name).isEqualTo(expected.hostBuffer()));
            }
        }
    }

    // ------------------------------------------------------------------------------------------ material

    /** sum = register + x; register ← sum. */
    private static GraphCase counter() {
        State.Register register = new State.Register("r", DType.F32, Shape.of(1));
        GraphBuilder b = new GraphBuilder("counter");
        Value sum = b.add(b.readState(register), b.input("x", DType.F32, Dim.of(1)));
        b.writeState(register, sum);
        b.output("sum", sum);
        return new GraphCase("counter", b.build(), Map.of(), Map.of());
    }

    private static float count(Program p, ProgramState state, RunOptions options, float x) {
        try (Scope scope = Scope.root("count")) {
            return get(p.run(Map.of("x", floats(x)), state, options, scope), "sum")
                    .toFloatArray()[0];
        }
    }

    /** all = visible frames, then the run's; cache ← the run's. */
    private static GraphCase cache() {
        State.FrameCache cache = new State.FrameCache("k", GROUP, DType.F32, FRAME, CAPACITY);
        GraphBuilder b = new GraphBuilder("cache");
        Value x = b.input("x", DType.F32, Dim.symbol("frames"), FRAME.dim(0));
        b.output("all", b.concat(0, b.readState(cache), x));
        b.writeState(cache, x);
        return new GraphCase("cache", b.build(), Map.of(), Map.of());
    }

    /** Runs {@link #cache()} on frames that hold (v, −v), and returns each seen frame's v. */
    private static List<Float> seen(Program p, ProgramState state, RunOptions options, float... frames) {
        float[] x = new float[2 * frames.length];
        for (int k = 0; k < frames.length; k++) {
            x[2 * k] = frames[k];
            x[2 * k + 1] = -frames[k];
        }
        try (Scope scope = Scope.root("seen")) {
            Tensor in = HostTensor.ofFloats(x, frames.length, 2);
            float[] all =
                    get(p.run(Map.of("x", in), state, options, scope), "all").toFloatArray();
            List<Float> out = new ArrayList<>();
            for (int k = 0; k < all.length; k += 2) {
                assertThat(all[k + 1]).isEqualTo(-all[k]);
                out.add(all[k]);
            }
            return out;
        }
    }

    private static RunOptions written(Integer... ids) {
        return RunOptions.DEFAULT.withWritten(GROUP, List.of(ids));
    }

    private static RunOptions visible(Integer... ids) {
        return RunOptions.DEFAULT.withVisible(GROUP, List.of(ids));
    }

    private static Map<String, Tensor> run(
            Program p, ProgramState state, Scope scope, Map<String, ? extends Tensor> inputs) {
        return p.run(inputs, state, RunOptions.DEFAULT, scope);
    }

    private static HostTensor floats(float... values) {
        return HostTensor.ofFloats(values, values.length);
    }

    private static HostTensor draw(SplittableRandom r, int... shape) {
        return NdArray.of(DType.F32, shape, index -> r.nextDouble(-1, 1)).toHost();
    }

    private static Tensor get(Map<String, Tensor> results, String name) {
        assertThat(results).containsKey(name);
        return Objects.requireNonNull(results.get(name), name);
    }

    private static void assertRefused(ThrowingCallable call, String... words) {
        assertThatThrownBy(call)
                .isInstanceOf(IllegalArgumentException.class)
                .satisfies(e -> assertThat(e.getMessage()).contains(Arrays.asList(words)));
    }

    private static void assertClosed(ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOf(ResourceClosedException.class);
    }

    private static void assertFails(ThrowingCallable call, TeleWorldException.Category category, String... words) {
        assertThatThrownBy(call).isInstanceOfSatisfying(TeleWorldException.class, e -> {
            assertThat(e.category()).isEqualTo(category);
            assertThat(e.getMessage()).contains(Arrays.asList(words));
        });
    }
}
