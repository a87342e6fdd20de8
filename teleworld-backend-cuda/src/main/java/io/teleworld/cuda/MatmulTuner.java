package io.teleworld.cuda;

import io.teleworld.cuda.driver.CudaDriver;
import io.teleworld.cuda.driver.CudaDriver.MatmulShape;
import io.teleworld.cuda.driver.DeviceLostException;
import io.teleworld.cuda.driver.DeviceProperties;
import io.teleworld.error.TeleWorldException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses algorithms of matrix products by timing what cuBLASLt's heuristic proposes, once per shape, and keeps the
 * winners in a file of the device, the driver's version and cuBLASLt's version. What such a file says is used only if all
 * of them and its checksum agree. Confined to the device: called while no other thread uses it.
 *
 * <p>Processes that tune at once may lose each other's winners, which are then timed again.
 */
final class MatmulTuner {

    /** With the value {@code false} the heuristic's first proposal is taken, nothing is timed and no file is read. */
    static final String PROPERTY = "teleworld.cuda.tune";

    /** How many proposals are timed. */
    static final int CANDIDATES = 8;

    private static final int REPEATS = 5;
    private static final String MAGIC = "teleworld-products-1";

    private static final Logger LOG = LoggerFactory.getLogger(MatmulTuner.class);

    /**
     * How it works.
     *
     * @param folder of the file, made when needed
     * @param candidates how many proposals are timed; below 2 nothing is timed and no file is used
     */
    record Settings(Path folder, int candidates) {

        /** Those that the system properties ask for. */
        static Settings ofProperties() {
            boolean off = "false".equalsIgnoreCase(System.getProperty(PROPERTY));
            return new Settings(KernelModules.cacheFolder(), off ? 1 : CANDIDATES);
        }
    }

    private final CudaDriver driver;
    private final Settings settings;
    private final String device;
    private final Path file;
    private final Map<String, byte[]> winners = new TreeMap<>();
    private boolean loaded;
    private boolean changed;

    MatmulTuner(CudaDriver driver, DeviceProperties properties, Settings settings) {
        this.driver = driver;
        this.settings = settings;
        // Tabs and line ends are the file's separators.
        this.device = String.join(
                "\t",
                MAGIC,
                properties.name().replaceAll("\\s+", " "),
                properties.architecture(),
                Integer.toString(properties.multiprocessors()),
                Integer.toString(driver.version()),
                Long.toString(driver.hasMatmul() ? driver.matmulVersion() : 0));
        CRC32 hash = new CRC32();
        hash.update(device.getBytes(StandardCharsets.UTF_8));
        this.file = settings.folder()
                .resolve("products-" + properties.architecture() + "-"
                        + String.format(Locale.ROOT, "%08x", hash.getValue()) + ".txt");
    }

    /** Where the winners are kept. */
    Path file() {
        return file;
    }

    /**
     * A product with the algorithm that was fastest on this device.
     *
     * @param memory what it may be timed on: the result and the scratch memory are overwritten; null if there is none,
     *     when an algorithm that is not known is the heuristic's first
     * @param stream on which it is timed, with nothing else under way
     */
    CudaDriver.Matmul create(
            MatmulShape shape,
            long workspaceBytes,
            CudaDriver.@Nullable MatmulMemory memory,
            CudaDriver.Stream stream) {
        if (settings.candidates() < 2) {
            return driver.createMatmul(shape, workspaceBytes);
        }
        if (!loaded) {
            loaded = true;
            winners.putAll(read());
        }
        String key = key(shape, workspaceBytes);
        byte[] known = winners.get(key);
        if (known != null) {
            try {
                return driver.createMatmul(shape, workspaceBytes, known);
            } catch (DeviceLostException e) {
                throw e;
            } catch (TeleWorldException e) {
                LOG.warn("the algorithm that {} has for {} is not accepted: {}", file, shape, e.getMessage());
            }
        }
        List<byte[]> proposals =
                memory == null ? List.of() : driver.matmulAlgorithms(shape, workspaceBytes, settings.candidates());
        byte[] best = memory == null || proposals.size() < 2
                ? null
                : fastest(shape, workspaceBytes, proposals, memory, stream);
        if (best == null) {
            return driver.createMatmul(shape, workspaceBytes);
        }
        winners.put(key, best);
        changed = true;
        return driver.createMatmul(shape, workspaceBytes, best);
    }

