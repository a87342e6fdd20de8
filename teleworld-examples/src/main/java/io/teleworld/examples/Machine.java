package io.teleworld.examples;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What figures were measured on. Immutable.
 *
 * @param processor as the operating system names it
 * @param cores that the virtual machine may use
 * @param memoryBytes of the machine, or 0 where it is not known
 * @param system name, version and architecture
 * @param java version and vendor
 */
record Machine(String processor, int cores, long memoryBytes, String system, String java) {

    private static final long KIBI = 1024;

    /** This machine. */
    static Machine detect() {
        return new Machine(
                lines("/proc/cpuinfo", "model name").orElse(System.getProperty("os.arch", "unknown")),
                Runtime.getRuntime().availableProcessors(),
                kibibytes("/proc/meminfo", "MemTotal").orElse(0),
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch"),
                System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ")");
    }

    /** Memory of this process that is in RAM, heap and native together; nothing where the system does not tell. */
    static OptionalLong residentBytes() {
        return kibibytes("/proc/self/status", "VmRSS");
    }

    /** That part of {@link #residentBytes} that belongs to mapped files, which the system can drop at any time. */
    static OptionalLong residentFileBytes() {
        return kibibytes("/proc/self/status", "RssFile");
    }

    /** The most memory that this process ever had in RAM, pages of mapped files included. */
    static OptionalLong peakResidentBytes() {
        return kibibytes("/proc/self/status", "VmHWM");
    }

    /** Heap in use after a collection. */
    static long usedHeapAfterCollection() {
        Runtime jvm = Runtime.getRuntime();
        System.gc();
        return jvm.totalMemory() - jvm.freeMemory();
    }

    private static OptionalLong kibibytes(String file, String key) {
        return lines(file, key)
                .map(v -> OptionalLong.of(KIBI * Long.parseLong(v.replaceAll("\\D", ""))))
                .orElse(OptionalLong.empty());
    }

    private static Optional<String> lines(String file, String key) {
        try {
            List<String> lines = Files.readAllLines(Path.of(file), StandardCharsets.UTF_8);
            return lines.stream()
                    .filter(l -> l.startsWith(key))
                    .map(l -> l.substring(l.indexOf(':') + 1).strip())
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
