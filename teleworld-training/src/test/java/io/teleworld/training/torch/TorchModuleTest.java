package io.teleworld.training.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class TorchModuleTest {

    private static final int WIDTH = 8;
    private static final int HEADS = 2;

    /** Analytic gradients of each fused operator against central differences. */
    @TestFactory
    Stream<DynamicTest> gradientsAreThoseOfFiniteDifferences() {
        Map<String, Consumer<GraphBuilder>> graphs = new TreeMap<>();
        graphs.put("linear", b -> b.output("y", b.linear(tokens(b), b.parameter("w", 5, WIDTH), b.parameter("b", 5))));
        graphs.put(
                "layer norm",
                b -> b.output("y", b.layerNorm(tokens(b), b.parameter("w", WIDTH), b.parameter("b", WIDTH), 1e-5)));
        graphs.put("rms norm", b -> b.output("y", b.rmsNorm(project(b, "p"), b.parameter("w", WIDTH), 1e-5)));
        graphs.put(
                "modulated layer norm",
                b -> b.output(
                        "y",
                        b.modulatedLayerNorm(
                                project(b, "p"),
                                b.parameter("shift", 1, 1, WIDTH),
                                b.parameter("scale", 1, 1, WIDTH),
                                1e-5)));
        graphs.put(
                "gated residual",
                b -> b.output("y", b.gatedResidual(tokens(b), project(b, "p"), b.parameter("g", 1, 1, WIDTH))));
        graphs.put(
                "normed rotary",
                b -> b.output(
                        "y",
                        b.normedRotary(
                                project(b, "p"),
                                b.parameter("w", WIDTH),
                                angles(b, true),
                                angles(b, false),
                                HEADS,
                                1e-5)));
        graphs.put(
                "masked attention",
                b -> b.output(
                        "y", b.attention(project(b, "q"), project(b, "k"), project(b, "v"), mask(b), HEADS, 0.5)));
        graphs.put("memory block", TorchModuleTest::memoryBlock);
        graphs.put(
                "strided convolution",
                b -> b.output(
                        "y",
                        b.conv(
                                picture(b, "x", 3),
                                b.parameter("w", 4, 3, 3, 3),
                                b.parameter("b", 4),
                                List.of(2, 2),
                                List.of(0, 1, 1, 0),
                                List.of(1, 1),
                                1)));
        graphs.put(
                "gelu, silu, resize",
                b -> b.output(
                        "y",
                        b.resize(
                                b.silu(b.geluTanh(
                                        b.conv2d(picture(b, "x", 3), b.parameter("w", 2, 3, 1, 1), null, 1, 0))),
                                2,
                                io.teleworld.graph.Op.ResizeMode.LINEAR)));
        return graphs.entrySet().stream()
                .map(e -> DynamicTest.dynamicTest(e.getKey(), () -> checkGradients(e.getKey(), e.getValue())));
    }

    private static void checkGradients(String name, Consumer<GraphBuilder> build) {
        GraphBuilder b = new GraphBuilder(name);
        build.accept(b);
        Graph g = b.build();
        Map<String, float[]> weights = draw(g, 1);
        try (TorchModule m = TorchModule.of(g, weights, "cpu", Arithmetic.FP32);
                PointerScope scope = new PointerScope()) {
            Map<String, Tensor> in = inputs(g, 2);
            loss(m, in).backward();
            SplittableRandom r = new SplittableRandom(3);
            m.parameters().forEach((p, t) -> {
                float[] analytic = TorchTensors.toFloats(t.grad());
                for (int k = 0; k < 4; k++) {
                    int i = r.nextInt(analytic.length);
                    // Small enough that few steps cross a kink of relu.
                    double h = name.equals("memory block") ? 1e-3 : 1e-2;
                    double numeric = (shifted(m, in, t, i, h) - shifted(m, in, t, i, -h)) / (2 * h);
                    assertThat((double) analytic[i])
                            .as("gradient of %s[%d] in %s", p, i, name)
                            .isCloseTo(
                                    numeric,
                                    within((name.equals("memory block") ? 2e-2 : 2e-3) + 0.02 * Math.abs(numeric)));
                }
            });
        }
    }

    private static double shifted(TorchModule m, Map<String, Tensor> in, Tensor parameter, int index, double by) {
        try (PointerScope s = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            Tensor element = parameter.detach().reshape(-1).narrow(0, index, 1);
            element.add_(new Scalar(by));
            double l = TorchTensors.item(loss(m, in));
            element.sub_(new Scalar(by));
            return l;
        }
    }

    /** A fixed, uneven weighting, so that no gradient vanishes by symmetry. */
    private static Tensor loss(TorchModule m, Map<String, Tensor> in) {
        Tensor y = m.forward(in).get("y").reshape(-1);
        float[] w = new float[(int) y.numel()];
        for (int i = 0; i < w.length; i++) {
            w[i] = (float) Math.sin(1.7 * i + 0.3);
        }
        return torch.sum(y.mul(TorchTensors.ofFloats(w, w.length)));
    }

    /** bf16 gradients point where fp32 gradients do, for a block with everything in it. */
    @Test
    void bf16GradientsAgreeWithFp32() {
        Graph g = block();
        Map<String, float[]> weights = draw(g, 1);
        Map<String, float[]> exact = gradients(g, weights, Arithmetic.FP32);
        for (Arithmetic a : List.of(Arithmetic.BF16, Arithmetic.BF16_NARROW)) {
            gradients(g, weights, a)
                    .forEach((name, actual) -> assertThat(cosine(actual, exact.get(name)))
                            .as("cosine of the gradient of %s in %s", name, a)
                            .isGreaterThan(0.98));
        }
    }

    private static Map<String, float[]> gradients(Graph g, Map<String, float[]> weights, Arithmetic a) {
        Map<String, float[]> out = new HashMap<>();
        try (TorchModule m = TorchModule.of(g, weights, "cpu", a);
                PointerScope scope = new PointerScope()) {
            loss(m, inputs(g, 2)).backward();
            m.parameters().forEach((n, t) -> out.put(n, TorchTensors.toFloats(t.grad())));
        }
        return out;
    }

    private static double cosine(float[] a, float[] b) {
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            ab += (double) a[i] * b[i];
            aa += (double) a[i] * a[i];
            bb += (double) b[i] * b[i];
        }
        return ab / Math.sqrt(aa * bb);
    }

    /** Two shards give the gradient of the whole batch, and the same bits every time. */
    @Test
    void shardsAddUp() {
        Graph g = block();
        Map<String, float[]> weights = draw(g, 1);
        try (TorchModule m = TorchModule.of(g, weights, "cpu", Arithmetic.FP32);
                ShardedBackward shards = new ShardedBackward(2);
                PointerScope scope = new PointerScope()) {
            Map<String, Tensor> first = inputs(g, 2);
            Map<String, Tensor> second = inputs(g, 3);
            loss(m, first).add(loss(m, second)).backward();
            Tensor whole = m.parameters().get("q.weight").grad().clone();
            float[] last = null;
            for (int k = 0; k < 5; k++) {
                m.zeroGradients();
                double[] losses = shards.run(i -> loss(m, inputs(g, 2 + i)));
                assertThat(losses).hasSize(2);
                float[] now =
                        TorchTensors.toFloats(m.parameters().get("q.weight").grad());
                assertThat(now).containsExactly(TorchTensors.toFloats(whole), within(1e-4f));
                if (last != null) {
                    assertThat(now).isEqualTo(last);
                }
                last = now;
            }
        }
    }

    @Test
    void stepsLeaveNoNativeMemoryBehind() {
        Graph g = block();
        try (TorchModule m = TorchModule.of(g, draw(g, 1), "cpu", Arithmetic.BF16)) {
            long[] counts = new long[2];
            for (int k = 0; k < 60; k++) {
                try (PointerScope scope = new PointerScope()) {
                    loss(m, inputs(g, 2)).backward();
                    m.zeroGradients();
                }
                if (k == 9) {
                    counts[0] = Pointer.totalCount();
                }
            }
            counts[1] = Pointer.totalCount();
            assertThat(counts[1]).as("live native objects").isLessThanOrEqualTo(counts[0] + 5);
        }
    }

    /** What a mask hides changes nothing, in either arithmetic. */
    @Test
    void hiddenTokensAreNotSeen() {
        Graph g = block();
        for (Arithmetic a : List.of(Arithmetic.FP32, Arithmetic.BF16)) {
            try (TorchModule m = TorchModule.of(g, draw(g, 1), "cpu", a);
                    PointerScope scope = new PointerScope()) {
                Map<String, Tensor> in = inputs(g, 2);
                float[] before = TorchTensors.toFloats(m.inference(in).get("y"));
                in.get("x").narrow(1, 3, 3).mul_(new Scalar(-2.0));
                float[] after = TorchTensors.toFloats(m.inference(in).get("y"));
                for (int i = 0; i < after.length; i++) {
                    if (i / WIDTH % 6 < 3) {
                        assertThat(after[i]).as("element %d in %s", i, a).isCloseTo(before[i], within(1e-6f));
                    }
                }
                assertThat(after).isNotEqualTo(before);
            }
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        GraphBuilder b = new GraphBuilder("small");
        b.output("y", b.linear(b.input("x", DType.F32, Dim.symbol("n"), Dim.of(3)), b.parameter("w", 2, 3), null));
        Graph g = b.build();
        assertThatThrownBy(() -> new TorchModule(g, Weights.of(Map.of()), "cpu", Arithmetic.FP32))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("w");
        try (TorchModule m = TorchModule.of(g, Map.of("w", new float[6]), "cpu", Arithmetic.FP32);
                PointerScope scope = new PointerScope()) {
            assertThatThrownBy(() -> m.forward(Map.of()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("x");
            assertThatThrownBy(() -> m.forward(Map.of("x", TorchTensors.zeros(4, 2))))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("[4, 2]");
            assertThatThrownBy(() -> m.forward(Map.of("x", TorchTensors.zeros(4, 3), "z", TorchTensors.zeros(1))))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("z");
            assertThat(TorchTensors.shape(
                            m.inference(Map.of("x", TorchTensors.zeros(4, 3))).get("y")))
                    .containsExactly(4, 2);
        }
    }

    @Test
    void weightsGoOutAndIn() {
        Graph g = block();
        try (TorchModule a = TorchModule.of(g, draw(g, 1), "cpu", Arithmetic.FP32);
                TorchModule b = TorchModule.of(g, draw(g, 9), "cpu", Arithmetic.FP32)) {
            b.load(Weights.of(new TreeMap<>(a.weights())));
            a.weights()
                    .forEach((n, t) ->
                            assertThat(b.weights().get(n).toFloatArray()).as(n).isEqualTo(t.toFloatArray()));
        }
    }

    // ------------------------------------------------------------------------------------------ material

    private static Value tokens(GraphBuilder b) {
        return b.input("x", DType.F32, Shape.of(Dim.symbol("batch"), Dim.of(6), Dim.of(WIDTH)));
    }

    private static Value project(GraphBuilder b, String name) {
        Value x = b.input(name + ".x", DType.F32, Shape.of(Dim.symbol("batch"), Dim.of(6), Dim.of(WIDTH)));
        return b.linear(x, b.parameter(name + ".weight", WIDTH, WIDTH), null);
    }

    private static Value angles(GraphBuilder b, boolean cosine) {
        int pairs = WIDTH / HEADS / 2;
        float[] v = new float[6 * pairs];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) (cosine ? Math.cos(0.7 * i) : Math.sin(0.7 * i));
        }
        return b.constant(v, 1, 6, pairs);
    }

    private static Value mask(GraphBuilder b) {
        boolean[] v = new boolean[36];
        for (int i = 0; i < 36; i++) {
            v[i] = i % 6 <= i / 6;
        }
        return b.constant(new io.teleworld.graph.Constant(io.teleworld.tensor.HostTensor.ofBooleans(v, 6, 6)));
    }

    private static Value picture(GraphBuilder b, String name, int channels) {
        return b.input(name, DType.F32, Dim.of(2), Dim.of(channels), Dim.of(5), Dim.of(6));
    }

    private static void memoryBlock(GraphBuilder b) {
        b.output(
                "y",
                b.apply(
                                new io.teleworld.graph.Op.MemoryBlock(),
                                List.of(
                                        picture(b, "x", 3),
                                        picture(b, "past", 3),
                                        b.parameter("w0", 4, 6, 3, 3),
                                        b.parameter("b0", 4),
                                        b.parameter("w1", 4, 4, 3, 3),
                                        b.parameter("b1", 4),
                                        b.parameter("w2", 4, 4, 3, 3),
                                        b.parameter("b2", 4),
                                        b.parameter("skip", 4, 3, 1, 1)))
                        .get(0));
    }

    private static Graph block() {
        GraphBuilder b = new GraphBuilder("block");
        Value x = tokens(b);
        Value n = b.modulatedLayerNorm(x, b.parameter("shift", 1, 1, WIDTH), b.parameter("scale", 1, 1, WIDTH), 1e-6);
        Value q = b.linear(n, b.parameter("q.weight", WIDTH, WIDTH), b.parameter("q.bias", WIDTH));
        Value k = b.linear(n, b.parameter("k.weight", WIDTH, WIDTH), null);
        Value v = b.linear(n, b.parameter("v.weight", WIDTH, WIDTH), null);
        q = b.normedRotary(q, b.parameter("q.norm", WIDTH), angles(b, true), angles(b, false), HEADS, 1e-6);
        k = b.normedRotary(k, b.parameter("k.norm", WIDTH), angles(b, true), angles(b, false), HEADS, 1e-6);
        Value y = b.attention(q, k, v, mask(b), HEADS, 0.5);
        x = b.gatedResidual(x, y, b.parameter("gate", 1, 1, WIDTH));
        Value m = b.geluTanh(b.linear(x, b.parameter("up.weight", 16, WIDTH), null));
        b.output("y", b.add(x, b.linear(m, b.parameter("down.weight", WIDTH, 16), null)));
        return b.build();
    }

    private static Map<String, float[]> draw(Graph g, long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        Map<String, float[]> out = new TreeMap<>();
        g.parameters().forEach((n, v) -> {
            float[] w = new float[(int) v.shape().elementCount().known()];
            for (int i = 0; i < w.length; i++) {
                w[i] = (float) r.nextDouble(-0.6, 0.6) + (n.endsWith("norm") || n.equals("gate") ? 1 : 0);
            }
            out.put(n, w);
        });
        return out;
    }

    private static Map<String, Tensor> inputs(Graph g, long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        Map<String, Tensor> out = new HashMap<>();
        g.inputs().forEach((n, v) -> {
            long[] shape = v.shape().evaluate(Map.of("batch", 2L));
            float[] x = new float[(int) io.teleworld.tensor.HostTensor.elementCount(shape)];
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) r.nextDouble(-1, 1);
            }
            out.put(n, TorchTensors.ofFloats(x, shape));
        });
        return out;
    }
}
