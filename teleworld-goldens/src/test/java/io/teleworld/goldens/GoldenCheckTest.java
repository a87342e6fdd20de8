package io.teleworld.goldens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.teleworld.core.network.ParameterInit;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

final class GoldenCheckTest {

    @TempDir
    Path temp;

    private record Outcome(int code, String out, String err) {}

    private static Outcome check(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line =
                GoldenCheck.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        int code = line.execute(List.of(args).stream().map(Object::toString).toArray(String[]::new));
        return new Outcome(code, out.toString(), err.toString());
    }

    private static Path selection() throws URISyntaxException {
        return Path.of(Objects.requireNonNull(GoldenCheckTest.class.getResource("/goldens/schedulers.json"))
                        .toURI())
                .getParent();
    }

    /** All that are on the class path; {@code --runtime all} passes over those that cannot be used here. */
    static List<String> runtimes() {
        return RuntimeRegistry.load(GoldenCheckTest.class.getClassLoader()).names();
    }

    @Test
    void allMeansEveryRuntimeThatCanBeUsed() throws URISyntaxException {
        Outcome o = check(selection(), "--runtime", "all", "--cases", "wan_dit_t2v_tiny");
        assertThat(o.code()).as(o.out() + o.err()).isZero();
        assertThat(o.out()).contains("on reference in fp32").contains("on onnx in fp32");
    }

    @ParameterizedTest
    @MethodSource("runtimes")
    void theSelectionAgrees(String runtime) throws URISyntaxException {
        assumeThat(RuntimeRegistry.load(getClass().getClassLoader())
                        .get(runtime)
                        .probe())
                .isInstanceOf(Availability.Available.class);
        Outcome o = check(selection(), "--runtime", runtime, "--strict");
        assertThat(o.code()).as(o.out() + o.err()).isZero();
        assertThat(o.out()).contains("on " + runtime + " in fp32").contains("0 fail; 0 not checked");
    }

    @Test
    void eachLineTellsErrorsAndTolerance() throws URISyntaxException {
        Outcome o = check(selection(), "--cases", "wan_dit_t2v_tiny");
        assertThat(o.out())
                .containsPattern(
                        "ok +wan_dit_t2v_tiny +\\d+ results; worst out\\S*: max \\S+, relative \\S+, tolerance max_rel 1\\.0e-04");
    }

    /** One limit for all that the files limit in bf16; too small a one fails in fp32, too. */
    @Test
    void oneLimitReplacesThoseOfTheFiles() throws URISyntaxException {
        Outcome wide = check(selection(), "--cases", "wan_dit_t2v_tiny|schedulers", "--relative", "0.05");
        assertThat(wide.code()).as(wide.out()).isZero();
        assertThat(wide.out()).contains("tolerance rel_l2 5.0e-02");
        Outcome narrow = check(selection(), "--cases", "wan_dit_t2v_tiny", "--relative", "1e-12", "--device", "cpu");
        assertThat(narrow.code()).isEqualTo(GoldenCheck.FAILED);
    }

    @Test
    void aWrongNumberIsFoundAndNamed() throws IOException, URISyntaxException {
        copy("wan_dit_t2v_tiny.json");
        Map<String, HostTensor> tensors = tensors("wan_dit_t2v_tiny.safetensors");
        float[] sample = Objects.requireNonNull(tensors.get("out.sample")).toFloatArray();
        sample[17] += 0.01f;
        tensors.put("out.sample", HostTensor.ofFloats(sample, 1, 16, 3, 8, 12));
        Safetensors.write(temp.resolve("wan_dit_t2v_tiny.safetensors"), tensors, Map.of());
        Outcome o = check(temp);
        assertThat(o.code()).isEqualTo(GoldenCheck.FAILED);
        assertThat(o.out()).contains("FAIL wan_dit_t2v_tiny").contains("FAIL out.sample: max 1.0e-02");
    }

    @Test
    void aMissingTensorFailsTheCaseAndNotTheProgram() throws IOException, URISyntaxException {
        copy("wan_dit_t2v_tiny.json");
        Map<String, HostTensor> tensors = tensors("wan_dit_t2v_tiny.safetensors");
        tensors.remove("weights.proj_out.bias");
        Safetensors.write(temp.resolve("wan_dit_t2v_tiny.safetensors"), tensors, Map.of());
        Outcome o = check(temp);
        assertThat(o.code()).isEqualTo(GoldenCheck.FAILED);
        assertThat(o.out()).contains("FAIL wan_dit_t2v_tiny").contains("proj_out.bias");
    }

