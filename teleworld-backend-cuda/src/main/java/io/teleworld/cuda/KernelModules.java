package io.teleworld.cuda;

import io.teleworld.cuda.driver.DeviceProperties;
import java.util.Optional;

/** Finds the kernels of a device. Stateless. */
final class KernelModules {

    private KernelModules() {}

    /** The kernels, or nothing if the build has none for this architecture. */
    static Optional<CudaKernels> find(DeviceProperties device) {
        return Optional.empty();
    }
}
