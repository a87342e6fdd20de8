package io.teleworld.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.runtime.Availability;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class OnnxEnvironmentTest {

    /** What the child runs: exit code 0 where the runtime is there. */
    static final class Probe {
        private Probe() {}

        public static void main(String... args) {
            boolean there = new OnnxRuntimeProvider().probe() instanceof Availability.Available;
            Runtime.getRuntime().halt(there ? 0 : 1);
        }
    }

    /** A process's own command line is fixed, so another process tries. */
    @Test
    void aLongCommandLineDoesNotEndTheProcess() throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Probe.class.getName(),
                "x".repeat(100_000));
        // Each of them would keep ONNX Runtime from looking at its command line.
        builder.environment()
                .keySet()
                .removeAll(
                        List.of("CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS"));
        Process process = builder.redirectErrorStream(true).start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(50, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).as(output).isZero();
        } finally {
            process.destroyForcibly();
        }
    }
}
