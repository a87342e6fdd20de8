package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.driver.CudaDriver.Epilogue;
import io.teleworld.cuda.driver.CudaDriver.MatmulShape;
import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MatmulTunerTest {

    /** Algorithm 2 of three is the fastest. */
    private static final Double[] MILLIS = {3.0, 2.0, 1.0};

    @TempDir
    Path folder;

    /** Runs two layers of different shapes, one of them twice, on a new driver. */
    private RecordingDriver use(String device, int candidates) {
        return use(device, candidates, MILLIS);
    }

    private RecordingDriver use(String device, int candidates, Double... millis) {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        driver.algorithms(millis);
        driver.rename(device);
        GraphBuilder b = new GraphBuilder("layers");
        var x = b.linear(b.input("x", DType.F32, Dim.of(4), Dim.of(8)), b.parameter("w", 8, 8), null);
        x = b.linear(b.tanh(x), b.parameter("w", 8, 8), null);
        b.output("y", b.linear(b.tanh(x), b.parameter("v", 16, 8), null));
        Graph graph = b.build();
        Weights w = Weights.of(Map.of("w", HostTensor.zeros(DType.F32, 8, 8), "v", HostTensor.zeros(DType.F32, 16, 8)));
        try (TensorRuntime runtime =
                        CudaTensorRuntimeTest.open(driver, Set.of(), new MatmulTuner.Settings(folder, candidates));
                Program p = runtime.compile(graph, w, Precision.FP32);
                Scope scope = Scope.root("test")) {
            float[] y = p.run(
                            Map.of("x", HostTensor.zeros(DType.F32, 4, 8)),
                            p.newState(scope),
                            RunOptions.DEFAULT,
                            scope)
                    .get("y")
                    .toFloatArray();
            // Timing leaves nothing behind: the products of zeros are zeros.
            assertThat(y).containsOnly(0);
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
        return driver;
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.toList();
        }
    }

    /** Two shapes, each timed three times with one product before and five between the events. */
    private static void timed(RecordingDriver driver) {
        assertThat(driver.count("matmulAlgorithms")).isEqualTo(2);
        assertThat(driver.count("matmul") - driver.count("matmulAlgorithms")).isEqualTo(2 * 3 * 6 + 3);
        assertThat(driver.count("createMatmul with 2")).isEqualTo(2 * 2);
    }

    private static void notTimed(RecordingDriver driver) {
        assertThat(driver.count("matmulAlgorithms")).isZero();
        assertThat(driver.count("matmul")).isEqualTo(3);
        assertThat(driver.calls()).filteredOn(c -> c.startsWith("createMatmul")).containsOnly("createMatmul with 2");
    }

    @Test
    void theFastestIsTakenAndASecondRuntimeDoesNotTimeAgain() throws Exception {
        timed(use("A", 8));
        assertThat(files()).hasSize(1);
        notTimed(use("A", 8));
        assertThat(files()).hasSize(1);
    }

    @Test
    void aDamagedFileIsIgnoredAndWrittenAnew() throws Exception {
        use("A", 8);
        Path file = files().get(0);
        String whole = Files.readString(file);
        for (String damaged : List.of(
                "",
                "nonsense",
                whole.substring(0, whole.length() - 3),
                whole.replace("\t02\n", "\t01\n"),
                "\u0000\n" + whole)) {
            Files.writeString(file, damaged);
            timed(use("A", 8));
            assertThat(Files.readString(file)).isEqualTo(whole);
        }
    }

    @Test
    void anotherDevicesFileIsNotUsed() throws Exception {
        use("A", 8);
        Path ofA = files().get(0);
        timed(use("B", 8));
        assertThat(files()).hasSize(2);
        // Even under this device's name.
        Path ofB = files().stream().filter(f -> !f.equals(ofA)).findFirst().orElseThrow();
        Files.copy(ofA, ofB, StandardCopyOption.REPLACE_EXISTING);
        timed(use("B", 8));
        notTimed(use("A", 8));
    }

    @Test
    void anAlgorithmThatIsNotAcceptedIsReplaced() throws Exception {
        use("A", 8);
        String before = Files.readString(files().get(0));
        RecordingDriver fewer = use("A", 8, 3.0, 2.0);
        assertThat(fewer.count("matmulAlgorithms")).isEqualTo(2);
        assertThat(files()).hasSize(1);
        assertThat(before).contains("\t02\n");
        assertThat(Files.readString(files().get(0))).contains("\t01\n").doesNotContain("\t02\n");
    }

    @Test
    void withoutMemoryToTimeOnTheHeuristicsFirstIsTaken() throws Exception {
        RecordingDriver driver = new RecordingDriver(1L << 30, true);
        driver.algorithms(MILLIS);
        try (var context = driver.open(0);
                var stream = driver.createStream()) {
            assertThat(context).isNotNull();
            var tuner = new MatmulTuner(driver, driver.devices().get(0), new MatmulTuner.Settings(folder, 8));
            var shape = new MatmulShape(4, 8, 8, 1, 0, 0, 0, 0, true, DType.F32, DType.F32, Epilogue.NONE);
            tuner.create(shape, 1 << 10, null, stream).close();
            tuner.keep();
            assertThat(driver.count("createMatmul with")).isZero();
            assertThat(files()).isEmpty();
        }
    }

    @Test
    void switchedOffNothingIsTimedOrWritten() throws Exception {
        RecordingDriver driver = use("A", 1);
        assertThat(driver.count("createMatmul with")).isZero();
        assertThat(driver.count("matmul")).isEqualTo(3);
        assertThat(files()).isEmpty();
    }
}
