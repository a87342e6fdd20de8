package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.graph.Op;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.testkit.GraphCase;
import io.teleworld.testkit.OperatorCases;
import io.teleworld.testkit.RandomGraphs;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The shipped kernels' launches on a driver that checks them: every address lies in live memory, every grid is allowed. */
class CatalogKernelsTest {

    private static void launch(GraphCase c, Precision precision, boolean cublas) {
        RecordingDriver driver = new RecordingDriver(1L << 30, cublas);
        var properties = driver.devices().get(0);
        try (TensorRuntime runtime = CudaRuntimeProvider.open(
                        driver,
                        properties,
                        List.of(CudaRuntimeProvider.device(properties, driver.version())),
                        new CudaKernels(new CatalogKernels(), new byte[0]),
                        driver::nanoTime,
                        new MatmulTuner.Settings(Path.of("unused"), 1));
                Program p = runtime.compile(c.graph(), c.asWeights(), precision);
                Scope scope = Scope.root("launch")) {
            p.run(c.inputs(), p.newState(scope), RunOptions.DEFAULT, scope);
        }
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 0 handles");
    }

    @TestFactory
    Stream<DynamicTest> everyOperatorIsLaunched() {
        return Op.all().stream()
                .map(op -> DynamicTest.dynamicTest(op.getSimpleName(), () -> {
                    for (long seed = 0; seed < 6; seed++) {
                        launch(OperatorCases.draw(op, seed), Precision.FP32, seed % 2 == 0);
                        launch(OperatorCases.draw(op, seed), Precision.BF16, true);
                        launch(OperatorCases.draw(op, seed), Precision.FP8_LINEAR, true);
                    }
                }));
    }

    @Test
    void randomGraphsAreLaunched() {
        for (long seed = 0; seed < 60; seed++) {
            launch(RandomGraphs.draw(seed), seed % 2 == 0 ? Precision.FP32 : Precision.BF16, true);
        }
    }
}
