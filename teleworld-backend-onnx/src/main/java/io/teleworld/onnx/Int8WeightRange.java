package io.teleworld.onnx;

import io.teleworld.error.TeleWorldException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * How large weights in int8 may become. x86 without VNNI adds two products of a byte and a weight in 16 bits, where
 * 2·255·127 saturates and 2·255·63 does not; so weights there have one bit less. Stateless.
 */
final class Int8WeightRange {

    /** Sets the range by hand: to measure what the narrow one costs, or for a model that other processors will run. */
    static final String PROPERTY = "teleworld.onnx.int8Weights";

    static final int WIDE = 127;
    static final int NARROW = 63;

    private static final Set<String> X86 = Set.of("amd64", "x86_64", "x86", "i386");
    private static final Path PROCESSOR = Path.of("/proc/cpuinfo");

    private Int8WeightRange() {}

    /** The largest weight: what the property says, else what suits this processor. */
    static int largest() {
        Integer asked = Integer.getInteger(PROPERTY);
        if (asked == null) {
            return Detected.LARGEST;
        }
        if (asked != WIDE && asked != NARROW) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    PROPERTY + " is " + asked + "; allowed are " + NARROW + " and " + WIDE);
        }
        return asked;
    }

    /** What suits a processor; an x86 of which nothing is known counts as one without VNNI. */
    static int suiting(String architecture, List<String> processor) {
        if (!X86.contains(architecture.toLowerCase(Locale.ROOT))) {
            return WIDE;
        }
        boolean vnni = processor.stream()
                .filter(line -> line.startsWith("flags"))
                .flatMap(line -> Arrays.stream(line.split("\\s+")))
                .anyMatch(flag -> flag.equals("avx512_vnni") || flag.equals("avx_vnni"));
        return vnni ? WIDE : NARROW;
    }

    private static final class Detected {
        static final int LARGEST = suiting(System.getProperty("os.arch", ""), processor());

        private static List<String> processor() {
            try {
                return Files.isReadable(PROCESSOR) ? Files.readAllLines(PROCESSOR) : List.of();
            } catch (IOException e) {
                return List.of();
            }
        }
    }
}
