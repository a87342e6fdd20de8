package io.teleworld.runtime.support;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Which native libraries this process holds, for runtimes whose libraries cannot share a process with another version of
 * themselves. Stateless and thread-safe.
 */
public final class LoadedLibraries {

    private static final Path MAPPINGS = Path.of("/proc/self/maps");

    private LoadedLibraries() {}

    /**
     * The path of a loaded library whose file name begins so; nothing if there is none, or if the system does not tell
     * (Linux does).
     */
    public static Optional<String> find(String fileNamePrefix) {
        if (!Files.isReadable(MAPPINGS)) {
            return Optional.empty();
        }
        try (Stream<String> lines = Files.lines(MAPPINGS, StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> line.contains("/" + fileNamePrefix))
                    .map(line -> line.substring(line.indexOf('/')))
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
