package io.teleworld.onnx;

import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.runtime.Weights;
import io.teleworld.runtime.support.PlainConvolution;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Which convolutions of a graph are computed in int8, and in which steps their activations are held. Immutable. */
final class Int8Convolutions {

    static final Int8Convolutions NONE = new Int8Convolutions(Map.of(), Set.of(), Set.of(), Map.of());

    private static final float LEVELS = 255f;

    private final Map<Node, Quantised> convolutions;
    private final Set<Value> made;
    private final Set<Value> readAsFloats;
    private final Map<Value, Node> concatenations;

    private Int8Convolutions(
            Map<Node, Quantised> convolutions,
            Set<Value> made,
            Set<Value> readAsFloats,
            Map<Value, Node> concatenations) {
        this.convolutions = convolutions;
        this.made = made;
        this.readAsFloats = readAsFloats;
        this.concatenations = concatenations;
    }

    /**
     * Values as bytes: v = step·(byte − zero).
     *
     * @param zero the byte that stands for 0, so that padding is exact; 0 to 255
     */
    record Steps(float step, int zero) {
        static Steps of(ActivationRange range) {
            float step = (range.high() - range.low()) / LEVELS;
            return new Steps(step, Math.round(-range.low() / step));
        }
    }

    /**
     * A convolution in int8.
     *
     * @param result what it makes, after a Relu that alone reads it
     */
    record Quantised(Steps input, Steps output, Value result) {}

    /** Those of a graph whose weights come with ranges. */
    static Int8Convolutions of(Graph graph, Weights weights) {
        Map<Node, Quantised> convolutions = new HashMap<>();
        Map<Value, Steps> steps = new HashMap<>();
        Set<Value> made = new HashSet<>();
        for (PlainConvolution c : PlainConvolution.of(graph)) {
            Optional<ActivationRange.OfLayer> ranges = ActivationRange.of(weights, c.weight());
            if (ranges.isEmpty()) {
                continue;
            }
            // A value has one set of steps, whoever reads it.
            Steps input =
                    steps.computeIfAbsent(c.input(), v -> Steps.of(ranges.get().input()));
            ActivationRange output = ranges.get().output();
            Steps result = Steps.of(c.relu() == null ? output : new ActivationRange(0, Math.max(output.high(), 1e-6f)));
            steps.put(c.result(), result);
            made.add(c.result());
            convolutions.put(c.node(), new Quantised(input, result, c.result()));
        }
        Set<Value> floats = new HashSet<>(graph.outputs().values());
        for (Node n : graph.nodes()) {
            for (int i = 0; i < n.inputs().size(); i++) {
                if (i > 0 || !convolutions.containsKey(n)) {
                    floats.add(n.inputs().get(i));
                }
            }
        }
        Map<Value, Node> concatenations = new HashMap<>();
        for (Node n : graph.nodes()) {
            if (n.op() instanceof Op.Concat c
                    && c.axis() == 1
                    && steps.containsKey(n.output())
                    && !floats.contains(n.output())) {
                concatenations.put(n.output(), n);
            }
        }
        return new Int8Convolutions(convolutions, made, floats, concatenations);
    }

    /** What joins channels for convolutions in int8 alone; its parts are quantised before, which moves fewer bytes. */
    Optional<Node> concatenation(Value v) {
        return Optional.ofNullable(concatenations.get(v));
    }

    Optional<Quantised> of(Node n) {
        return Optional.ofNullable(convolutions.get(n));
    }

    /** Whether a convolution in int8 makes a value, a Relu behind it included. */
    boolean makes(Value v) {
        return made.contains(v);
    }

    /** Whether a result or something other than a convolution in int8 needs a value in floats. */
    boolean isReadAsFloats(Value v) {
        return readAsFloats.contains(v);
    }
}
