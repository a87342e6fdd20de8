package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.core.weights.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Timeout(120)
class BlockReportTest {

    @TempDir
    private Path out = Path.of(".");

    private CliRun block(String... args) {
        List<String> all = new ArrayList<>(List.of("block"));
        String folder = out.toString();
        Map<String, String> small = new LinkedHashMap<>(Map.of("--model-shape", "tiny", "--height", "32"));
        small.putAll(Map.of("--width", "48", "--threads", "1", "--out", folder));
        small.keySet().removeAll(Arrays.asList(args));
        small.forEach((option, value) -> all.addAll(List.of(option, value)));
        all.addAll(Arrays.asList(args));
        return CliRun.of(new Evaluate(), all.toArray(String[]::new));
    }

    private JsonNode report(String... args) throws IOException {
        CliRun run = block(args);
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        return JsonMapper.shared().readTree(Files.readString(out.resolve("block.json")));
    }

    @Test
    void runtimesMakeTheSameBlocks() throws IOException {
        String release = out.resolve("release").toString();
        Path first = out.resolve("onnx.safetensors");
        JsonNode onnx = report("--blocks", "2", "--release", release, "--save", first.toString());
        assertThat(onnx.at("/secondsPerPass").size()).isEqualTo(10);
        assertThat(onnx.at("/finite").asBoolean()).isTrue();
        assertThat(onnx.at("/withinLimit").asBoolean()).isTrue();
        assertThat(onnx.at("/tokens").asInt()).isEqualTo(3 * 2 * 3);
        assertThat(onnx.at("/estimate/stateBytes").asLong()).isEqualTo(6L * 2 * 3 * 24 * 4 * 2 * 2);
        assertThat(Safetensors.open(first).shape("latents")).containsExactly(2, 16, 3, 4, 6);
        assertThat(out.resolve("release/transformer/diffusion_pytorch_model.safetensors.index.json"))
                .exists();

        JsonNode djl = report("--blocks", "2", "--release", release, "--runtime", "djl", "--compare", first.toString());
        assertThat(djl.at("/relativeError").asDouble()).isBetween(0.0, 1e-5);
        JsonNode narrow = report(
                "--blocks", "2", "--release", release, "--precision", "int8_linear", "--compare", first.toString());
        assertThat(narrow.at("/relativeError").asDouble()).isBetween(0.0, 0.3);
    }

    @Test
    void temporaryWeightsAreDeleted() throws IOException {
        CliRun run = block("--layers", "1");
        assertThat(run.code()).as(run.err()).isEqualTo(Cli.OK);
        String folder = run.out()
                .lines()
                .filter(l -> l.startsWith("weights: "))
                .map(l -> l.substring("weights: ".length(), l.indexOf(',')))
                .findFirst()
                .orElseThrow();
        assertThat(Path.of(folder)).doesNotExist();
    }

    @Test
    void tooMuchIsRefusedWithBothNumbersBeforeAnythingIsWritten() {
        Path release = out.resolve("large");
        CliRun run = block("--model-shape", "14B", "--limit", "3", "--release", release.toString());
        assertThat(run.code()).isEqualTo(Cli.FAILED);
        assertThat(run.err())
                .containsPattern("The block needs about 5[0-9]\\.[0-9]+ GiB of memory")
                .contains("but 3.00 GiB are available");
        assertThat(release).doesNotExist();
    }

    @Test
    void whatDoesNotFitIsRefused() throws IOException {
        block("--height", "33").refusedWith("--height", "33", "multiples of 16");
        block("--model-shape", "7B").refusedWith("--model-shape is 7B");
        block("--blocks", "0").refusedWith("--blocks is 0");
        String release = out.resolve("seeded").toString();
        report("--release", release, "--save", out.resolve("a").toString());
        block("--release", release, "--seed", "1").refusedWith("holds other weights");
        block(
                        "--release",
                        release,
                        "--blocks",
                        "2",
                        "--compare",
                        out.resolve("a").toString())
                .refusedWith("holds no latents of shape [2, 16, 3, 4, 6]");
    }
}
