package io.teleworld.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.InputStream;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxExportTest {

    private static final int WIDTH = 64;

    /** y = x·Wᵀ + total, which the run adds to the register. */
    private static Graph graph() {
        GraphBuilder g = new GraphBuilder("exported");
        State.Register total = new State.Register("total", DType.F32, Shape.of(WIDTH));
        Value x = g.input("x", DType.F32, Dim.symbol("tokens"), Dim.of(WIDTH));
        Value y = g.add(g.linear(x, g.parameter("layer.weight", WIDTH, WIDTH), null), g.readState(total));
        g.output("y", y);
        g.writeState(total, g.reduceSum(y, false, 0));
        return g.build();
    }

    /** Twice the identity. */
    private static Weights weights() {
        float[] w = new float[WIDTH * WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            w[i * WIDTH + i] = 2;
        }
        return Weights.of(Map.of("layer.weight", HostTensor.ofFloats(w, WIDTH, WIDTH)));
    }

    private static void requireRuns(Path file, float tolerance) throws Exception {
        OrtEnvironment env = OnnxEnvironment.get();
        float[] x = new float[2 * WIDTH];
        x[3] = 5;
        x[WIDTH + 3] = -1;
        float[] held = new float[WIDTH];
        held[3] = 100;
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions();
                OrtSession session = env.createSession(file.toString(), options);
                OnnxTensor in = OnnxTensor.createTensor(env, FloatBuffer.wrap(x), new long[] {2, WIDTH});
                OnnxTensor state = OnnxTensor.createTensor(env, FloatBuffer.wrap(held), new long[] {WIDTH})) {
            assertThat(session.getInputNames()).containsExactly("x", "state/total");
            assertThat(session.getOutputNames()).containsExactly("y", "next_state/total");
            try (OrtSession.Result result = session.run(Map.of("x", in, "state/total", state))) {
                float[][] y = (float[][]) result.get(0).getValue();
                float[] next = (float[]) result.get(1).getValue();
                assertThat(y[0][3]).isCloseTo(110, within(tolerance));
                assertThat(y[1][3]).isCloseTo(98, within(tolerance));
                assertThat(next[3]).isCloseTo(208, within(2 * tolerance));
                assertThat(next[4]).isCloseTo(0, within(2 * tolerance));
            }
        }
    }

    private static ModelProto read(Path file) throws Exception {
        try (InputStream in = Files.newInputStream(file)) {
            return ModelProto.parseFrom(in);
        }
    }

    @Test
    void oneFileThatOthersRun(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("net.onnx");
        OnnxExport.write(graph(), weights(), Precision.FP32, file);
        requireRuns(file, 1e-4f);
        ModelProto m = read(file);
        assertThat(m.getOpsetImport(0).getVersion()).isEqualTo(23);
        assertThat(m.getGraph().getName()).isEqualTo("exported");
        assertThat(m.getGraph()
                        .getInput(0)
                        .getType()
                        .getTensorType()
                        .getShape()
                        .getDim(0)
                        .getDimParam())
                .isEqualTo("tokens");
        assertThat(folder).isDirectoryNotContaining("glob:**.data");
    }

    @Test
    void int8(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("net.onnx");
        OnnxExport.write(graph(), weights(), Precision.INT8_LINEAR, file);
        requireRuns(file, 0.1f);
        assertThat(read(file).getGraph().getNodeList())
                .anyMatch(n -> n.getOpType().equals("MatMulIntegerToFloat"));
    }

    @Test
    void largeWeightsLieBeside(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("net.onnx");
        OnnxExport.write(graph(), weights(), Precision.FP32, file, 1000);
        assertThat(Files.size(file)).isLessThan(4000);
        assertThat(Files.size(folder.resolve("net.onnx.data"))).isEqualTo(4L * WIDTH * WIDTH);
        requireRuns(file, 1e-4f);
    }

    @Test
    void refusals(@TempDir Path folder) {
        Path file = folder.resolve("no").resolve("net.onnx");
        assertThatThrownBy(() -> OnnxExport.write(graph(), weights(), Precision.FP32, file))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining(file.toString());
        assertThatThrownBy(() -> OnnxExport.write(graph(), Weights.of(Map.of()), Precision.FP32, file))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("layer.weight");
        assertThatThrownBy(() -> OnnxExport.write(graph(), weights(), Precision.FP16, file))
                .isInstanceOf(TeleWorldException.class)
                .hasMessageContaining("FP16");
    }
}
