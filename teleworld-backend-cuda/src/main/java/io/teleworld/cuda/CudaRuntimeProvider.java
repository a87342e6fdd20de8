package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.driver.CudaLibraries;
import io.teleworld.cuda.driver.DeviceProperties;
import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Opens an NVIDIA GPU. Thread-safe.
 *
 * <p>The driver ({@code libcuda.so.1}) and, for fast matrix products, cuBLASLt come from the system; nothing is
 * downloaded. Where one of them, a device or a kernel for it is missing, the runtime is unavailable and says which.
 */
public final class CudaRuntimeProvider implements TensorRuntimeProvider {

    /** The runtime's name. */
    public static final String NAME = "cuda";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Availability probe() {
        CudaLibraries libraries = CudaLibraries.get();
        if (libraries.driver().isEmpty()) {
            return new Availability.Unavailable(libraries.reason());
        }
        return libraries.devices().stream().noneMatch(d -> KernelModules.find(d).isPresent())
                ? new Availability.Unavailable(
                        "no kernels for " + libraries.devices().get(0).architecture())
                : new Availability.Available(devices(libraries));
    }

    private static List<Device> devices(CudaLibraries libraries) {
        List<Device> out = new ArrayList<>();
        for (DeviceProperties d : libraries.devices()) {
            out.add(device(d));
        }
        return out;
    }

    static Device device(DeviceProperties d) {
        return new Device("cuda:" + d.ordinal(), d.name() + " (" + d.architecture() + ")", d.totalBytes());
    }

    @Override
    public TensorRuntime create(RuntimeOptions options) {
        CudaLibraries libraries = CudaLibraries.get();
        Optional<CudaDriver> driver = libraries.driver();
        if (driver.isEmpty()) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, libraries.reason());
        }
        List<Device> known = devices(libraries);
        DeviceProperties chosen = libraries.devices().stream()
                .filter(d -> device(d).id().equals(options.deviceId()))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("runtime " + NAME + " has no device '"
                        + options.deviceId() + "'; it has "
                        + known.stream().map(Device::id).toList()));
        CudaKernels kernels = KernelModules.find(chosen)
                .orElseThrow(() -> new TeleWorldException(
                        TeleWorldException.Category.BACKEND, "no kernels for " + chosen.architecture()));
        return open(driver.get(), chosen, CudaTensorRuntime.ordered(known, device(chosen)), kernels);
    }

    /** Opens a device of any driver. */
    static TensorRuntime open(
            CudaDriver driver, DeviceProperties properties, List<Device> devices, CudaKernels kernels) {
        return new CudaTensorRuntime(devices, new CudaDevice(driver, properties, kernels.image()), kernels.source());
    }
}
