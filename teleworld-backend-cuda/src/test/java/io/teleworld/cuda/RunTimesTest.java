package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
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
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RunTimesTest {

    private static final Weights NONE = Weights.of(Map.of());

    /** Java bytes of one run of a known shape with one input and one result, the result's object included. */
    private static final long MOST_BYTES = 12 * 1024;

    private static Graph chain(int nodes) {
        GraphBuilder b = new GraphBuilder("chain");
        Value x = b.input("x", DType.F32, Dim.symbol("n"), Dim.of(8));
        for (int i = 0; i < nodes; i++) {
            x = b.tanh(x);
        }
        b.output("y", x);
        return b.build();
    }

    @Test
    void deviceTimeIsThatBetweenEventsAndHostTimeThatOutsideTheWait() {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(chain(6), NONE, Precision.FP32);
                Scope scope = Scope.root("test")) {
            assertThat(RunTimes.of(p)).contains(new RunTimes(0, 0, 0, 0));
            ProgramState none = p.newState(scope);
            Map<String, HostTensor> in = Map.of("x", HostTensor.zeros(DType.F32, 2, 8));
            p.run(in, none, RunOptions.DEFAULT, scope);
            RunTimes first = RunTimes.of(p).orElseThrow();
            assertThat(first).isEqualTo(new RunTimes(0, 1, 0, 0));
            p.run(in, none, RunOptions.DEFAULT, scope);
            p.run(in, none, RunOptions.DEFAULT, scope);
            RunTimes t = RunTimes.of(p).orElseThrow().since(first);
            // Six kernels and the copies in and out; four driver calls of 1 µs outside the wait of 5 ms.
            long device = Math.round(8 * RecordingDriver.WORK_MILLIS * 1e6);
            assertThat(t).isEqualTo(new RunTimes(2, 0, 2 * device, 2 * 4_000));
            assertThat(t.hostShare()).isEqualTo(0.002);
            try (CudaProfiler profiler = CudaProfiler.attach(p).orElseThrow()) {
                p.run(in, none, RunOptions.DEFAULT, scope);
                assertThat(profiler.take()).isNotEmpty();
            }
            assertThat(RunTimes.of(p)).contains(first.plus(t));
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }

    @Test
    void aReplayedRunMakesAFewObjectsHoweverLargeTheGraphIs() {
        long small = bytesPerRun(4);
        long large = bytesPerRun(1000);
        assertThat(small).isPositive().isLessThan(MOST_BYTES);
        // One object per node would be 16 kB.
        assertThat(large).isLessThan(MOST_BYTES).isLessThan(small + 512);
    }

    private static long bytesPerRun(int nodes) {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                Program p = runtime.compile(chain(nodes), NONE, Precision.FP32);
                Scope scope = Scope.root("test")) {
            ProgramState none = p.newState(scope);
            Map<String, HostTensor> in = Map.of("x", HostTensor.zeros(DType.F32, 2, 8));
            p.run(in, none, RunOptions.DEFAULT, scope);
            driver.idle();
            int runs = 200;
            long before = 0;
            for (int i = 0; i < 2 * runs; i++) {
                if (i == runs) {
                    before = threads.getCurrentThreadAllocatedBytes();
                }
                try (Scope run = scope.child("run")) {
                    p.run(in, none, RunOptions.DEFAULT, run);
                }
            }
            return (threads.getCurrentThreadAllocatedBytes() - before) / runs;
        }
    }
}
