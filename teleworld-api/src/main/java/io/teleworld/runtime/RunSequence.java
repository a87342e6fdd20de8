package io.teleworld.runtime;

import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs of programs one after the other, of which later ones read results of earlier ones: the denoising steps of a block,
 * for instance, the pass that writes its cache, and the decoder. {@link TensorRuntime#prepare} makes it ready to be run
 * again and again. Immutable.
 *
 * @param runs in order; at least one
 * @param outputs results that are wanted in host memory, by a name of their own
 */
public record RunSequence(List<Run> runs, Map<String, Result> outputs) {

    /** Where an input of a run comes from. */
    public sealed interface Source permits Given, Fixed, Result {}

    /**
     * A value that the caller writes into {@link PreparedSequence#input} when it changes; zeros at first. Two inputs of
     * the same name are the same value.
     *
     * @param name among the given values of the sequence
     * @param dtype element type
     * @param shape extents, all known
     */
    public record Given(String name, DType dtype, Shape shape) implements Source {
        public Given {
            if (!shape.isKnown()) {
                throw new IllegalArgumentException(
                        "given value " + name + " has the shape " + shape + "; every extent must be known");
            }
        }
    }

    /**
     * A value that stays the same for as long as the sequence is prepared.
     *
     * @param tensor borrowed until then; must not change
     */
    public record Fixed(Tensor tensor) implements Source {}

    /**
     * A result of an earlier run.
     *
     * @param run its place in the sequence, counted from 0
     * @param output its name in the run's graph
     */
    public record Result(int run, String output) implements Source {}

    /**
     * One run, as {@link Program#run} would do it.
     *
     * @param program what is run
     * @param state made by the program; borrowed until the prepared sequence is closed
     * @param options which cached frames are visible and which are written; the same each time
     * @param inputs one source per graph input
     */
    public record Run(Program program, ProgramState state, RunOptions options, Map<String, Source> inputs) {
        public Run {
            inputs = Map.copyOf(inputs);
        }
    }

    public RunSequence {
        runs = List.copyOf(runs);
        outputs = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(outputs));
        if (runs.isEmpty()) {
            throw new IllegalArgumentException("a sequence needs at least one run");
        }
        Map<String, Given> given = new LinkedHashMap<>();
        for (int i = 0; i < runs.size(); i++) {
            Map<String, Value> declared = runs.get(i).program().graph().inputs();
            Map<String, Source> inputs = runs.get(i).inputs();
            if (!inputs.keySet().equals(declared.keySet())) {
                throw new IllegalArgumentException("run " + i + " has the inputs " + inputs.keySet()
                        + "; its graph declares " + declared.keySet());
            }
            for (Source s : inputs.values()) {
                if (s instanceof Given g) {
                    Given other = given.putIfAbsent(g.name(), g);
                    if (other != null && !other.equals(g)) {
                        throw new IllegalArgumentException("given value " + g.name() + " is declared as "
                                + other.dtype() + " " + other.shape() + " and as " + g.dtype() + " " + g.shape());
                    }
                } else if (s instanceof Result r) {
                    requireResult(runs, r, i, "run " + i);
                }
            }
        }
        for (Map.Entry<String, Result> e : outputs.entrySet()) {
            requireResult(runs, e.getValue(), runs.size(), "output " + e.getKey());
        }
    }

    private static void requireResult(List<Run> runs, Result r, int before, String reader) {
        if (r.run() < 0 || r.run() >= before) {
            throw new IllegalArgumentException(
                    reader + " reads a result of run " + r.run() + "; it can read those of runs 0 to " + (before - 1));
        }
        Map<String, Value> there = runs.get(r.run()).program().graph().outputs();
        if (!there.containsKey(r.output())) {
            throw new IllegalArgumentException(
                    reader + " reads result " + r.output() + " of run " + r.run() + "; there are " + there.keySet());
        }
    }

    /** The given values by name, in the order of their first use. */
    public Map<String, Given> given() {
        Map<String, Given> out = new LinkedHashMap<>();
        for (Run r : runs) {
            r.inputs().values().forEach(s -> {
                if (s instanceof Given g) {
                    out.putIfAbsent(g.name(), g);
                }
            });
        }
        return out;
    }
}
