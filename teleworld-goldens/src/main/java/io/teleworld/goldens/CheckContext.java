package io.teleworld.goldens;

import io.teleworld.graph.Graph;
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
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/** A runtime as the checks use it. Confined to one thread; programs and results live as long as its scope. */
record CheckContext(TensorRuntime runtime, Precision precision, Scope scope) {

    /** Compiles a graph with those of the weights that it declares. */
    Program compile(Graph graph, Weights weights) {
        Map<String, HostTensor> own = new HashMap<>();
        for (String n : graph.parameters().keySet()) {
            if (weights.names().contains(n)) {
                own.put(n, weights.get(n));
            }
        }
        return scope.adopt(runtime.compile(graph, Weights.of(own), precision));
    }

    ProgramState newState(Program program) {
        return program.newState(scope);
    }

    /** One run without memory; an output by name. */
    float[] run(Program program, Map<String, ? extends Tensor> inputs, String output) {
        return run(program, newState(program), RunOptions.DEFAULT, inputs, output);
    }

    /** One run; all outputs, truth values as 1 and 0. */
    Map<String, float[]> runAll(
            Program program, ProgramState state, RunOptions options, Map<String, ? extends Tensor> inputs) {
        try (Scope results = scope.child("run")) {
            Map<String, float[]> out = new HashMap<>();
            program.run(inputs, state, options, results).forEach((n, t) -> out.put(n, floats(t)));
            return out;
        }
    }

    private static float[] floats(Tensor t) {
        if (t.dtype() != DType.BOOL) {
            return t.toFloatArray();
        }
        ByteBuffer truth = t.hostBuffer();
        float[] out = new float[Math.toIntExact(t.elementCount())];
        for (int i = 0; i < out.length; i++) {
            out[i] = truth.get(truth.position() + i) == 0 ? 0 : 1;
        }
        return out;
    }

    float[] run(
            Program program,
            ProgramState state,
            RunOptions options,
            Map<String, ? extends Tensor> inputs,
            String output) {
        try (Scope results = scope.child("run")) {
            return Objects.requireNonNull(
                            program.run(inputs, state, options, results).get(output), output)
                    .toFloatArray();
        }
    }
}
