package io.teleworld.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.cuda.driver.RecordingDriver;
import io.teleworld.graph.Op;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.testkit.TensorRuntimeContract;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;

/** The contract of runtimes on a driver without a device, with matrix products as in cuBLASLt. */
class CudaTensorRuntimeTest extends TensorRuntimeContract {

    private final RecordingDriver driver = new RecordingDriver(4L << 30, true);

    @Override
    protected TensorRuntime createRuntime() {
        return open(driver, Set.of(Op.Resize.class));
    }

    static TensorRuntime open(RecordingDriver driver, Set<Class<? extends Op>> lacking) {
        return open(driver, lacking, new MatmulTuner.Settings(Path.of("unused"), 1));
    }

    static TensorRuntime open(RecordingDriver driver, Set<Class<? extends Op>> lacking, MatmulTuner.Settings products) {
        var properties = driver.devices().get(0);
        return CudaRuntimeProvider.open(
                driver,
                properties,
                List.of(CudaRuntimeProvider.device(properties, driver.version())),
                new CudaKernels(new EmulatedKernels(driver, lacking), new byte[0]),
                driver::nanoTime,
                products);
    }

    @Override
    protected int randomGraphs() {
        return 40;
    }

    @AfterAll
    void nothingLeaks() {
        // Runs before the contract closes the runtime, which still holds its context, stream and module.
        assertThat(driver.leaks()).isEqualTo("0 bytes, 0 pinned, 3 handles");
    }
}
