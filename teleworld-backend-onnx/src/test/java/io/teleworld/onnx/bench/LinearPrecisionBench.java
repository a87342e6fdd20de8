package io.teleworld.onnx.bench;

import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Value;
import io.teleworld.onnx.OnnxRuntimeProvider;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

/**
 * What int8 linear layers gain in speed and lose in accuracy against fp32: prints rates with their spread, and errors
 * against a product in double precision.
 *
 * <p>{@code mvn -q -pl teleworld-backend-onnx -am test-compile exec:java@linear-precision}
 */
public final class LinearPrecisionBench {

    private static final int[][] SIZES = {{198, 256, 256}, {198, 256, 1024}, {198, 1024, 256}, {512, 512, 2048}};
    private static final int WARM_UP = 5;
    private static final long SECONDS_EACH = 1;
    private static final int FEWEST_RUNS = 20;

    private enum Activations {
        /** Standard normal. */
        NORMAL,
        /** The same with every 64th channel twenty times as large, as transformers have them. */
        OUTLIERS
    }

    private record Errors(double relative, double largest) {}

    private LinearPrecisionBench() {}

    public static void main(String[] args) {
        run(System.out);
    }

    private static void run(PrintStream out) {
        try (TensorRuntime runtime = new OnnxRuntimeProvider().create(RuntimeOptions.cpu())) {
            out.printf(
                    "machine: %s, JDK %s; runtime: %s, spinning %s%n",
                    runtime.devices().get(0).description(),
                    Runtime.version(),
                    runtime,
                    Boolean.getBoolean(OnnxRuntimeProvider.SPIN_PROPERTY) ? "on" : "off");
            out.printf(
                    "weights N(0,1/in), bias N(0,0.01); error: RMS and largest, over the RMS of the exact result%n%n");
            out.printf(
                    "%-16s %-9s %-12s %10s %24s %11s %11s%n",
                    "rows × in × out", "inputs", "precision", "GFLOP/s", "ms median (p10–p90)", "RMS error", "largest");
            for (int[] size : SIZES) {
                for (Activations a : Activations.values()) {
                    for (Precision p : List.of(Precision.FP32, Precision.INT8_LINEAR)) {
                        measure(runtime, size, a, p, out);
                    }
                }
            }
        }
    }

    private static void measure(TensorRuntime runtime, int[] size, Activations kind, Precision p, PrintStream out) {
        int rows = size[0];
        int in = size[1];
        int width = size[2];
        Random random = new Random(7);
        float[] x = normal(random, rows * in, 1);
        if (kind == Activations.OUTLIERS) {
            for (int i = 0; i < x.length; i += 64) {
                x[i] *= 20;
            }
        }
        float[] w = normal(random, width * in, 1 / Math.sqrt(in));
        float[] b = normal(random, width, 0.1);
        Weights weights =
                Weights.of(Map.of("weight", HostTensor.ofFloats(w, width, in), "bias", HostTensor.ofFloats(b, width)));
        Map<String, HostTensor> inputs = Map.of("x", HostTensor.ofFloats(x, 1, rows, in));
        try (Scope scope = Scope.root("bench");
                Program program = runtime.compile(linear(rows, in, width), weights, p)) {
            ProgramState state = program.newState(scope);
            Tensor y = Objects.requireNonNull(
                    program.run(inputs, state, RunOptions.DEFAULT, scope).get("y"));
            Errors e = errors(y.toFloatArray(), x, w, b, rows, in, width);
            double[] ms = time(program, inputs, state, scope);
            double median = ms[ms.length / 2];
            out.printf(
                    "%4d×%4d×%4d   %-9s %-12s %10.0f %8.3f (%6.3f–%7.3f) %10.2e %11.2e%n",
                    rows,
                    in,
                    width,
                    kind,
                    p,
                    2e-6 * rows * in * width / median,
                    median,
                    ms[ms.length / 10],
                    ms[ms.length * 9 / 10],
                    e.relative(),
                    e.largest());
        }
    }

    private static Graph linear(int rows, int in, int width) {
        GraphBuilder g = new GraphBuilder("linear");
        Value x = g.input("x", DType.F32, Dim.of(1), Dim.of(rows), Dim.of(in));
        g.output("y", g.linear(x, g.parameter("weight", width, in), g.parameter("bias", width)));
        return g.build();
    }

    private static double[] time(Program program, Map<String, HostTensor> inputs, ProgramState state, Scope scope) {
        double[] ms = new double[100_000];
        int n = 0;
        long end = System.nanoTime() + SECONDS_EACH * 1_000_000_000L;
        for (int i = -WARM_UP; n < ms.length && (n < FEWEST_RUNS || System.nanoTime() < end); i++) {
            long start = System.nanoTime();
            try (Scope run = scope.child("run")) {
                program.run(inputs, state, RunOptions.DEFAULT, run);
            }
            if (i >= 0) {
                ms[n++] = (System.nanoTime() - start) * 1e-6;
            }
        }
        double[] sorted = Arrays.copyOf(ms, n);
        Arrays.sort(sorted);
        return sorted;
    }

    private static Errors errors(float[] y, float[] x, float[] w, float[] b, int rows, int in, int width) {
        double squares = 0;
        double exactSquares = 0;
        double largest = 0;
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < width; c++) {
                double exact = b[c];
                for (int k = 0; k < in; k++) {
                    exact += (double) x[r * in + k] * w[c * in + k];
                }
                double error = Math.abs(y[r * width + c] - exact);
                squares += error * error;
                exactSquares += exact * exact;
                largest = Math.max(largest, error);
            }
        }
        double rms = Math.sqrt(exactSquares / (rows * (double) width));
        return new Errors(Math.sqrt(squares / exactSquares), largest / rms);
    }

    private static float[] normal(Random random, int n, double deviation) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) (random.nextGaussian() * deviation);
        }
        return v;
    }
}
