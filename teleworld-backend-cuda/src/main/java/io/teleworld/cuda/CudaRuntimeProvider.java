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
import java.util.function.LongSupplier;

/**
 * Opens an NVIDIA GPU. Thread-safe.
 *
 * <p>The driver ({@code libcuda.so.1}) and, for fast matrix products, cuBLASLt come from the system; nothing is
 * downloaded. The kernels come from the jar or from the file that the system property
 * {@code teleworld.cuda.kernels} names; a jar whose compiled kernels are missing or of other sources is compiled with
 * NVRTC. Where one of them or a device is missing, the runtime is unavailable and says
 * which.
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
        try {
            KernelModules.require();
            return new Availability.Available(devices(libraries));
        } catch (TeleWorldException e) {
            return new Availability.Unavailable(String.valueOf(e.getMessage()));
        }
    }

    private static List<Device> devices(CudaLibraries libraries) {
        List<Device> out = new ArrayList<>();
        int version = libraries.driver().map(CudaDriver::version).orElse(0);
        for (DeviceProperties d : libraries.devices()) {
            out.add(device(d, version));
        }
        return out;
    }

    /** A device as users see it; the driver's version, 13010 for 13.1, is part of what figures were measured on. */
    static Device device(DeviceProperties d, int driverVersion) {
        return new Device(
                "cuda:" + d.ordinal(),
                d.name() + " (" + d.architecture() + ", CUDA driver " + driverVersion / 1000 + "."
                        + driverVersion % 1000 / 10 + ")",
                d.totalBytes());
    }

    @Override
    public TensorRuntime create(RuntimeOptions options) {
        CudaLibraries libraries = CudaLibraries.get();
        Optional<CudaDriver> driver = libraries.driver();
        if (driver.isEmpty()) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, libraries.reason());
        }
        List<Device> known = devices(libraries);
        int index = known.stream().map(Device::id).toList().indexOf(options.deviceId());
        if (index < 0) {
            throw new IllegalArgumentException("runtime " + NAME + " has no device '" + options.deviceId()
                    + "'; it has " + known.stream().map(Device::id).toList());
        }
        DeviceProperties chosen = libraries.devices().get(index);
        CudaKernels kernels = KernelModules.find(chosen);
        return open(
                driver.get(),
                chosen,
                CudaTensorRuntime.ordered(known, known.get(index)),
                kernels,
                System::nanoTime,
                MatmulTuner.Settings.ofProperties());
    }

    /** Opens a device of any driver; host time is told by {@code nanoTime}. */
    static TensorRuntime open(
            CudaDriver driver,
            DeviceProperties properties,
            List<Device> devices,
            CudaKernels kernels,
            LongSupplier nanoTime,
            MatmulTuner.Settings products) {
        return new CudaTensorRuntime(
                devices, new CudaDevice(driver, properties, kernels.image(), nanoTime, products), kernels.source());
    }
}
