package io.teleworld.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WeightsTest {

    private static Graph graph() {
        GraphBuilder b = new GraphBuilder("g");
        b.output("y", b.parameter("w", 2, 3));
        return b.build();
    }

    /** Weights that cannot be read. */
    private record Described(TensorType w) implements Weights {
        @Override
        public Set<String> names() {
            return Set.of("w");
        }

        @Override
        public HostTensor get(String name) {
            throw new AssertionError("read " + name);
        }

        @Override
        public TensorType type(String name) {
            return w;
        }
    }

    @Test
    void aMapTellsTypes() {
        Weights w = Weights.of(Map.of("w", HostTensor.zeros(DType.BF16, 2, 3)));
        assertThat(w.type("w")).isEqualTo(new TensorType(DType.BF16, Shape.of(2, 3)));
        assertThatThrownBy(() -> w.type("v")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void weightsAreCheckedWithoutReadingThem() {
        ProgramChecks.requireWeights(graph(), new Described(new TensorType(DType.F16, Shape.of(2, 3))));
        assertThatThrownBy(() ->
                        ProgramChecks.requireWeights(graph(), new Described(new TensorType(DType.F32, Shape.of(3, 2)))))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContainingAll("weight w is F32[3,2]", "declares F32[2,3]");
        assertThatThrownBy(() ->
                        ProgramChecks.requireWeights(graph(), new Described(new TensorType(DType.I64, Shape.of(2, 3)))))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("allowed are F32, F16 and BF16");
    }
}
