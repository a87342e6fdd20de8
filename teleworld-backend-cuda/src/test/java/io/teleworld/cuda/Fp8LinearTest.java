package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import io.teleworld.testkit.ReferenceRuntime;
import io.teleworld.testkit.TensorAssertions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Linear layers in fp8 on a driver that multiplies the decoded numbers. */
class Fp8LinearTest {

    private static final int WIDTH = 48;

    /**
     * Three bits of mantissa round by 2.6 % in the mean, both operands of one layer by 3.7 %; the sums of these small layers
     * spread by 0.4 % around that.
     */
    private static final double ONE_LAYER = 0.065;

    private static final double TWO_LAYERS = 0.09;

    private final SplittableRandom random = new SplittableRandom();

    private HostTensor draw(double size, long... shape) {
        float[] v = new float[Math.toIntExact(HostTensor.elementCount(shape))];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) random.nextDouble(-size, size);
        }
        return HostTensor.ofFloats(v, shape);
    }

    /** A norm that two layers read, an activation between layers, a layer whose width is no multiple of 16. */
    private static Graph graph() {
        GraphBuilder b = new GraphBuilder("layers");
        Value x = b.input("x", DType.F32, Dim.of(1), Dim.symbol("n"), Dim.of(WIDTH));
        Value m = b.input("m", DType.F32, Dim.of(1), Dim.of(1), Dim.of(WIDTH));
        Value h = b.apply(new Op.ModulatedLayerNorm(1e-6), List.of(x, m, m)).get(0);
        h = b.reshape(h, Dim.symbol("n"), Dim.of(WIDTH));
        Value q = b.linear(h, b.parameter("q", 64, WIDTH), b.parameter("qb", 64));
        Value k = b.linear(h, b.parameter("k", 64, WIDTH), null);
        Value g = b.gelu(b.add(q, k));
        b.output("y", b.linear(g, b.parameter("o", WIDTH, 64), b.parameter("ob", WIDTH)));
        b.output("z", b.linear(g, b.parameter("odd", 10, 64), null));
        b.output("direct", b.linear(x, b.parameter("d", 16, WIDTH), null));
        return b.build();
    }

    @Test
    void layersAreQuantisedOncePerValueAndStayCloseToTheOracle() {
        Graph g = graph();
        Map<String, HostTensor> w = new LinkedHashMap<>();
        g.parameters().forEach((name, v) -> w.put(name, draw(0.3, v.shape().known())));
        Map<String, HostTensor> in = Map.of("x", draw(2, 1, 5, WIDTH), "m", draw(0.5, 1, 1, WIDTH));
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                ReferenceRuntime reference = new ReferenceRuntime();
                Program expected = reference.compile(g, Weights.of(w), Precision.FP32);
                Program narrow = runtime.compile(g, Weights.of(w), Precision.BF16);
                Scope scope = Scope.root("fp8")) {
            long bf16Bytes = runtime.memory().weightBytes();
            try (Program actual = runtime.compile(g, Weights.of(w), Precision.FP8_LINEAR)) {
                assertThat(runtime.memory().weightBytes() - bf16Bytes).isLessThan(bf16Bytes);
                driver.forgetCalls();
                Map<String, Tensor> a = actual.run(in, actual.newState(scope), RunOptions.DEFAULT, scope);
                assertThat(driver.count("launch QuantisedModulatedLayerNorm")).isEqualTo(1);
                // The norm reads its operands as they are; two layers' results are widened because they are returned.
                assertThat(driver.count("launch Cast")).isEqualTo(2);
                // The activation, and the input that a layer reads as it is.
                assertThat(driver.count("launch Quantise_")).isEqualTo(2);
                assertThat(driver.count("launch ModulatedLayerNorm")).isZero();
                assertThat(driver.count("matmul")).isEqualTo(5);
                expected.run(in, expected.newState(scope), RunOptions.DEFAULT, scope)
                        .forEach((name, e) -> {
                            Tensor got = a.get(name);
                            assertThat(got).isNotNull();
                            if (got != null) {
                                assertThat(got.dtype()).isEqualTo(DType.F32);
                                assertThat(TensorAssertions.relativeError(got, e))
                                        .as(name)
                                        .isLessThan(name.equals("direct") ? ONE_LAYER : TWO_LAYERS);
                            }
                        });
            }
            assertThat(narrow.graph()).isSameAs(g);
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }
}
