package io.teleworld.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GraphBuilderTest {

    private final GraphBuilder b = new GraphBuilder("g");
    private final Value x = b.input("x", DType.F32, Dim.symbol("n"), Dim.of(4));

    @Test
    void declarationsAreUnique() {
        Value w = b.parameter("w", 4, 4);
        assertThat(b.parameter("w", 4, 4)).isSameAs(w);
        assertThatThrownBy(() -> b.parameter("w", 4))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("w");
        assertThatThrownBy(() -> b.input("w", DType.F32, Dim.of(1))).isInstanceOf(GraphException.class);
        assertThatThrownBy(() -> b.input("x", DType.F32, Dim.of(1)))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("twice");
        assertThatThrownBy(() -> b.parameter("s", DType.F32, x.shape()))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("symbols");
        b.output("y", x);
        assertThatThrownBy(() -> b.output("y", x))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("y");
    }

    @Test
    void foreignValuesAreRefused() {
        Value other = new GraphBuilder("other").input("z", DType.F32, Dim.of(4));
        assertThatThrownBy(() -> b.add(x, other))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("z")
                .hasMessageContaining("does not belong to graph g");
    }

    @Test
    void statesAreDeclaredOnceAndWrittenOnce() {
        State.Register r = new State.Register("r", DType.F32, Shape.of(4));
        Value v = b.readState(r);
        b.writeState(r, v);
        assertThatThrownBy(() -> b.writeState(r, v))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("twice");
        assertThatThrownBy(() -> b.readState(new State.Register("r", DType.F32, Shape.of(5))))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("r");
    }

    @Test
    void aGraphNeedsAResult() {
        assertThatThrownBy(b::build).isInstanceOf(GraphException.class).hasMessageContaining("neither");
        b.output("y", x);
        b.build();
        assertThatThrownBy(() -> b.relu(x))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("built");
        assertThatThrownBy(b::build).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void nodesAreInOrderWithUniqueNames() {
        b.push("block.0");
        Value y = b.silu(b.linear(x, b.parameter("w", 4, 4), null));
        b.pop();
        b.output("y", b.relu(y));
        Graph g = b.build();
        assertThat(g.nodes()).extracting(Node::name).doesNotHaveDuplicates();
        assertThat(g.nodes().get(0).name()).startsWith("block.0.Linear");
        assertThat(g.nodes().get(2).name()).startsWith("Relu");
        assertThat(g.inputSymbols()).containsExactly("n");
        assertThat(g.toString()).contains("input x: F32[n,4]").contains("output y");
    }

    @Test
    void expansionKeepsTheInterfaceAndWhatItIsToldTo() {
        State.FrameCache c = new State.FrameCache("c", "self", DType.F32, Shape.of(4), 2);
        Value y = b.silu(b.linear(x, b.parameter("w", 4, 4), b.parameter("bias", 4)));
        b.writeState(c, y);
        b.output("y", b.add(y, b.constant(new float[] {1, 2, 3, 4}, 4)));
        Graph g = b.build();
        Graph all = g.expand(op -> false);
        assertThat(all.nodes()).noneMatch(n -> n.op() instanceof Op.Composite);
        assertThat(all.nodes()).extracting(Node::name).doesNotHaveDuplicates();
        assertThat(all.inputs()).containsOnlyKeys("x");
        assertThat(all.parameters()).containsOnlyKeys("w", "bias");
        assertThat(all.outputs()).containsOnlyKeys("y");
        assertThat(all.outputs().values())
                .extracting(Value::type)
                .containsExactlyElementsOf(
                        g.outputs().values().stream().map(Value::type).toList());
        assertThat(all.states()).isEqualTo(g.states());
        assertThat(all.cacheGroups()).containsExactly("self");
        Graph kept = g.expand(op -> op instanceof Op.Linear);
        assertThat(kept.nodes()).anyMatch(n -> n.op() instanceof Op.Linear).noneMatch(n -> n.op() instanceof Op.Silu);
    }

    @Test
    void valuesInsideCanBeGivenOut() {
        Value inner = b.relu(x);
        b.output("y", b.neg(inner));
        Graph g = b.build();
        Graph more = g.withOutputs(Map.of("inner", inner, "again", x));
        assertThat(more.outputs()).containsOnlyKeys("y", "inner", "again").containsEntry("inner", inner);
        assertThat(more.nodes()).isEqualTo(g.nodes());
        assertThat(g.outputs()).containsOnlyKeys("y");
        assertThatThrownBy(() -> g.withOutputs(Map.of("y", inner)))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("y is declared twice");
        Value other = new GraphBuilder("other").input("z", DType.F32, Dim.of(4));
        assertThatThrownBy(() -> g.withOutputs(Map.of("z", other)))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("z");
    }

    @Test
    void shapesAndConstants() {
        Shape s = Shape.of(2, 3);
        assertThat(s.with(-1, Dim.of(5))).isEqualTo(Shape.of(2, 5));
        assertThat(s.elementCount().known()).isEqualTo(6);
        assertThatThrownBy(() -> s.dim(2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("axis 2");
        assertThatThrownBy(() -> new Constant(HostTensor.zeros(DType.F16, 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("F16");
        Node two = new Node("two", new Op.Relu(), List.of(x), List.of(x, x));
        assertThatThrownBy(two::output)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("2 outputs");
    }
}
