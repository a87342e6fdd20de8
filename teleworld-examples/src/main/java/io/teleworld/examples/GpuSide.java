package io.teleworld.examples;

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
import io.teleworld.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;

/**
 * One of the runtimes that are compared, in one precision. Confined to one thread.
 *
 * @param runtime open
 * @param precision of its programs
 */
record GpuSide(TensorRuntime runtime, Precision precision) {

    /** Name and precision. */
    String label() {
        return runtime.name() + " " + precision.name().toLowerCase(java.util.Locale.ROOT);
    }

    /** A program with random weights, owned by the scope. */
    Program compile(Graph graph, long seed, Scope scope) {
        return compile(graph, new RandomWeights(graph, seed), scope);
    }

    Program compile(Graph graph, Weights weights, Scope scope) {
        return scope.adopt(runtime.compile(graph, weights, precision));
    }

    /**
     * A tensor where this runtime keeps its results, so that inputs that never change are copied once if the runtime can
     * leave results on its device.
     */
    Tensor resident(HostTensor value, Scope scope) {
        GraphBuilder b = new GraphBuilder("keep");
        Value x = b.input("x", value.dtype(), io.teleworld.graph.Shape.of(value.shape()));
        b.output("y", b.mul(x, b.scalar(1)));
        Program p = compile(b.build(), Weights.of(Map.of()), scope);
        return Objects.requireNonNull(
                p.run(Map.of("x", value), p.newState(scope), RunOptions.DEFAULT, scope)
                        .get("y"),
                "y");
    }

    /** The only result of a run; owned by the scope and perhaps not there yet. */
    static Tensor run(
            Program p, Map<String, ? extends Tensor> in, ProgramState state, RunOptions options, Scope scope) {
        return p.run(in, state, options, scope).values().stream()
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("program " + p + " gave nothing"));
    }

    /** Waits until a result is in host memory. */
    static void finish(Tensor result) {
        if (result.hostBuffer().capacity() == 0) {
            throw new IllegalStateException("result " + result + " is empty");
        }
    }

    /** Uniform in [−1, 1]. */
    static HostTensor random(SplittableRandom random, long... shape) {
        float[] values = new float[Math.toIntExact(HostTensor.elementCount(shape))];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return HostTensor.ofFloats(values, shape);
    }

    static HostTensor scalar(double value) {
        return HostTensor.ofFloats(new float[] {(float) value}, 1);
    }

    static HostTensor zeros(long... shape) {
        return HostTensor.zeros(DType.F32, shape);
    }

    /** A copy that can be changed. */
    static Map<String, Tensor> changeable(Map<String, ? extends Tensor> in) {
        return new HashMap<>(in);
    }
}
