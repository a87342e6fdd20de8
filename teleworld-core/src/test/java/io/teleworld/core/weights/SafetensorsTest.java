package io.teleworld.core.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SafetensorsTest {

    @TempDir
    Path dir;

    private static final HostTensor W = HostTensor.ofFloats(new float[] {1.5f, -2, 0.25f, 4, 0, -0.5f}, 2, 3);

    @Test
    void whatIsWrittenIsRead() throws IOException {
        Path file = dir.resolve("a.safetensors");
        HostTensor half = Conversions.convert(HostTensor.ofFloats(new float[] {1, 2, 3}, 3), DType.F16);
        Safetensors.write(
                file, Map.of("w", W, "h", half, "n", HostTensor.ofLongs(new long[] {7}, 1)), Map.of("k", "v"));
        for (Safetensors s : List.of(Safetensors.open(file), Safetensors.of("a", Files.readAllBytes(file)))) {
            assertThat(s.names()).containsExactly("h", "n", "w");
            assertThat(s.metadata()).containsExactly(Map.entry("k", "v"));
            assertThat(s.tensor("w").toFloatArray()).isEqualTo(W.toFloatArray());
            assertThat(s.tensor("w").shape()).containsExactly(2, 3);
            assertThat(Conversions.convert(s.tensor("h"), DType.F32).toFloatArray())
                    .containsExactly(1, 2, 3);
            assertThatThrownBy(() -> s.tensor("x")).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void narrowWeightsComeWide() throws IOException {
        Conversions.Int8 q = Conversions.quantise(W);
        Path file = dir.resolve("q.safetensors");
        HostTensor fp8 = HostTensor.wrap(
                DType.F8_E4M3,
                ByteBuffer.allocateDirect(2).put(new byte[] {0x38, (byte) 0xC0}).flip(),
                2);
        Safetensors.write(file, Map.of("w", q.values(), "w.scale", q.scale(), "f", fp8), Map.of());
        WeightFiles weights = WeightFiles.of("q", List.of(Safetensors.open(file)));
        assertThat(weights.names()).containsExactly("f", "w");
        assertThat(weights.get("w").toFloatArray()).containsExactly(W.toFloatArray(), within(4 / 254f + 1e-6f));
        assertThat(weights.get("f").toFloatArray()).containsExactly(1, -2);
        for (String name : weights.names()) {
            assertThat(weights.type(name)).isEqualTo(new TensorType(DType.F32, Shape.of(weights.shape(name))));
            assertThat(weights.get(name).dtype()).isEqualTo(DType.F32);
        }
        WeightFiles renamed = weights.renamed(n -> "x." + n);
        assertThat(renamed.names()).containsExactly("x.f", "x.w");
        assertThat(renamed.get("x.w").toFloatArray()).isEqualTo(weights.get("w").toFloatArray());
    }

    @Test
    void theSetOfWeightsMustBeTheGraphs() throws IOException {
        Path file = dir.resolve("w.safetensors");
        Safetensors.write(file, Map.of("w", W, "extra", W), Map.of());
        WeightFiles weights = WeightFiles.of("net/", List.of(Safetensors.open(file)));
        GraphBuilder b = new GraphBuilder("g");
        b.output("y", b.add(b.parameter("w", 3, 2), b.parameter("missing", 2)));
        assertThatThrownBy(() -> weights.requireExactly(b.build()))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage("net/: 1 missing: missing; 1 unexpected: extra; 1 of another shape:"
                        + " w is [2, 3] instead of [3, 2]; 12 parameters instead of 8");
    }

    @Test
    void infinitiesAndNanAreRefused() throws IOException {
        Path file = dir.resolve("n.safetensors");
        Safetensors.write(file, Map.of("w", HostTensor.ofFloats(new float[] {1, Float.NaN}, 2)), Map.of());
        WeightFiles weights = WeightFiles.of("net/", List.of(Safetensors.open(file)));
        assertThatThrownBy(weights::requireFinite)
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("weight w, element 1 is NaN");
    }

    @Test
    void contradictionsAreRefusedWithTheirPlace() {
        refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "offset 62", "truncated");
        refused(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}",
                8,
                "8 bytes are given",
                "needs 4",
                "offset 9");
        refused("{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a", "F33");
        refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape", "≥ 0");
        refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "data_offsets", "≥ 0");
        refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "data_offsets", "[begin, end]");
        refused(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                        + "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
                6,
                "tensor b",
                "overlaps");
        refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", 6, "tensor a", "gap");
        refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 9, "5 bytes", "no tensor");
        refused(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                        + "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                1,
                "offset 6",
                "uplicate");
        refused(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}",
                4,
                "tensor a",
                "too large");
        refused(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                        + "\"b\":{\"shape\":[1],\"data_offsets\":[4,8]}}",
                8,
                "offset 62: tensor b: dtype is ''");
        refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "unknown key 'x'");
        refused("{\"a\":7}", 0, "offset 9: tensor a", "not an object");
        refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 0, "data_offsets is missing");
        refused("{\"a\":" + "[".repeat(100_000), 0, "offset ", "not JSON", "nesting");
        refused("{} {}", 0, "offset ", "not JSON");
        refused("[1]", 0, "offset 8", "not a JSON object");
        assertThatThrownBy(() -> Safetensors.of("f", new byte[7]))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("7 bytes");
        byte[] huge = ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(Long.MAX_VALUE)
                .array();
        assertThatThrownBy(() -> Safetensors.of("f", huge))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("offset 0");
        assertThatThrownBy(() -> Safetensors.open(dir.resolve("nothing")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("nothing");
    }

    private static void refused(String header, int data, String... inMessage) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer b = ByteBuffer.allocate(8 + json.length + data).order(ByteOrder.LITTLE_ENDIAN);
        b.putLong(json.length).put(json);
        assertThatThrownBy(() -> Safetensors.of("bad.safetensors", b.array()))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("bad.safetensors")
                .hasMessageContainingAll(inMessage);
    }
}