    private byte @Nullable [] fastest(
            MatmulShape shape,
            long workspaceBytes,
            List<byte[]> proposals,
            CudaDriver.MatmulMemory memory,
            CudaDriver.Stream stream) {
        byte[] best = null;
        float shortest = Float.POSITIVE_INFINITY;
        float first = Float.NaN;
        for (byte[] algorithm : proposals) {
            try (CudaDriver.Matmul m = driver.createMatmul(shape, workspaceBytes, algorithm);
                    CudaDriver.Event before = driver.createEvent();
                    CudaDriver.Event after = driver.createEvent()) {
                driver.matmul(m, memory, stream);
                driver.record(before, stream);
                for (int i = 0; i < REPEATS; i++) {
                    driver.matmul(m, memory, stream);
                }
                driver.record(after, stream);
                driver.synchronize(stream);
                float millis = driver.elapsedMillis(before, after) / REPEATS;
                first = Float.isNaN(first) ? millis : first;
                if (millis < shortest) {
                    shortest = millis;
                    best = algorithm;
                }
            } catch (DeviceLostException e) {
                throw e;
            } catch (TeleWorldException e) {
                if (e.category() != TeleWorldException.Category.BACKEND) {
                    throw e;
                }
                LOG.debug("an algorithm for {} is left out: {}", shape, e.getMessage());
            }
        }
        LOG.debug("{}: {} ms, the heuristic's first {} ms", shape, shortest, first);
        return best;
    }

    private static String key(MatmulShape s, long workspaceBytes) {
        return s.m() + "," + s.n() + "," + s.k() + "," + s.batch() + "," + s.strideA() + "," + s.strideB() + ","
                + s.strideD() + "," + s.strideBias() + "," + s.transposedB() + "," + s.operands() + "," + s.result()
                + "," + s.epilogue() + ","
                + workspaceBytes;
    }

    // ------------------------------------------------------------------------------------------ the file

    /** Keeps new winners; a file that cannot be written is only logged. */
    void keep() {
        if (!changed) {
            return;
        }
        changed = false;
        read().forEach(winners::putIfAbsent);
        StringBuilder body = new StringBuilder();
        winners.forEach((key, algorithm) -> body.append(key)
                .append('\t')
                .append(HexFormat.of().formatHex(algorithm))
                .append('\n'));
        String text = device + "\t" + checksum(body.toString()) + "\n" + body;
        try {
            Path folder = Files.createDirectories(settings.folder());
            Path part = Files.createTempFile(folder, "products", ".part");
            try {
                Files.writeString(part, text);
                Files.move(part, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(part);
            }
            LOG.info("matrix products: {} algorithms in {}", winners.size(), file);
        } catch (IOException e) {
            LOG.warn("algorithms of matrix products cannot be kept as {}: {}", file, e.getMessage());
        }
    }

    private static String checksum(String body) {
        CRC32 sum = new CRC32();
        sum.update(body.getBytes(StandardCharsets.UTF_8));
        return String.format(Locale.ROOT, "%08x", sum.getValue());
    }

    /** What the file says; nothing, with a warning, if it is not of this device and whole. */
    private Map<String, byte[]> read() {
        if (!Files.exists(file)) {
            return Map.of();
        }
        try {
            // Bytes that are no UTF-8 make other characters, which the checksum refuses.
            String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            int end = text.indexOf('\n');
            String body = text.substring(end + 1);
            if (end < 0 || !text.substring(0, end).equals(device + "\t" + checksum(body))) {
                LOG.warn("{} is damaged or of another device or library and is ignored", file);
                return Map.of();
            }
            Map<String, byte[]> out = new TreeMap<>();
            for (String line : body.lines().toList()) {
                int tab = line.indexOf('\t');
                out.put(line.substring(0, tab), HexFormat.of().parseHex(line.substring(tab + 1)));
            }
            return out;
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
            LOG.warn("{} cannot be read and is ignored: {}", file, e.getMessage());
            return Map.of();
        }
    }
}
