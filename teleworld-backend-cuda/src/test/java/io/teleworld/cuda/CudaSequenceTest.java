package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.teleworld.cuda.driver.DeviceLostException;
import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.PreparedSequence;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RunSequence;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CudaSequenceTest {

    private static final String GROUP = "self";
    private static final int STEPS = 4;

    /** A denoising step: a mean over cached and new frames of its tanh, which are cached. */
    private static Graph step() {
        State.FrameCache cache = new State.FrameCache("k", GROUP, DType.F32, Shape.of(8), 6);
        GraphBuilder b = new GraphBuilder("step");
        Value x = b.tanh(b.input("x", DType.F32, Dim.symbol("frames"), Dim.of(8)));
        b.output("y", b.add(x, b.reduceMean(b.concat(0, b.readState(cache), x), true, 0)));
        b.writeState(cache, x);
        return b.build();
    }

    /** Four steps that see frames 0 to 2, then the pass that writes 3 to 5. */
    private static RunSequence block(Program p, ProgramState state) {
        RunOptions sees = RunOptions.DEFAULT.withVisible(GROUP, List.of(0, 1, 2));
        List<RunSequence.Run> runs = new ArrayList<>();
        RunSequence.Source from = new RunSequence.Given("noise", DType.F32, Shape.of(3, 8));
        for (int i = 0; i < STEPS; i++) {
            runs.add(new RunSequence.Run(p, state, sees, Map.of("x", from)));
            from = new RunSequence.Result(i, "y");
        }
        runs.add(new RunSequence.Run(p, state, sees.withWritten(GROUP, List.of(3, 4, 5)), Map.of("x", from)));
        return new RunSequence(runs, Map.of("latents", new RunSequence.Result(STEPS - 1, "y")));
    }

    private static void fill(Program p, ProgramState state, Scope scope) {
        RunOptions options = RunOptions.DEFAULT.withWritten(GROUP, List.of(0, 1, 2));
        p.run(Map.of("x", HostTensor.ofFloats(new float[24], 3, 8)), state, options, scope);
    }

    private interface Body {
        void run(RecordingDriver driver, ProgramState state, PreparedSequence sequence);
    }

    private static void withBlock(Body body) {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(step(), Weights.of(Map.of()), Precision.FP32);
                Scope scope = Scope.root("test")) {
            ProgramState state = p.newState(scope);
            fill(p, state, scope);
            body.run(driver, state, runtime.prepare(block(p, state), scope));
        }
    }

    @Test
    void aBlockIsOneGraphAndOneWait() {
        withBlock((driver, state, sequence) -> {
            sequence.run();
            sequence.run();
            driver.forgetCalls();
            sequence.run();
            assertThat(driver.calls())
                    .containsExactly("makeCurrent", "record", "launchGraph", "record", "synchronize", "elapsedMillis");
            assertThat(state.frames(GROUP)).containsExactly(0, 1, 2, 3, 4, 5);
        });
    }

    @Test
    void aRepetitionMakesNoObject() {
        withBlock((driver, state, sequence) -> {
            sequence.run();
            sequence.run();
            driver.idle();
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            for (int i = 0; i < 500; i++) {
                sequence.run();
            }
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 500; i++) {
                sequence.run();
            }
            // What reading the figure itself makes, however often the sequence ran.
            assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(500);
        });
    }

    @Test
    void timesAreThoseOfRepetitions() {
        withBlock((driver, state, sequence) -> {
            assertThat(RunTimes.of(sequence)).contains(RunTimes.NONE);
            sequence.run();
            // Frames 3 to 5 are written for the first time, so what was captured is looked at once more.
            sequence.run();
            RunTimes first = RunTimes.of(sequence).orElseThrow();
            assertThat(first).isEqualTo(new RunTimes(0, 2, 0, 0));
            sequence.run();
            RunTimes t = RunTimes.of(sequence).orElseThrow().since(first);
            assertThat(t.runs()).isEqualTo(1);
            assertThat(t.deviceNanos()).isPositive();
            assertThat(t.hostNanos()).isEqualTo(4_000);
        });
    }

    @Test
    void aFailedRepetitionEmptiesTheStateAndTheNextOneIsWhole() {
        withBlock((driver, state, sequence) -> {
            sequence.run();
            driver.failAt(2, () -> new TeleWorldException(TeleWorldException.Category.BACKEND, "launch failed"));
            assertThatThrownBy(sequence::run).hasMessageContaining("launch failed");
            assertThat(state.frames(GROUP)).isEmpty();
            assertThatThrownBy(sequence::run)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("not held");
        });
    }

    @Test
    void whatFailsWhileItIsPlannedLeavesTheStateAsItWas() {
        // Each call of the first run fails once; the state has its three frames, and another run succeeds.
        for (int call = 0; call < 12; call++) {
            int at = call;
            withBlock((driver, state, sequence) -> {
                driver.failAt(at, () -> new TeleWorldException(TeleWorldException.Category.RESOURCE, "out of memory"));
                boolean failed = false;
                try {
                    sequence.run();
                } catch (TeleWorldException e) {
                    failed = true;
                    assertThat(e).hasMessageContaining("out of memory");
                    assertThat(state.frames(GROUP)).isIn(List.of(), List.of(0, 1, 2));
                }
                if (failed && !state.frames(GROUP).isEmpty()) {
                    sequence.run();
                    assertThat(state.frames(GROUP)).hasSize(6);
                }
            });
        }
    }

    @Test
    void everythingIsGivenBack() {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Scope scope = Scope.root("test")) {
            try (Program p = runtime.compile(step(), Weights.of(Map.of()), Precision.FP32)) {
                ProgramState state = p.newState(scope);
                fill(p, state, scope);
                long before = runtime.memory().stateBytes();
                PreparedSequence sequence = runtime.prepare(block(p, state), scope);
                sequence.run();
                assertThat(runtime.memory().stateBytes()).isGreaterThan(before);
                sequence.close();
                assertThat(runtime.memory().stateBytes()).isEqualTo(before);
                runtime.prepare(block(p, state), scope).run();
            }
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }

    @Test
    void aLostDeviceIsSaidOnce() {
        withBlock((driver, state, sequence) -> {
            sequence.run();
            driver.failAt(3, () -> new DeviceLostException("cuGraphLaunch failed: gone"));
            assertThatThrownBy(sequence::run).isInstanceOf(DeviceLostException.class);
            assertThatThrownBy(sequence::run)
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContaining("gone");
        });
    }

    @Test
    void programsOfOtherRuntimesAreRefused() {
        withBlock((driver, state, sequence) -> {
            try (TensorRuntime other = CudaTensorRuntimeTest.open(new RecordingDriver(1L << 20, true), Set.of());
                    Program p = other.compile(step(), Weights.of(Map.of()), Precision.FP32);
                    TensorRuntime own = CudaTensorRuntimeTest.open(new RecordingDriver(1L << 20, true), Set.of());
                    Scope scope = Scope.root("other")) {
                ProgramState foreign = p.newState(scope);
                assertThatThrownBy(() -> own.prepare(block(p, foreign), scope))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("run 0")
                        .hasMessageContaining("another runtime");
            }
        });
    }
}
