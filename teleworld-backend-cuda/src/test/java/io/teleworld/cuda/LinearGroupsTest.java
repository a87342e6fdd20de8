package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
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
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers of one input as one batch of products. */
class LinearGroupsTest {

    private static final int WIDTH = 16;

    /**
     * Query, key and value with a norm's weight used between them; a layer whose result is returned, one of another width, and
     * one whose weight another layer uses too, none of which can join.
     */
    private static Graph graph() {
        GraphBuilder b = new GraphBuilder("layers");
        Value x = b.tanh(b.input("x", DType.F32, Dim.symbol("n"), Dim.of(WIDTH)));
        Value q = b.linear(x, b.parameter("q", WIDTH, WIDTH), b.parameter("qb", WIDTH));
        q = b.mul(q, b.parameter("norm", WIDTH));
        Value k = b.linear(x, b.parameter("k", WIDTH, WIDTH), b.parameter("kb", WIDTH));
        Value v = b.linear(x, b.parameter("v", WIDTH, WIDTH), b.parameter("vb", WIDTH));
        Value shared = b.parameter("shared", WIDTH, WIDTH);
        Value other = b.linear(x, shared, b.parameter("ob", WIDTH));
        Value again = b.linear(other, shared, null);
        Value wide = b.linear(x, b.parameter("w", 2 * WIDTH, WIDTH), b.parameter("wb", 2 * WIDTH));
        b.output("direct", b.linear(x, b.parameter("d", WIDTH, WIDTH), b.parameter("db", WIDTH)));
        b.output("y", b.tanh(b.mul(b.mul(q, k), b.mul(v, again))));
        b.output("wide", b.tanh(wide));
        return b.build();
    }

    @ParameterizedTest
    @CsvSource({"FP32, false", "FP32, true", "BF16, false", "BF16, true"})
    void queryKeyAndValueAreOneProduct(Precision precision, boolean refused) {
        SplittableRandom random = new SplittableRandom();
        Graph g = graph();
        Map<String, HostTensor> w = new LinkedHashMap<>();
        g.parameters().forEach((name, v) -> w.put(name, draw(random, v.shape().known())));
        Map<String, HostTensor> in = Map.of("x", draw(random, 5, WIDTH));
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        if (refused) {
            driver.refuseBatches();
        }
        try (TensorRuntime runtime = CudaTensorRuntimeTest.open(driver, Set.of());
                ReferenceRuntime reference = new ReferenceRuntime();
                Program expected = reference.compile(g, Weights.of(w), Precision.FP32);
                Program actual = runtime.compile(g, Weights.of(w), precision);
                Scope scope = Scope.root("groups")) {
            driver.forgetCalls();
            Map<String, Tensor> got = actual.run(in, actual.newState(scope), RunOptions.DEFAULT, scope);
            // Three in one, the shared weight's two, the wide one and the one that is returned.
            assertThat(driver.count("matmul")).isEqualTo(refused ? 7 : 5);
            expected.run(in, expected.newState(scope), RunOptions.DEFAULT, scope)
                    .forEach((name, e) -> assertThat(
                                    TensorAssertions.relativeError(Objects.requireNonNull(got.get(name), name), e))
                            .as(name)
                            .isLessThan(precision == Precision.FP32 ? 1e-5 : 2e-2));
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }

    private static HostTensor draw(SplittableRandom random, long... shape) {
        float[] v = new float[Math.toIntExact(HostTensor.elementCount(shape))];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) random.nextDouble(-0.5, 0.5);
        }
        return HostTensor.ofFloats(v, shape);
    }
}
