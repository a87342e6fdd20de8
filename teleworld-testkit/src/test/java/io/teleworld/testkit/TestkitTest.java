package io.teleworld.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** The kit itself: what it draws, and that its comparisons can fail. */
class TestkitTest {

    @Test
    void theInterpreterRunsEveryOperator() {
        try (ReferenceRuntime r = new ReferenceRuntime()) {
            assertThat(r.operators()).containsExactlyInAnyOrderElementsOf(Op.all());
        }
    }

    @Test
    void theInterpreterIsFoundByName() {
        RuntimeRegistry registry = RuntimeRegistry.load(TestkitTest.class.getClassLoader());
        assertThat(registry.names()).contains("reference");
        assertThat(registry.get("reference").probe()).isInstanceOf(Availability.Available.class);
        try (TensorRuntime r = registry.get("reference").create(RuntimeOptions.cpu())) {
            assertThat(r.name()).isEqualTo("reference");
        }
        assertThatThrownBy(() -> registry.get("reference").create(new RuntimeOptions("cuda:0", 0)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cuda:0")
                .hasMessageContaining("cpu");
        assertThatThrownBy(() -> registry.get("abacus"))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("reference");
        assertThatThrownBy(() -> registry.firstAvailable(List.of("abacus")))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("abacus: not on the class path");
        assertThat(registry.firstAvailable(List.of("abacus", "reference")).name())
                .isEqualTo("reference");
    }

    @Test
    void comparisonsFailOnDifferences() {
        Map<String, HostTensor> one = Map.of("y", HostTensor.ofFloats(new float[] {1, 2}, 2));
        TensorAssertions.assertClose(one, Map.of("y", HostTensor.ofFloats(new float[] {1, 2.0001f}, 2)), 1e-4, "a");
        assertThatThrownBy(() -> TensorAssertions.assertClose(
                        one, Map.of("y", HostTensor.ofFloats(new float[] {1, 2.01f}, 2)), 1e-4, "a"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("element 1 of 2")
                .hasMessageContaining("output y of a");
        assertThatThrownBy(() -> TensorAssertions.assertClose(
                        one, Map.of("y", HostTensor.ofFloats(new float[] {1, 2}, 1, 2)), 1e-4, "a"))
                .isInstanceOf(AssertionError.class);
        assertThatThrownBy(() -> TensorAssertions.assertClose(
                        one, Map.of("y", HostTensor.ofFloats(new float[] {1, Float.NaN}, 2)), 1e-4, "a"))
                .isInstanceOf(AssertionError.class);
        assertThatThrownBy(() -> TensorAssertions.assertClose(one, Map.of(), 1e-4, "a"))
                .isInstanceOf(AssertionError.class);
    }

    @Test
    void randomGraphsAreVaried() {
        Set<Class<?>> seen = new HashSet<>();
        int deep = 0;
        int symbolic = 0;
        for (long seed = 0; seed < 60; seed++) {
            GraphCase c = RandomGraphs.draw(seed);
            c.graph().nodes().stream().map(Node::op).forEach(op -> seen.add(op.getClass()));
            deep += c.graph().nodes().size() >= 8 ? 1 : 0;
            symbolic += c.graph().inputSymbols().isEmpty() ? 0 : 1;
        }
        assertThat(seen).hasSizeGreaterThan(25);
        assertThat(deep).isGreaterThan(15);
        assertThat(symbolic).isBetween(10, 50);
    }

    @Property(tries = 60)
    void expandedGraphsAgreeWithKernels(@ForAll long seed) {
        GraphCase c = RandomGraphs.draw(seed);
        try (ReferenceRuntime direct = new ReferenceRuntime();
                ReferenceRuntime expanded = new ReferenceRuntime(true)) {
            Weights w = c.asWeights();
            Scope scope = Scope.root("property");
            var p = direct.compile(c.graph(), w, Precision.FP32);
            var q = expanded.compile(c.graph(), w, Precision.FP32);
            var options = RunOptions.DEFAULT;
            TensorAssertions.assertClose(
                    q.run(c.inputs(), q.newState(scope), options, scope),
                    p.run(c.inputs(), p.newState(scope), options, scope),
                    1e-3,
                    c);
            scope.close();
        }
    }

    @Example
    void equalSeedsDrawEqualCases() {
        for (Class<? extends Op> op : Op.all()) {
            assertThat(OperatorCases.draw(op, 3))
                    .hasToString(OperatorCases.draw(op, 3).toString());
        }
        assertThat(RandomGraphs.draw(5)).hasToString(RandomGraphs.draw(5).toString());
    }
}
