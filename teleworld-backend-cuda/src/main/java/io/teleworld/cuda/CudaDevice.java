package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.driver.DeviceLostException;
import io.teleworld.cuda.driver.DeviceProperties;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open device with one stream and the kernels' module. Thread-safe: calls take turns, as work on one stream does.
 *
 * <p>Once the device is lost, every further call fails with the first failure's message without reaching the driver, and
 * closing frees nothing; the loss is logged once. The device stays open until the runtime and every state are closed.
 */
final class CudaDevice {

    private static final Logger LOG = LoggerFactory.getLogger(CudaDevice.class);

    private final CudaDriver driver;
    private final DeviceProperties properties;
    private final CudaDriver.Context context;
    private final CudaDriver.Stream stream;
    private final CudaDriver.Module module;
    private final LongSupplier nanoTime;
    private final MatmulTuner tuner;
    private final Map<String, CudaDriver.Function> functions = new HashMap<>();
    private int users = 1;
    private @Nullable String lost;

    /**
     * Opens a device for one user.
     *
     * @param nanoTime the host's clock in nanoseconds from any origin
     * @param products how algorithms of matrix products are chosen
     */
    CudaDevice(
            CudaDriver driver,
            DeviceProperties properties,
            byte[] image,
            LongSupplier nanoTime,
            MatmulTuner.Settings products) {
        this.tuner = new MatmulTuner(driver, properties, products);
        this.nanoTime = nanoTime;
        this.driver = driver;
        this.properties = properties;
        this.context = driver.open(properties.ordinal());
        CudaDriver.@Nullable Stream made = null;
        try {
            made = driver.createStream();
            module = driver.load(image);
            stream = made;
        } catch (RuntimeException e) {
            if (made != null) {
                made.close();
            }
            context.close();
            throw e;
        }
    }

    DeviceProperties properties() {
        return properties;
    }

    /** The driver, for calls within {@link #call}. */
    CudaDriver driver() {
        return driver;
    }

    /** The host's clock, in nanoseconds from any origin. */
    long nanoTime() {
        return nanoTime.getAsLong();
    }

    /** Chooses algorithms; for calls within {@link #call}. */
    MatmulTuner tuner() {
        return tuner;
    }

    /** The stream of all work. */
    CudaDriver.Stream stream() {
        return stream;
    }

    /** A kernel; for calls within {@link #call}. */
    CudaDriver.Function function(String name) {
        return functions.computeIfAbsent(name, module::function);
    }

    /** Does something on the device while no other thread does. */
    synchronized <T> T call(Supplier<T> work) {
        String loss = lost;
        if (loss != null) {
            throw new DeviceLostException(loss);
        }
        try {
            context.makeCurrent();
            return work.get();
        } catch (DeviceLostException e) {
            lose(e);
            throw e;
        }
    }

    /** Notes the loss at once, so that cleaning up after it does not reach the driver. */
    synchronized void lose(DeviceLostException e) {
        if (lost == null) {
            lost = e.getMessage();
            LOG.error("device {} is lost: {}", properties.name(), e.getMessage());
        }
    }

    /** Does something on the device while no other thread does. */
    void run(Runnable work) {
        call(() -> {
            work.run();
            return true;
        });
    }

    /** Takes memory; none for 0 bytes. */
    DeviceMemory allocate(long bytes) {
        return call(() -> new DeviceMemory(this, bytes == 0 ? 0 : driver.allocate(bytes), bytes));
    }

    /** Frees memory, once the work that uses it is done. */
    void free(long address) {
        closing(() -> {
            driver.synchronize(stream);
            driver.free(address);
        });
    }

    /** Runs what gives something back; skipped on a lost device, whose driver took everything back. */
    synchronized void closing(Runnable work) {
        if (lost == null) {
            run(work);
        }
    }

    /** Keeps the device open for one more user. */
    synchronized void retain() {
        users++;
    }

    /** Ends one use; the last one closes the device. */
    synchronized void release() {
        users--;
        if (users == 0) {
            closing(() -> {
                module.close();
                stream.close();
                context.close();
            });
        }
    }
}
