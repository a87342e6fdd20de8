package io.teleworld.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.FloatFormats;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class OnnxProgramTest {

    private static TensorRuntime runtime = new OnnxRuntimeProvider().create(RuntimeOptions.cpu());
    private final Scope scope = Scope.root("test");

    @BeforeAll
    static void open() {
        runtime = new OnnxRuntimeProvider().create(RuntimeOptions.cpu());
    }

    @AfterAll
    static void close() {
        runtime.close();
        assertThat(runtime.memory().weightBytes()).isZero();
    }

    @AfterEach
    void nothingLeaks() {
        scope.close();
        assertThat(runtime.memory().liveTensors()).isZero();
        assertThat(runtime.memory().stateBytes()).isZero();
    }

    private Program compile(Graph g, Weights w) {
        return scope.adopt(runtime.compile(g, w, Precision.FP32));
    }

    private float[] run(Program p, ProgramState s, RunOptions o, HostTensor x) {
        return output(p.run(Map.of("x", x), s, o, scope), "y").toFloatArray();
    }

    private static Tensor output(Map<String, Tensor> outputs, String name) {
        return java.util.Objects.requireNonNull(outputs.get(name), name);
    }

    private static HostTensor random(SplittableRandom r, long... shape) {
        float[] v = new float[Math.toIntExact(HostTensor.elementCount(shape))];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) r.nextDouble(-1, 1);
        }
        return HostTensor.ofFloats(v, shape);
    }

    @Test
    void isFoundAndAvailable() {
        RuntimeRegistry registry = RuntimeRegistry.load(OnnxProgramTest.class.getClassLoader());
        assertThat(registry.names()).contains("onnx");
        assertThat(registry.get("onnx").probe()).isInstanceOf(Availability.Available.class);
        assertThatThrownBy(() -> registry.get("onnx").create(new RuntimeOptions("cuda:7", 0)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cuda:7")
                .hasMessageContaining("cpu");
    }

    @Test
    void halfPrecisionWeightsAreWidened() {
        for (DType d : List.of(DType.F16, DType.BF16)) {
            ByteBuffer b = ByteBuffer.allocateDirect(2 * 6).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < 6; i++) {
                float v = (i - 2) * 0.5f;
                b.putShort(2 * i, d == DType.F16 ? FloatFormats.floatToF16(v) : FloatFormats.floatToBf16(v));
            }
            GraphBuilder g = new GraphBuilder("half");
            Value x = g.input("x", DType.F32, Dim.of(1), Dim.of(3));
            g.output("y", g.linear(x, g.parameter("w", 2, 3), null));
            Program p = compile(g.build(), Weights.of(Map.of("w", HostTensor.wrap(d, b, 2, 3))));
            float[] y =
                    run(p, p.newState(scope), RunOptions.DEFAULT, HostTensor.ofFloats(new float[] {1, 10, 100}, 1, 3));
            assertThat(y).containsExactly(-1f - 5f + 0f, 0.5f + 10f + 150f);
        }
    }

    @Test
    void reshapeWithSeveralUnknownExtents() {
        GraphBuilder g = new GraphBuilder("shapes");
        Dim f = Dim.symbol("frames");
        Dim n = Dim.symbol("batch");
        Value x = g.input("x", DType.F32, n, f, Dim.of(6));
        Value split = g.reshape(x, n, f.times(2), Dim.of(3));
        Value joined = g.concat(1, split, g.expand(g.constant(new float[] {7}, 1, 1, 1), Shape.of(n, f, Dim.of(3))));
        g.output("y", g.reshape(joined, n.times(f).times(3), Dim.of(3)));
        Program p = compile(g.build(), Weights.of(Map.of()));
        for (long[] nf : new long[][] {{1, 1}, {2, 3}, {3, 0}}) {
            HostTensor in = random(new SplittableRandom(1), nf[0], nf[1], 6);
            Tensor y = output(p.run(Map.of("x", in), p.newState(scope), RunOptions.DEFAULT, scope), "y");
            assertThat(y.shape()).containsExactly(nf[0] * nf[1] * 3, 3);
            if (nf[1] == 1) {
                assertThat(y.toFloatArray()).startsWith(in.toFloatArray()).endsWith(7, 7, 7);
            }
        }
    }

    @Test
    void aSymbolThatOnlyOccursInSums() {
        GraphBuilder g = new GraphBuilder("groups");
        Dim latents = Dim.symbol("latents");
        Value x = g.input("x", DType.F32, latents.times(4).plus(1), Dim.of(2));
        Value tail = g.reshape(g.slice(x, 0, 1, Long.MAX_VALUE), latents, Dim.of(4), Dim.of(2));
        g.output("y", g.reshape(g.transpose(tail, 1, 0, 2), Dim.of(2), latents.times(2), Dim.of(2)));
        Program p = compile(g.build(), Weights.of(Map.of()));
        Tensor y = output(
                p.run(Map.of("x", frames(9, 0, 1, 2, 3, 4, 5, 6, 7)), p.newState(scope), RunOptions.DEFAULT, scope),
                "y");
        assertThat(y.shape()).containsExactly(2, 4, 2);
        assertThat(firsts(y.toFloatArray())).containsExactly(0, 4, 1, 5, 2, 6, 3, 7);
        assertThatThrownBy(() -> run(p, p.newState(scope), RunOptions.DEFAULT, frames(1, 2, 3)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1+4*latents");
    }

    /** Memory of frames of two numbers; a run yields what it sees and stores x. */
    private static Graph cacheGraph(int capacity) {
        GraphBuilder g = new GraphBuilder("cache");
        State.FrameCache c = new State.FrameCache("kv", "self", DType.F32, Shape.of(2), capacity);
        Value x = g.input("x", DType.F32, Dim.symbol("n"), Dim.of(2));
        g.output("y", g.concat(0, g.readState(c), x));
        g.writeState(c, g.mul(x, g.scalar(10)));
        return g.build();
    }

    private static HostTensor frames(int... values) {
        float[] v = new float[2 * values.length];
        for (int i = 0; i < v.length; i++) {
            v[i] = values[i / 2] + (i % 2) * 0.5f;
        }
        return HostTensor.ofFloats(v, values.length, 2);
    }

    private static float[] firsts(float[] y) {
        float[] out = new float[y.length / 2];
        for (int i = 0; i < out.length; i++) {
            out[i] = y[2 * i];
        }
        return out;
    }

    @Test
    void framesAreSeenInTheOrderThatIsAskedFor() {
        Program p = compile(cacheGraph(4), Weights.of(Map.of()));
        ProgramState s = p.newState(scope);
        assertThat(firsts(run(p, s, RunOptions.DEFAULT.withWritten("self", List.of(1, 2, 6)), frames(1, 2, 6))))
                .containsExactly(1, 2, 6);
        assertThat(s.frames("self")).containsExactly(1, 2, 6);
        assertThat(firsts(run(p, s, RunOptions.DEFAULT, frames(9)))).containsExactly(10, 20, 60, 9);
        RunOptions some = RunOptions.DEFAULT.withVisible("self", List.of(6, 1));
        assertThat(firsts(run(p, s, some, frames(9)))).containsExactly(60, 10, 9);
        // frame 1 is replaced in place while it is visible, and a new one is added
        assertThat(firsts(run(p, s, some.withWritten("self", List.of(1, 3)), frames(4, 3))))
                .containsExactly(60, 10, 4, 3);
        assertThat(firsts(run(p, s, some, frames(9)))).containsExactly(60, 40, 9);
        assertThat(firsts(run(p, s, RunOptions.DEFAULT, frames(9)))).containsExactly(40, 20, 60, 30, 9);
        s.evict("self", List.of(2, 77));
        assertThat(firsts(run(p, s, RunOptions.DEFAULT.withWritten("self", List.of(8)), frames(8))))
                .containsExactly(40, 60, 30, 8);
        assertThat(firsts(run(p, s, RunOptions.DEFAULT, frames()))).containsExactly(40, 60, 30, 80);
        assertThat(firsts(run(p, s, RunOptions.DEFAULT.withVisible("self", List.of()), frames(5))))
                .containsExactly(5);
        assertThatThrownBy(() -> run(p, s, RunOptions.DEFAULT.withWritten("self", List.of(9)), frames(9)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("capacity is 4");
        assertThat(s.frames("self")).containsExactly(1, 6, 3, 8);
    }

    @Test
    void aLongWindowSlides() {
        Program p = compile(cacheGraph(5), Weights.of(Map.of()));
        ProgramState s = p.newState(scope);
        for (int i = 1; i < 40; i++) {
            int from = Math.max(1, i - 4);
            int[] window = IntStream.range(from, i).toArray();
            float[] seen = firsts(run(p, s, RunOptions.DEFAULT.withWritten("self", List.of(i)), frames(i)));
            assertThat(seen).hasSize(window.length + 1);
            for (int k = 0; k < window.length; k++) {
                assertThat(seen[k]).isEqualTo(10f * window[k]);
            }
            s.evict("self", List.of(i - 4));
        }
    }

    @Test
    void snapshotsAreIndependent() {
        Program p = compile(cacheGraph(4), Weights.of(Map.of()));
        ProgramState s = p.newState(scope);
        run(p, s, RunOptions.DEFAULT.withWritten("self", List.of(1, 2)), frames(1, 2));
        ProgramState copy = s.snapshot(scope);
        run(p, s, RunOptions.DEFAULT.withWritten("self", List.of(2, 3)), frames(5, 3));
        assertThat(firsts(run(p, copy, RunOptions.DEFAULT, frames()))).containsExactly(10, 20);
        s.restore(copy);
        assertThat(firsts(run(p, s, RunOptions.DEFAULT, frames()))).containsExactly(10, 20);
        s.reset();
        assertThat(s.frames("self")).isEmpty();
        assertThat(firsts(run(p, copy, RunOptions.DEFAULT, frames()))).containsExactly(10, 20);
        assertThat(s.sizeBytes()).isPositive();
    }

    @Test
    void registersAccumulate() {
        GraphBuilder g = new GraphBuilder("sum");
        State.Register r = new State.Register("total", DType.F32, Shape.of(2));
        Value x = g.input("x", DType.F32, Dim.of(2));
        Value sum = g.add(g.readState(r), x);
        g.writeState(r, sum);
        g.output("y", sum);
        Program p = compile(g.build(), Weights.of(Map.of()));
        ProgramState s = p.newState(scope);
        HostTensor one = HostTensor.ofFloats(new float[] {1, 2}, 2);
        assertThat(run(p, s, RunOptions.DEFAULT, one)).containsExactly(1, 2);
        assertThat(run(p, s, RunOptions.DEFAULT, one)).containsExactly(2, 4);
        assertThat(run(p, s, RunOptions.DEFAULT.withoutRegisterWrites(), one)).containsExactly(3, 6);
        assertThat(run(p, s, RunOptions.DEFAULT, one)).containsExactly(3, 6);
        ProgramState copy = s.snapshot(scope);
        s.reset();
        assertThat(run(p, s, RunOptions.DEFAULT, one)).containsExactly(1, 2);
        assertThat(run(p, copy, RunOptions.DEFAULT, one)).containsExactly(4, 8);
    }

    @Test
    void int8LayersStayClose() {
        SplittableRandom r = new SplittableRandom(3);
        GraphBuilder g = new GraphBuilder("qkv");
        Value x = g.input("x", DType.F32, Dim.of(1), Dim.symbol("n"), Dim.of(96));
        Value q = g.linear(x, g.parameter("q", 64, 96), g.parameter("b", 64));
        Value k = g.linear(x, g.parameter("k", 64, 96), null);
        g.output("y", g.add(q, k));
        Graph graph = g.build();
        Weights w = Weights.of(Map.of("q", random(r, 64, 96), "k", random(r, 64, 96), "b", random(r, 64)));
        HostTensor in = random(r, 1, 33, 96);
        Program exact = compile(graph, w);
        Program coarse = scope.adopt(runtime.compile(graph, w, Precision.INT8_LINEAR));
        float[] a = run(exact, exact.newState(scope), RunOptions.DEFAULT, in);
        float[] b = run(coarse, coarse.newState(scope), RunOptions.DEFAULT, in);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < a.length; i++) {
            error += (a[i] - b[i]) * (double) (a[i] - b[i]);
            norm += a[i] * (double) a[i];
        }
        assertThat(Math.sqrt(error / norm)).isGreaterThan(1e-5).isLessThan(0.01);
    }

    @Test
    void oneProgramOnSeveralThreads() throws Exception {
        Program p = compile(cacheGraph(4), Weights.of(Map.of()));
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Callable<float[]>> jobs = IntStream.range(0, 8)
                    .mapToObj(i -> (Callable<float[]>) () -> {
                        ProgramState s = p.newState(scope);
                        for (int k = 0; k < 20; k++) {
                            run(p, s, RunOptions.DEFAULT.withWritten("self", List.of(1)), frames(i + k));
                        }
                        return firsts(run(p, s, RunOptions.DEFAULT, frames()));
                    })
                    .toList();
            List<Future<float[]>> done = threads.invokeAll(jobs);
            for (int i = 0; i < done.size(); i++) {
                assertThat(done.get(i).get()).containsExactly(10f * (i + 19));
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void closedThingsRefuse() {
        Program p = compile(cacheGraph(4), Weights.of(Map.of()));
        ProgramState s = p.newState(scope);
        Tensor y = output(p.run(Map.of("x", frames(1)), s, RunOptions.DEFAULT, scope), "y");
        y.close();
        y.close();
        assertThatThrownBy(y::hostBuffer).isInstanceOf(ResourceClosedException.class);
        Program other = compile(cacheGraph(4), Weights.of(Map.of()));
        assertThatThrownBy(() -> other.run(Map.of("x", frames(1)), s, RunOptions.DEFAULT, scope))
                .isInstanceOf(IllegalArgumentException.class);
        p.close();
        p.close();
        assertThat(s.frames("self")).isEmpty();
        assertThatThrownBy(() -> p.run(Map.of("x", frames(1)), s, RunOptions.DEFAULT, scope))
                .isInstanceOf(ResourceClosedException.class);
        s.close();
        s.close();
        assertThatThrownBy(() -> s.frames("self")).isInstanceOf(ResourceClosedException.class);
        TensorRuntime second = new OnnxRuntimeProvider().create(RuntimeOptions.cpu());
        Program theirs = second.compile(cacheGraph(2), Weights.of(Map.of()), Precision.FP32);
        second.close();
        second.close();
        assertThatThrownBy(() -> theirs.newState(scope)).isInstanceOf(ResourceClosedException.class);
        assertThatThrownBy(() -> second.compile(cacheGraph(2), Weights.of(Map.of()), Precision.FP32))
                .isInstanceOf(ResourceClosedException.class);
    }

    @Test
    void runtimeFailuresAreBackendErrors() {
        GraphBuilder g = new GraphBuilder("pick");
        Value i = g.input("x", DType.I64, Dim.of(1));
        g.output("y", g.gather(g.constant(new float[] {1, 2}, 2), i, 0));
        Program p = compile(g.build(), Weights.of(Map.of()));
        assertThat(run(p, p.newState(scope), RunOptions.DEFAULT, HostTensor.ofLongs(new long[] {1}, 1)))
                .containsExactly(2);
        assertThatThrownBy(() -> run(p, p.newState(scope), RunOptions.DEFAULT, HostTensor.ofLongs(new long[] {5}, 1)))
                .isInstanceOfSatisfying(
                        TeleWorldException.class,
                        e -> assertThat(e.category()).isEqualTo(TeleWorldException.Category.BACKEND))
                .hasMessageContaining("graph pick")
                .hasMessageNotContaining("\n");
        assertThatThrownBy(() -> runtime.compile(cacheGraph(1), Weights.of(Map.of()), Precision.BF16))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("BF16");
    }

    @Test
    void attentionMatchesItsFormula() {
        SplittableRandom r = new SplittableRandom(5);
        GraphBuilder g = new GraphBuilder("attention");
        Value q = g.input("q", DType.F32, Dim.of(1), Dim.of(3), Dim.of(8));
        Value k = g.input("k", DType.F32, Dim.of(1), Dim.symbol("n"), Dim.of(8));
        Value v = g.input("v", DType.F32, Dim.of(1), Dim.symbol("n"), Dim.of(8));
        g.output("y", g.attention(q, k, v, null, 2, 0.5));
        Program p = compile(g.build(), Weights.of(Map.of()));
        HostTensor qt = random(r, 1, 3, 8);
        HostTensor kt = random(r, 1, 5, 8);
        HostTensor vt = random(r, 1, 5, 8);
        float[] y = output(p.run(Map.of("q", qt, "k", kt, "v", vt), p.newState(scope), RunOptions.DEFAULT, scope), "y")
                .toFloatArray();
        float[] qa = qt.toFloatArray();
        float[] ka = kt.toFloatArray();
        float[] va = vt.toFloatArray();
        for (int h = 0; h < 2; h++) {
            double[] weight = new double[5];
            double sum = 0;
            for (int j = 0; j < 5; j++) {
                double dot = 0;
                for (int c = 0; c < 4; c++) {
                    dot += qa[8 + h * 4 + c] * ka[8 * j + h * 4 + c];
                }
                weight[j] = Math.exp(0.5 * dot);
                sum += weight[j];
            }
            double expected = 0;
            for (int j = 0; j < 5; j++) {
                expected += weight[j] / sum * va[8 * j + h * 4 + 1];
            }
            assertThat((double) y[8 + h * 4 + 1]).isCloseTo(expected, within(1e-5));
        }
    }
}
