package io.teleworld.onnx;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.lang.management.ManagementFactory;
import java.util.List;

/**
 * Opens ONNX Runtime on the host processor, in fp32 or with int8 linear layers. Thread-safe.
 *
 * <p>The system property {@code teleworld.onnx.spin} ({@code true} or {@code false}) says whether idle worker threads
 * spin while they wait for the next operator; see {@link #SPIN_PROPERTY}.
 */
public final class OnnxRuntimeProvider implements TensorRuntimeProvider {

    /** The runtime's name. */
    public static final String NAME = "onnx";

    /**
     * System property that makes idle workers spin. That shortens operators of a few microseconds, but takes the
     * processors away from everything else; off unless set to {@code true}.
     */
    public static final String SPIN_PROPERTY = "teleworld.onnx.spin";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Availability probe() {
        try {
            OnnxEnvironment.get();
            return new Availability.Available(List.of(cpu()));
        } catch (LinkageError | RuntimeException e) {
            return new Availability.Unavailable("ONNX Runtime's native library cannot be loaded: " + firstLine(e));
        }
    }

    @Override
    public TensorRuntime create(RuntimeOptions options) {
        if (!options.deviceId().equals(Device.CPU)) {
            throw new IllegalArgumentException(
                    "runtime " + NAME + " has no device '" + options.deviceId() + "'; it has [" + Device.CPU + "]");
        }
        if (probe() instanceof Availability.Unavailable u) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, u.reason());
        }
        int threads = options.threads() == 0 ? Runtime.getRuntime().availableProcessors() : options.threads();
        return new OnnxTensorRuntime(OnnxEnvironment.get(), cpu(), threads, Boolean.getBoolean(SPIN_PROPERTY));
    }

    private static Device cpu() {
        long memory =
                ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean os
                        ? os.getTotalMemorySize()
                        : -1;
        String description =
                System.getProperty("os.arch") + " with " + Runtime.getRuntime().availableProcessors() + " processors";
        return new Device(Device.CPU, description, memory);
    }

    private static String firstLine(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return String.valueOf(root).lines().findFirst().orElse("no reason given");
    }
}
