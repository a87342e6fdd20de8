package io.teleworld.cuda;

import io.teleworld.cuda.kernel.KernelLibrary;
import io.teleworld.error.TeleWorldException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Finds the kernels' module: the file that the system property {@value #PROPERTY} names, a cubin, fat binary or PTX that
 * nvcc made of {@code src/main/cuda/kernels.cu}, or else the fat binary in the jar. Stateless.
 */
final class KernelModules {

    /** Names the file. */
    static final String PROPERTY = "teleworld.cuda.kernels";

    private KernelModules() {}

    /**
     * Reads the module that the property names, or the jar's.
     *
     * @throws TeleWorldException of category BACKEND that says what to do if there is none or it cannot be read
     */
    static CudaKernels find() {
        return read(System.getProperty(PROPERTY));
    }

    /** Reads a module from a file, or null for the one in the jar. */
    static CudaKernels read(@Nullable String file) {
        if (file == null || file.isBlank()) {
            return shipped();
        }
        try {
            return new CudaKernels(new CatalogKernels(), Files.readAllBytes(Path.of(file)));
        } catch (IOException | RuntimeException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND, "kernels " + file + " cannot be read: " + e, e);
        }
    }

    private static CudaKernels shipped() {
        KernelLibrary.Image image = KernelLibrary.load();
        if (image.kind() != KernelLibrary.Kind.BINARY) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND,
                    "no compiled kernels: make a cubin of src/main/cuda/kernels.cu with nvcc and name it with -D"
                            + PROPERTY + "=FILE");
        }
        return new CudaKernels(new CatalogKernels(), image.bytes());
    }
}
