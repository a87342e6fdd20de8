package io.teleworld.cuda;

import io.teleworld.cuda.driver.DeviceProperties;
import io.teleworld.cuda.driver.RuntimeCompiler;
import io.teleworld.cuda.kernel.KernelLibrary;
import io.teleworld.error.TeleWorldException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the kernels' module: the file that the system property {@value #PROPERTY} names, a cubin, fat binary or PTX that
 * nvcc made of {@code src/main/cuda/kernels.cu}; or the fat binary in the jar; or, where there is none of the sources in
 * the jar, what NVRTC makes of them, which is kept in the folder that {@value #CACHE} names, by default
 * {@code teleworld/cuda} in the user's folder of caches. Stateless.
 */
final class KernelModules {

    /** Names the file. */
    static final String PROPERTY = "teleworld.cuda.kernels";

    /** Names the folder of compiled kernels. */
    static final String CACHE = "teleworld.cuda.cache";

    /** Names the folder of the toolkit's headers, should the sources include any. */
    static final String HEADERS = "teleworld.cuda.include";

    private static final Logger LOG = LoggerFactory.getLogger(KernelModules.class);

    private KernelModules() {}

    /**
     * Makes sure that {@link #find} can work, without compiling.
     *
     * @throws TeleWorldException of category BACKEND that says what is missing
     */
    static void require() {
        String file = System.getProperty(PROPERTY);
        boolean binary = file == null || file.isBlank()
                ? KernelLibrary.load().kind() == KernelLibrary.Kind.BINARY
                : Files.isReadable(Path.of(file));
        if (!binary && file != null && !file.isBlank()) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, "kernels " + file + " cannot be read");
        }
        if (!binary && !RuntimeCompiler.get().isAvailable()) {
            throw missing();
        }
    }

    private static TeleWorldException missing() {
        return new TeleWorldException(
                TeleWorldException.Category.BACKEND,
                "no compiled kernels of these sources: " + RuntimeCompiler.get().reason()
                        + "; or make a cubin of src/main/cuda/kernels.cu with nvcc and name it with -D" + PROPERTY
                        + "=FILE");
    }

    /**
     * The module for a device: the one that the property names, the jar's, or a compiled one.
     *
     * @throws TeleWorldException of category BACKEND that says what to do if there is none or it cannot be read
     */
    static CudaKernels find(DeviceProperties device) {
        String file = System.getProperty(PROPERTY);
        if (file != null && !file.isBlank()) {
            return read(file);
        }
        KernelLibrary.Image image = KernelLibrary.load();
        return image.kind() == KernelLibrary.Kind.BINARY
                ? new CudaKernels(new CatalogKernels(), image.bytes())
                : compiled(device, cacheFolder());
    }

    /** Reads a module from a file. */
    static CudaKernels read(String file) {
        try {
            return new CudaKernels(new CatalogKernels(), Files.readAllBytes(Path.of(file)));
        } catch (IOException | RuntimeException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND, "kernels " + file + " cannot be read: " + e, e);
        }
    }

    // ------------------------------------------------------------------------------------------ NVRTC

    /** The sources in the jar as machine code for a device, from a cache or from NVRTC. */
    static CudaKernels compiled(DeviceProperties device, Path cache) {
        int capability = 10 * device.computeMajor() + device.computeMinor();
        String architecture = KernelLibrary.architecture(capability);
        RuntimeCompiler compiler = RuntimeCompiler.get();
        if (!compiler.isAvailable()) {
            throw missing();
        }
        String digest = KernelLibrary.digest()
                .orElseThrow(() -> new TeleWorldException(
                        TeleWorldException.Category.INTERNAL, "the kernels' sources are not in the module"));
        Path file = cache.resolve(
                "kernels-" + digest.substring(0, 16) + "-" + architecture + "-nvrtc" + compiler.version() + ".cubin");
        Optional<byte[]> known = cached(file);
        if (known.isPresent()) {
            LOG.info("CUDA kernels: {}", file);
            return new CudaKernels(new CatalogKernels(), known.get());
        }
        long begun = System.nanoTime();
        List<String> options = new ArrayList<>(KernelLibrary.options(capability));
        includeFolder(KernelLibrary.systemHeaders()).ifPresent(folder -> options.add("--include-path=" + folder));
        byte[] cubin = compiler.compile("kernels.cu", KernelLibrary.source(), KernelLibrary.headers(), options);
        LOG.info(
                "CUDA kernels: compiled by NVRTC {} for {} in {} s",
                compiler.version(),
                architecture,
                (System.nanoTime() - begun) / 1_000_000_000);
        keep(file, cubin);
        return new CudaKernels(new CatalogKernels(), cubin);
    }

    private static Optional<byte[]> cached(Path file) {
        try {
            byte[] bytes = Files.isReadable(file) ? Files.readAllBytes(file) : new byte[0];
            // An ELF, or what an interrupted process left.
            return bytes.length > 4 && bytes[0] == 0x7f && bytes[1] == 'E' ? Optional.of(bytes) : Optional.empty();
        } catch (IOException e) {
            LOG.warn("compiled kernels {} cannot be read: {}", file, e.getMessage());
            return Optional.empty();
        }
    }

    private static void keep(Path file, byte[] cubin) {
        try {
            Path folder = file.toAbsolutePath().getParent();
            if (folder == null) {
                return;
            }
            Files.createDirectories(folder);
            Path part = Files.createTempFile(folder, "kernels", ".part");
            Files.write(part, cubin);
            Files.move(part, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.warn("compiled kernels cannot be kept as {} and will be compiled again: {}", file, e.getMessage());
        }
    }

    /** The folder of what is made once per device. */
    static Path cacheFolder() {
        String named = System.getProperty(CACHE);
        if (named != null && !named.isBlank()) {
            return Path.of(named);
        }
        String caches = System.getenv("XDG_CACHE_HOME");
        Path root = caches == null || caches.isBlank()
                ? Path.of(System.getProperty("user.home", "."), ".cache")
                : Path.of(caches);
        return root.resolve("teleworld").resolve("cuda");
    }

    /** A folder with all of the toolkit's headers that are needed; nothing if none is. */
    static Optional<Path> includeFolder(Set<String> headers) {
        if (headers.isEmpty()) {
            return Optional.empty();
        }
        List<Path> folders = new ArrayList<>();
        String named = System.getProperty(HEADERS);
        if (named != null && !named.isBlank()) {
            folders.add(Path.of(named));
        }
        for (String variable : List.of("CUDA_HOME", "CUDA_PATH")) {
            @Nullable String home = System.getenv(variable);
            if (home != null && !home.isBlank()) {
                folders.add(Path.of(home, "include"));
            }
        }
        folders.add(Path.of("/usr/local/cuda/include"));
        return Optional.of(folders.stream()
                .filter(f -> headers.stream().allMatch(h -> Files.isReadable(f.resolve(h))))
                .findFirst()
                .orElseThrow(() -> new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "the kernels' sources include " + new TreeSet<>(headers) + " of the CUDA toolkit, which are in"
                                + " none of " + folders + "; name the folder with -D" + HEADERS + "=DIR")));
    }
}
