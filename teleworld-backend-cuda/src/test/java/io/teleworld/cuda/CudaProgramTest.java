package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CudaProgramTest {

    private static final String[] UNTIL_WAIT = {"makeCurrent", "record", "launchGraph", "record", "synchronize"};
    private static final String[] REPLAY = {
        "makeCurrent", "record", "launchGraph", "record", "synchronize", "elapsedMillis"
    };

    private static final Weights NONE = Weights.of(Map.of());

    /** [n,64] rows, each node a kernel. */
    private static Graph chain(int nodes) {
        GraphBuilder b = new GraphBuilder("chain");
        Value x = b.input("x", DType.F32, Dim.symbol("n"), Dim.of(64));
        for (int i = 0; i < nodes; i++) {
            x = b.tanh(x);
        }
        b.output("y", x);
        return b.build();
    }

    /** The frames that are seen, and the new one, as one list. */
    private static Graph window(int capacity) {
        State.FrameCache cache = new State.FrameCache("k", "self", DType.F32, Shape.of(4), capacity);
        GraphBuilder b = new GraphBuilder("window");
        Value x = b.input("x", DType.F32, Dim.of(1), Dim.of(4));
        b.output("all", b.concat(0, b.readState(cache), x));
        b.writeState(cache, x);
        return b.build();
    }

    private static HostTensor rows(int n) {
        return HostTensor.zeros(DType.F32, n, 64);
    }

    @Test
    void aKnownShapeIsReplayedWithSixCallsAndOneWait() {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(chain(30), NONE, Precision.FP32);
                Scope scope = Scope.root("test")) {
            ProgramState none = p.newState(scope);
            p.run(Map.of("x", rows(3)), none, RunOptions.DEFAULT, scope);
            assertThat(driver.count("launch Tanh")).isEqualTo(30);
            driver.forgetCalls();
            p.run(Map.of("x", rows(3)), none, RunOptions.DEFAULT, scope);
            assertThat(driver.calls()).containsExactly(REPLAY);
            p.run(Map.of("x", rows(5)), none, RunOptions.DEFAULT, scope);
            driver.forgetCalls();
            p.run(Map.of("x", rows(5)), none, RunOptions.DEFAULT, scope);
            assertThat(driver.calls()).containsExactly(REPLAY);
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }

    @Test
    void aSlidingWindowComesBackToItsCapturedGraphs() {
        int capacity = 4;
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(window(capacity), NONE, Precision.FP32);
                Scope scope = Scope.root("test")) {
            ProgramState state = p.newState(scope);
            for (int frame = 0; frame < 40; frame++) {
                if (frame == 20) {
                    driver.forgetCalls();
                }
                if (frame >= 3) {
                    state.evict("self", List.of(frame - 3));
                }
                try (Scope run = scope.child("run")) {
                    Tensor all = p.run(
                                    Map.of("x", HostTensor.ofFloats(new float[] {frame, 0, 0, 0}, 1, 4)),
                                    state,
                                    RunOptions.DEFAULT.withWritten("self", List.of(frame)),
                                    run)
                            .get("all");
                    float[] seen = all.toFloatArray();
                    int first = Math.max(0, frame - 2);
                    for (int i = 0; i * 4 < seen.length; i++) {
                        assertThat(seen[4 * i]).isEqualTo(first + i);
                    }
                }
            }
            assertThat(driver.count("beginCapture")).isZero();
            assertThat(driver.count("launchGraph")).isEqualTo(20);
        }
    }

    @Test
    void aProfilerTimesEveryStepAndChangesNothing() {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(chain(5), NONE, Precision.FP32);
                Scope scope = Scope.root("test")) {
            ProgramState none = p.newState(scope);
            float[] plain = p.run(Map.of("x", rows(3)), none, RunOptions.DEFAULT, scope)
                    .get("y")
                    .toFloatArray();
            try (CudaProfiler profiler = CudaProfiler.attach(p).orElseThrow()) {
                float[] timed = p.run(Map.of("x", rows(3)), none, RunOptions.DEFAULT, scope)
                        .get("y")
                        .toFloatArray();
                assertThat(timed).isEqualTo(plain);
                var sums = profiler.take();
                assertThat(sums.get(CudaProfiler.Kind.ELEMENTWISE).steps()).isEqualTo(5);
                // Each tanh reads and writes 3 rows of 64 floats.
                assertThat(sums.get(CudaProfiler.Kind.ELEMENTWISE).bytes()).isEqualTo(5 * 2 * 3 * 64 * 4);
                assertThat(profiler.take()).isEmpty();
            }
            driver.forgetCalls();
            p.run(Map.of("x", rows(3)), none, RunOptions.DEFAULT, scope);
            assertThat(driver.calls()).containsExactly(REPLAY);
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }

    @Test
    void whatDoesNotFitIsRefusedWithBothNumbersBeforeAnythingIsLaunched() {
        RecordingDriver driver = new RecordingDriver(100_000, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(chain(3), NONE, Precision.FP32);
                Scope scope = Scope.root("test")) {
            ProgramState none = p.newState(scope);
            assertThatThrownBy(() -> p.run(Map.of("x", rows(1000)), none, RunOptions.DEFAULT, scope))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("(100000 bytes)")
                    .hasMessageContaining("chain")
                    .extracting(e -> ((TeleWorldException) e).category())
                    .isEqualTo(TeleWorldException.Category.RESOURCE);
            assertThat(driver.count("launch")).isZero();
            assertThat(driver.count("allocate")).isZero();
            assertThat(p.run(Map.of("x", rows(10)), none, RunOptions.DEFAULT, scope))
                    .containsKey("y");
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }

    @Test
    void weightsThatDoNotFitAreRefusedWhenTheyAreCompiled() {
        RecordingDriver driver = new RecordingDriver(10_000, true);
        GraphBuilder b = new GraphBuilder("large");
        b.output("y", b.linear(b.input("x", DType.F32, Dim.of(1), Dim.of(64)), b.parameter("w", 64, 64), null));
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of())) {
            Weights w = Weights.of(Map.of("w", HostTensor.zeros(DType.F32, 64, 64)));
            assertThatThrownBy(() -> runtime.compile(b.build(), w, Precision.FP32))
                    .hasMessageContaining("16384 bytes")
                    .hasMessageContaining("10000 bytes");
            assertThat(runtime.compile(chain(1), NONE, Precision.FP32)).isNotNull();
        }
    }

    @Test
    void aLostDeviceIsReportedByEveryCallAndReachesTheDriverOnce() {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Scope scope = Scope.root("test")) {
            Program p = runtime.compile(window(4), NONE, Precision.FP32);
            ProgramState state = p.newState(scope);
            Map<String, HostTensor> in = Map.of("x", HostTensor.zeros(DType.F32, 1, 4));
            RunOptions write = RunOptions.DEFAULT.withWritten("self", List.of(1));
            p.run(in, state, write, scope);
            p.run(in, state, RunOptions.DEFAULT, scope);
            // What is before the wait succeeds; the wait reports what happened.
            driver.failAt(4, () -> new DeviceLostException("cuStreamSynchronize failed: CUDA_ERROR_ILLEGAL_ADDRESS"));
            driver.forgetCalls();
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> p.run(in, state, RunOptions.DEFAULT, scope))
                        .isInstanceOf(DeviceLostException.class)
                        .hasMessageContaining("cuStreamSynchronize");
            }
            assertThat(driver.calls()).containsExactly(UNTIL_WAIT);
        }
    }

    @Test
    void aRunThatFailsHalfWayEmptiesItsState() {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Scope scope = Scope.root("test");
                Program p = runtime.compile(window(4), NONE, Precision.FP32)) {
            ProgramState state = p.newState(scope);
            Map<String, HostTensor> in = Map.of("x", HostTensor.zeros(DType.F32, 1, 4));
            p.run(in, state, RunOptions.DEFAULT.withWritten("self", List.of(1)), scope);
            p.run(in, state, RunOptions.DEFAULT, scope);
            driver.failAt(4, () -> new TeleWorldException(TeleWorldException.Category.BACKEND, "cuStreamSynchronize"));
            assertThatThrownBy(() -> p.run(in, state, RunOptions.DEFAULT, scope))
                    .hasMessageContaining("cuStreamSynchronize");
            assertThat(state.frames("self")).isEmpty();
            assertThat(p.run(in, state, RunOptions.DEFAULT, scope).get("all").shape())
                    .containsExactly(1, 4);
        }
    }

    /** Wherever a call fails, nothing is left behind and the next run works. */
    @Test
    void everyFailedCallIsSurvived() {
        Graph g = window(4);
        int survived = 0;
        for (int n = 0; n < 40; n++) {
            RecordingDriver driver = new RecordingDriver(1L << 30, true);
            int at = n;
            try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                    Scope scope = Scope.root("test")) {
                driver.failAt(at, () -> new TeleWorldException(TeleWorldException.Category.BACKEND, "call " + at));
                Map<String, HostTensor> in = Map.of("x", HostTensor.zeros(DType.F32, 1, 4));
                try (Program p = runtime.compile(g, NONE, Precision.FP32)) {
                    p.run(in, p.newState(scope), RunOptions.DEFAULT.withWritten("self", List.of(1)), scope);
                } catch (TeleWorldException e) {
                    assertThat(e).hasMessageContaining("call " + at);
                    survived++;
                }
                driver.failAt(Integer.MAX_VALUE, () -> new IllegalStateException("not reached"));
                try (Program p = runtime.compile(g, NONE, Precision.FP32)) {
                    p.run(in, p.newState(scope), RunOptions.DEFAULT, scope);
                }
            } catch (TeleWorldException closing) {
                assertThat(closing).hasMessageContaining("call " + at);
            }
        }
        assertThat(survived).isGreaterThan(10);
    }

    @Test
    void withoutCublasKernelsMultiply() {
        RecordingDriver driver = new RecordingDriver(1L << 30, false);
        GraphBuilder b = new GraphBuilder("product");
        Value x = b.input("x", DType.F32, Dim.of(2), Dim.of(3));
        b.output("y", b.linear(x, b.parameter("w", 4, 3), b.parameter("c", 4)));
        Weights w = Weights.of(Map.of(
                "w", HostTensor.ofFloats(new float[] {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, 4, 3),
                "c", HostTensor.ofFloats(new float[] {0, 0, 0, 10}, 4)));
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(b.build(), w, Precision.FP32);
                Scope scope = Scope.root("test")) {
            assertThat(runtime.precisions()).containsExactly(Precision.FP32);
            Tensor y = p.run(
                            Map.of("x", HostTensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3)),
                            p.newState(scope),
                            RunOptions.DEFAULT,
                            scope)
                    .get("y");
            assertThat(y.toFloatArray()).containsExactly(1, 2, 3, 16, 4, 5, 6, 25);
            assertThat(driver.count("matmul")).isZero();
        }
    }
}
