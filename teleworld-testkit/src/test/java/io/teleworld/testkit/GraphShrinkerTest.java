package io.teleworld.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.LongStream;
import net.jqwik.api.Shrinkable;
import org.junit.jupiter.api.Test;

class GraphShrinkerTest {

    private static GraphCase first(Predicate<GraphCase> wanted) {
        return LongStream.range(0, 2000)
                .mapToObj(RandomGraphs::draw)
                .filter(c -> c.graph().nodes().size() > 5)
                .filter(wanted)
                .findFirst()
                .orElseThrow();
    }

    private static boolean has(GraphCase c, Class<? extends Op> op) {
        return c.graph().nodes().stream().anyMatch(n -> op.isInstance(n.op()));
    }

    /** A softmax of a value that another operator of the same graph made. */
    private static boolean softmaxOfSomethingMade(GraphCase c) {
        Set<Value> made = new HashSet<>();
        for (Node n : c.graph().nodes()) {
            if (n.op() instanceof Op.Softmax && made.contains(n.inputs().get(0))) {
                return true;
            }
            made.addAll(n.outputs());
        }
        return false;
    }

    @Test
    void aFaultOfOneOperatorShrinksToThatOperator() {
        GraphCase c = first(g -> has(g, Op.Softmax.class));
        GraphCase least = GraphShrinker.shrink(c, g -> has(g, Op.Softmax.class));
        assertThat(least.graph().nodes()).hasSize(1);
        assertThat(least.describe()).contains("Softmax", c.label(), " = ");
    }

    @Test
    void aFaultOfTwoOperatorsShrinksToThoseThatMatter() {
        GraphCase c = first(GraphShrinkerTest::softmaxOfSomethingMade);
        GraphCase least = GraphShrinker.shrink(c, GraphShrinkerTest::softmaxOfSomethingMade);
        assertThat(least.graph().nodes().size())
                .isGreaterThanOrEqualTo(2)
                .isLessThan(c.graph().nodes().size());
        assertThat(GraphShrinker.smaller(least)).noneMatch(GraphShrinkerTest::softmaxOfSomethingMade);
    }

    @Test
    void propertiesShrinkTowardsFewerNodes() {
        Shrinkable<GraphCase> drawn = RandomGraphs.arbitrary().generator(100).next(new Random(3));
        assertThat(drawn.value().graph().nodes()).hasSizeGreaterThan(1);
        assertThat(drawn.shrink())
                .isNotEmpty()
                .allSatisfy(smaller -> assertThat(smaller.distance()).isLessThan(drawn.distance()));
    }

    @Test
    void everyCutRuns() {
        try (ReferenceRuntime reference = new ReferenceRuntime()) {
            for (long seed = 0; seed < 40; seed++) {
                GraphShrinker.smaller(RandomGraphs.draw(seed)).forEach(c -> {
                    try (Program p = reference.compile(c.graph(), c.asWeights(), Precision.FP32);
                            Scope scope = Scope.root("cut")) {
                        assertThat(p.run(c.inputs(), p.newState(scope), RunOptions.DEFAULT, scope))
                                .isNotEmpty();
                    }
                });
            }
        }
    }

    @Test
    void randomGraphsAreDeepMixedAndSymbolic() {
        Map<String, Integer> seen = new java.util.TreeMap<>();
        for (long seed = 0; seed < 300; seed++) {
            GraphCase c = RandomGraphs.draw(seed);
            c.graph().nodes().forEach(n -> {
                seen.merge(n.op().name(), 1, Integer::sum);
                n.outputs().forEach(v -> {
                    seen.merge(v.dtype().name(), 1, Integer::sum);
                    v.shape().symbols().forEach(s -> seen.merge("symbol " + s, 1, Integer::sum));
                });
            });
            seen.merge("depth " + Math.min(12, c.graph().nodes().size()), 1, Integer::sum);
        }
        assertThat(seen)
                .containsKeys("symbol n", "symbol length", "depth 1", "depth 12")
                .containsKeys(DType.F32.name(), DType.I64.name(), DType.I32.name(), DType.BOOL.name())
                .containsKeys("Attention", "Where", "Gather", "Split", "MemoryBlock", "NormedRotary", "Conv", "Equal");
    }
}
