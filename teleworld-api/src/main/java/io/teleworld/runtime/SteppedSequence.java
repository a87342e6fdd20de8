package io.teleworld.runtime;

import io.teleworld.error.ResourceClosedException;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A sequence run by run, for runtimes that have nothing better. */
final class SteppedSequence implements PreparedSequence {

    private final RunSequence sequence;
    private final Scope scope = Scope.root("sequence");
    private final Map<String, HostTensor> given = new LinkedHashMap<>();
    private final Map<String, HostTensor> outputs = new HashMap<>();

    SteppedSequence(RunSequence sequence) {
        this.sequence = sequence;
        sequence.given()
                .forEach((name, g) -> given.put(
                        name, scope.adopt(HostTensor.zeros(g.dtype(), g.shape().known()))));
    }

    private void requireOpen() {
        if (scope.isClosed()) {
            throw new ResourceClosedException(toString(), null);
        }
    }

    private static <T> T named(Map<String, T> there, String what, String name) {
        T found = there.get(name);
        if (found == null) {
            throw new IllegalArgumentException("no " + what + " " + name + "; there are " + there.keySet());
        }
        return found;
    }

    @Override
    public HostTensor input(String name) {
        requireOpen();
        return named(given, "given value", name);
    }

    @Override
    public HostTensor output(String name) {
        requireOpen();
        named(sequence.outputs(), "output", name);
        HostTensor found = outputs.get(name);
        if (found == null) {
            throw new IllegalStateException("output " + name + " is there after the first run");
        }
        return found;
    }

    @Override
    public void run() {
        requireOpen();
        try (Scope results = scope.child("run")) {
            List<Map<String, Tensor>> done = new ArrayList<>();
            for (RunSequence.Run r : sequence.runs()) {
                Map<String, Tensor> inputs = new HashMap<>();
                r.inputs().forEach((name, source) -> inputs.put(name, value(source, done)));
                done.add(r.program().run(inputs, r.state(), r.options(), results));
            }
            sequence.outputs().forEach((name, result) -> keep(name, value(result, done)));
        }
    }

    private Tensor value(RunSequence.Source source, List<Map<String, Tensor>> done) {
        if (source instanceof RunSequence.Given g) {
            return named(given, "given value", g.name());
        }
        if (source instanceof RunSequence.Fixed f) {
            return f.tensor();
        }
        RunSequence.Result r = (RunSequence.Result) source;
        return named(done.get(r.run()), "result", r.output());
    }

    private void keep(String name, Tensor result) {
        HostTensor held = outputs.get(name);
        if (held == null || held.dtype() != result.dtype() || !Arrays.equals(held.shape(), result.shape())) {
            @Nullable HostTensor old = held;
            held = scope.adopt(HostTensor.zeros(result.dtype(), result.shape()));
            outputs.put(name, held);
            if (old != null) {
                scope.release(old);
                old.close();
            }
        }
        held.mutableBuffer().put(0, result.hostBuffer(), 0, held.mutableBuffer().capacity());
    }

    @Override
    public void close() {
        scope.close();
    }

    @Override
    public String toString() {
        return "sequence of " + sequence.runs().size() + " runs";
    }
}