    @Test
    void anUnknownKindIsListedAndOnlyStrictMinds() throws IOException {
        Files.writeString(temp.resolve("other.json"), "{\"case\":\"other\",\"data\":{\"wheels\":4}}");
        Outcome o = check(temp);
        assertThat(o.code()).isZero();
        assertThat(o.out()).contains("other").contains("not checked").contains("wheels");
        assertThat(check(temp, "--strict").code()).isEqualTo(GoldenCheck.NOT_CHECKED);
    }

    @Test
    void otherShapesNeedNoOtherCode() throws IOException {
        VideoTransformerConfig c = new VideoTransformerConfig(
                List.of(1, 2, 2),
                3,
                8,
                8,
                8,
                20,
                64,
                40,
                1,
                true,
                VideoTransformerConfig.RMS_ACROSS_HEADS,
                1e-6,
                null,
                null,
                1024,
                null,
                7,
                0);
        Graph graph = VideoTransformer.plainGraph(c, 6, 10, TimestepPer.SAMPLE);
        Map<String, HostTensor> tensors = new HashMap<>();
        ParameterInit init = ParameterInit.empty().with(".*", new ParameterInit.Rule.Normal(0.2));
        Map<String, HostTensor> weights = new HashMap<>();
        init.draw(graph, 3).forEach((n, v) -> {
            HostTensor t = HostTensor.ofFloats(
                    v, Objects.requireNonNull(graph.parameters().get(n)).shape().known());
            weights.put(n, t);
            tensors.put("weights." + n, t);
        });
        HostTensor x = HostTensor.ofFloats(noise(2 * 8 * 5 * 6 * 10, 1), 2, 8, 5, 6, 10);
        HostTensor text = HostTensor.ofFloats(noise(2 * 7 * 20, 2), 2, 7, 20);
        HostTensor t = HostTensor.ofFloats(new float[] {250, 875}, 2);
        tensors.put("in.hidden_states", x);
        tensors.put("in.encoder_hidden_states", text);
        tensors.put("in.timestep", t);
        try (TensorRuntime r = RuntimeRegistry.load(getClass().getClassLoader())
                        .get("onnx")
                        .create(RuntimeOptions.cpu());
                Scope scope = Scope.root("test")) {
            Program p = r.compile(graph, Weights.of(weights), Precision.FP32);
            Map<String, HostTensor> in = Map.of(
                    "latents", x, "text", text, "timestep", t, "positions", Latents.positions(List.of(0, 1, 2, 3, 4)));
            float[] v = Objects.requireNonNull(p.run(in, p.newState(scope), RunOptions.DEFAULT, scope)
                            .get("velocity"))
                    .toFloatArray();
            tensors.put("out.sample", HostTensor.ofFloats(v, 2, 8, 5, 6, 10));
        }
        Safetensors.write(temp.resolve("mine.safetensors"), tensors, Map.of());
        Files.writeString(temp.resolve("mine.json"), """
                {"config": {"_class_name": "WanTransformer3DModel", "patch_size": [1, 2, 2], "num_attention_heads": 3,
                 "attention_head_dim": 8, "in_channels": 8, "out_channels": 8, "text_dim": 20, "freq_dim": 64,
                 "ffn_dim": 40, "num_layers": 1},
                 "tolerance": {"fp32": {"out.*": {"max_rel": 0.0001}}}}
                """);
        Outcome o = check(temp, "--strict");
        assertThat(o.code()).as(o.out() + o.err()).isZero();
        assertThat(o.out()).contains("1 agree");
    }

    @Test
    void wrongArgumentsAreExplained() throws URISyntaxException {
        Outcome folder = check(temp.resolve("nowhere"));
        assertThat(folder.code()).isEqualTo(2);
        assertThat(folder.err()).contains("nowhere is not a folder");
        Outcome empty = check(temp);
        assertThat(empty.code()).isEqualTo(2);
        assertThat(empty.err()).contains("no such golden files");
        Outcome runtime = check(selection(), "--runtime", "abacus");
        assertThat(runtime.code()).isEqualTo(2);
        assertThat(runtime.err()).contains("abacus").contains("onnx").contains("reference");
        Outcome precision = check(selection(), "--precision", "fp16");
        assertThat(precision.code()).isEqualTo(2);
        assertThat(precision.err()).contains("reference cannot compute in FP16");
    }

    private void copy(String name) throws IOException, URISyntaxException {
        Files.copy(selection().resolve(name), temp.resolve(name));
    }

    private static Map<String, HostTensor> tensors(String name) throws URISyntaxException {
        Safetensors s = Safetensors.open(selection().resolve(name));
        Map<String, HostTensor> out = new HashMap<>();
        s.names().forEach(n -> out.put(n, s.tensor(n)));
        return out;
    }

    private static float[] noise(int n, long seed) {
        java.util.SplittableRandom random = new java.util.SplittableRandom(seed);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) random.nextGaussian();
        }
        return v;
    }
}
