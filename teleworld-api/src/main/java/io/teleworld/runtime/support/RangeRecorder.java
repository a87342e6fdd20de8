package io.teleworld.runtime.support;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Value;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Looks at what the convolutions of a program read and make while it runs in fp32, so that it can be compiled for
 * {@link Precision#INT8} afterwards. Thread-safe as programs are.
 */
public final class RangeRecorder implements Program {

    private final Graph graph;
    private final List<PlainConvolution> convolutions;
    private final Map<Value, String> names = new LinkedHashMap<>();
    private final Map<Value, Seen> seen = new LinkedHashMap<>();
    private final Program program;

    private static final class Seen {
        private float low;
        private float high;

        /** A layer that only ever saw zeros has some range nevertheless. */
        ActivationRange range() {
            return new ActivationRange(low, low < high ? high : 1);
        }
    }

    /** Compiles a graph for being looked at; closing this closes what was compiled. */
    public RangeRecorder(TensorRuntime runtime, Graph graph, Weights weights) {
        this.graph = graph;
        Graph plain = graph.expand(op -> false);
        convolutions = PlainConvolution.of(plain);
        for (PlainConvolution c : convolutions) {
            for (Value v : List.of(c.input(), c.result())) {
                names.putIfAbsent(v, "activation/" + names.size());
                seen.putIfAbsent(v, new Seen());
            }
        }
        Map<String, Value> taps = new LinkedHashMap<>();
        names.forEach((v, name) -> taps.put(name, v));
        program = runtime.compile(plain.withOutputs(taps), weights, Precision.FP32);
    }

    /** What was seen in all runs so far, by the names of the weights. */
    public synchronized Map<String, ActivationRange.OfLayer> ranges() {
        Map<String, ActivationRange.OfLayer> ranges = new TreeMap<>();
        for (PlainConvolution c : convolutions) {
            Seen in = seen.get(c.input());
            Seen out = seen.get(c.result());
            if (in != null && out != null) {
                ranges.put(c.weight(), new ActivationRange.OfLayer(in.range(), out.range()));
            }
        }
        return ranges;
    }

    @Override
    public Graph graph() {
        return graph;
    }

    @Override
    public ProgramState newState(Scope scope) {
        return program.newState(scope);
    }

    @Override
    public Map<String, Tensor> run(
            Map<String, ? extends Tensor> inputs, ProgramState state, RunOptions options, Scope scope) {
        Map<String, Tensor> all = program.run(inputs, state, options, scope);
        Map<String, Tensor> results = new LinkedHashMap<>();
        graph.outputs().keySet().forEach(name -> results.put(name, all.get(name)));
        names.forEach((v, name) -> {
            Tensor t = all.get(name);
            if (t != null) {
                look(v, t);
                scope.closeEarly(t);
            }
        });
        return results;
    }

    private synchronized void look(Value v, Tensor t) {
        FloatBuffer values = t.hostBuffer().asFloatBuffer();
        Seen s = seen.get(v);
        while (s != null && values.hasRemaining()) {
            float x = values.get();
            s.low = Math.min(s.low, x);
            s.high = Math.max(s.high, x);
        }
    }

    @Override
    public void close() {
        program.close();
    }
}
