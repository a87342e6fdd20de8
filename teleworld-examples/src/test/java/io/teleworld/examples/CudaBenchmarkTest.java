package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.runtime.Availability;
import io.teleworld.runtime.RuntimeRegistry;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class CudaBenchmarkTest {

    private final StringWriter out = new StringWriter();

    private int run(String... args) {
        CommandLine line = Cli.of(new CudaBenchmark());
        line.setOut(new PrintWriter(out, true));
        line.setErr(new PrintWriter(out, true));
        return line.execute(args);
    }

    @Test
    void withoutAGpuItSaysWhyAndExitsWithThree(@TempDir Path folder) throws Exception {
        var provider = RuntimeRegistry.load(getClass().getClassLoader()).get("cuda");
        if (provider.probe() instanceof Availability.Unavailable missing) {
            assertThat(run("gpu", "--out", folder.toString())).isEqualTo(3);
            assertThat(out.toString()).contains("Unavailable(" + missing.reason() + ")");
            assertThat(Files.readString(folder.resolve("gpu.json"))).contains("unavailable");
        }
    }

    @Test
    void everyWorkloadRunsOnTheHostAtTinySizes(@TempDir Path folder) throws Exception {
        int code = run(
                "gpu",
                "--runtime",
                "onnx",
                "--device",
                "cpu",
                "--precision",
                "fp32",
                "--tiny",
                "--repeats",
                "2",
                "--warm-up",
                "1",
                "--contexts",
                "3,5",
                "--out",
                folder.toString());
        assertThat(code).as(out.toString()).isZero();
        assertThat(out.toString())
                .contains("K = 3, transformer", "K = 5, with decoder", "guidance in each pass", "TAEHV", "p99/p50")
                .doesNotContain("failed");
        assertThat(Files.readString(folder.resolve("gpu.json")))
                .contains("framesPerSecond", "p99Millis", "teraflopsPerSecond");
    }

    @Test
    void aPredictionSaysThatItIsOne(@TempDir Path folder) throws Exception {
        int code = run(
                "predict",
                "--plan",
                "1000",
                "--populate1",
                "1000",
                "--populate2",
                "1000",
                "--decode",
                "0",
                "--reencode",
                "150",
                "--devices",
                "1,4",
                "--out",
                folder.toString());
        assertThat(code).as(out.toString()).isZero();
        assertThat(out.toString()).contains("PREDICTION");
        assertThat(Files.readString(folder.resolve("predict.json"))).contains("\"prediction\"", "predictedFrames");
    }

    @Test
    void wrongArgumentsAreNamed() {
        assertThat(run("gpu", "--contexts", "1")).isEqualTo(2);
        assertThat(run("predict")).isEqualTo(2);
        assertThat(out.toString()).contains("--contexts", "--plan");
    }
}
