package io.teleworld.cuda.driver;

import io.teleworld.error.TeleWorldException;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;

/**
 * Looks once per process for the CUDA driver, its JNI library and a device. Immutable and thread-safe; never throws an
 * {@link Error}, whatever is missing.
 */
public final class CudaLibraries {

    private static final String PRESETS = "org.bytedeco.cuda.global.cudart";

    private final Optional<CudaDriver> driver;
    private final List<DeviceProperties> devices;
    private final String reason;

    private CudaLibraries(Optional<CudaDriver> driver, List<DeviceProperties> devices, String reason) {
        this.driver = driver;
        this.devices = devices;
        this.reason = reason;
    }

    /** What this process found; the first call loads the libraries. */
    public static CudaLibraries get() {
        return Holder.FOUND;
    }

    /** The driver, or nothing if {@link #reason()} says why. */
    public Optional<CudaDriver> driver() {
        return driver;
    }

    /** The devices, at least one if there is a driver. */
    public List<DeviceProperties> devices() {
        return devices;
    }

    /** One line that says what is missing; empty if nothing is. */
    public String reason() {
        return reason;
    }

    private static CudaLibraries probe() {
        try {
            Loader.load(Class.forName(PRESETS, false, CudaLibraries.class.getClassLoader()));
            PresetsDriver found = new PresetsDriver();
            List<DeviceProperties> devices = found.devices();
            if (devices.isEmpty()) {
                return missing("the CUDA driver sees no device");
            }
            return new CudaLibraries(Optional.of(found), devices, "");
        } catch (ClassNotFoundException | LinkageError e) {
            return missing("the CUDA driver or its JNI library cannot be loaded: " + firstLine(e));
        } catch (TeleWorldException e) {
            return missing(String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            return missing("loading the CUDA libraries failed: " + firstLine(e));
        }
    }

    private static CudaLibraries missing(String reason) {
        return new CudaLibraries(Optional.empty(), List.of(), reason);
    }

    /** The first line of what went wrong first: the loader reports last that it ran out of places to look. */
    private static String firstLine(Throwable e) {
        Throwable first = e;
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            first = cause;
        }
        String m = first.getMessage();
        return m == null
                ? first.getClass().getSimpleName()
                : m.lines().findFirst().orElse("");
    }

    /** Loads at first use, once, also under concurrent calls. */
    private static final class Holder {
        static final CudaLibraries FOUND = probe();
    }
}
