package io.teleworld.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.RunTimes;
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
        String all = "gpu --runtime onnx --device cpu --precision fp32 --baseline none --tiny --repeats 2 --warm-up 1"
                + " --contexts 3,5 --out ";
        assertThat(run((all + folder).split(" "))).as(out.toString()).isZero();
        assertThat(out.toString())
                .contains("K = 3, transformer", "K = 5, to RGB", "guidance in each pass", "TAEHV", "p99/p50")
                .contains("Java bytes each", "largest of 2")
                .doesNotContain("failed");
        assertThat(Files.readString(folder.resolve("gpu.json")))
                .contains("framesPerSecond", "p99Millis", "teraflopsPerSecond");
        assertThat(run("predict", "--from", folder.resolve("gpu.json").toString(), "--out", folder.toString()))
                .as(out.toString())
                .isZero();
        assertThat(Files.readString(folder.resolve("predict.json")))
                .contains("fp32, no guidance, as decoded", "fp32, guidance K/V once, enlarged");
    }

    /** The oracle is the baseline here: both must compute the same. */
    @Test
    void aBaselineTakesTurnsAndAgrees(@TempDir Path folder) throws Exception {
        String beside =
                "gpu --runtime onnx --device cpu --precision fp32 --baseline reference --baseline-precision fp32"
                        + " --tiny --repeats 2 --baseline-repeats 1 --warm-up 0 --contexts 6 --workloads block --out ";
        assertThat(run((beside + folder).split(" "))).as(out.toString()).isZero();
        assertThat(out.toString())
                .contains("times as long as onnx fp32")
                .containsPattern("velocities differ by \\d\\.\\de-0[5-9]")
                .doesNotContain("failed");
        assertThat(Files.readString(folder.resolve("gpu.json"))).contains("timesFasterLower", "relativeDifference");
    }

    @Test
    void aBaselineThatIsNotThereIsSaidAndLeftOut(@TempDir Path folder) throws Exception {
        int code = run(
                "gpu",
                "--runtime",
                "onnx",
                "--device",
                "cpu",
                "--precision",
                "fp32",
                "--baseline",
                "abacus",
                "--tiny",
                "--repeats",
                "1",
                "--warm-up",
                "0",
                "--workloads",
                "product",
                "--out",
                folder.toString());
        assertThat(code).as(out.toString()).isZero();
        assertThat(out.toString()).contains("baseline: Unavailable(no runtime is named 'abacus'", "8 products 64³");
    }

    /** 200 times as long, and half of the samples 100 times: the median and its interval say so. */
    @Test
    void ratiosHaveAnInterval() {
        GpuTimes one = new GpuTimes(new double[] {1, 1, 1}, 0);
        GpuTimes.Ratio r = one.slowdownOf(new GpuTimes(new double[] {200, 100, 200, 100}, 0));
        assertThat(r.ratio()).isEqualTo(150);
        assertThat(r.lower()).isEqualTo(100);
        assertThat(r.upper()).isEqualTo(200);
        assertThat(one.slowdownOf(one).ratio()).isEqualTo(1);
    }

    /** 3 blocks of 5 runs of 2 ms with 20 µs of host time, and 3 decodings of 10 ms with 100 µs. */
    @Test
    void hostTimeIsToldPerBlock() {
        RunTimes blocks = new RunTimes(3, 1, 3 * 20_000_000, 3 * 200_000);
        assertThat(GpuWorkloads.HostShare.of(blocks).text())
                .isEqualTo("host ms 0.200, device ms 20.00 a block, host 1.00 % of device (target ≤ 2 %: met)");
        RunTimes slow = new RunTimes(3, 1, 3 * 20_000_000, 3 * 1_100_000);
        assertThat(GpuWorkloads.HostShare.of(slow).text()).contains("host 5.50 % of device", "missed");
        assertThat(GpuWorkloads.HostShare.of(slow.since(slow)).text()).contains("no run was replayed");
    }

    @Test
    void p99OfAHundredIsNotTheLargest() {
        double[] ms =
                java.util.stream.IntStream.rangeClosed(1, 100).asDoubleStream().toArray();
        GpuTimes t = new GpuTimes(ms, 0);
        assertThat(t.p99()).isEqualTo(99);
        assertThat(t.text()).contains("p99 99.00").doesNotContain("largest of");
        assertThat(new GpuTimes(new double[] {1, 5, 2}, 0).text()).contains("largest of 3 5.00");
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
    void parityComparesWithTheOracleAndNamesItsSeed(@TempDir Path folder) {
        String parity = "gpu --parity --small --runtime onnx --device cpu --seed 12 --out ";
        assertThat(run((parity + folder).split(" "))).as(out.toString()).isZero();
        assertThat(out.toString())
                .contains("seed 12", "all agree")
                .containsPattern("FP32: (\\d+) of \\1 cases")
                .containsPattern("INT8_LINEAR: (\\d+) of \\1 cases");
    }

    @Test
    void wrongArgumentsAreNamed() {
        assertThat(run("gpu", "--contexts", "1")).isEqualTo(2);
        assertThat(run("gpu", "--precision", "fp7")).isEqualTo(2);
        assertThat(run("gpu", "--workloads", "chess")).isEqualTo(2);
        assertThat(run("predict")).isEqualTo(2);
        assertThat(run("predict", "--from", "nowhere.json")).isEqualTo(2);
        assertThat(out.toString()).contains("--contexts", "--plan", "'fp7' is unknown", "chess", "nowhere.json");
    }
}
