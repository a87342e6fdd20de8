package io.teleworld.cuda.kernel;

import io.teleworld.error.TeleWorldException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The module that has the catalogue's kernels: the fat binary that the build left beside this class (compiled by nvcc if
 * the build had one, else the shipped one), or the sources for NVRTC where there is none or it is of other sources.
 * Stateless and thread-safe.
 */
public final class KernelLibrary {

    /** The least compute capability that the kernels run on, times ten. */
    public static final int LEAST_CAPABILITY = 90;

    /** Sources, in the order of the digest that the binary's note has. */
    static final List<String> SOURCES = List.of(
            "common.cuh", "operators.cu", "fused.cu", "attention.cu", "convolution.cu", "plan.cu", "kernels.cu");

    private static final Logger LOG = LoggerFactory.getLogger(KernelLibrary.class);
    private static final Pattern SYSTEM_INCLUDE = Pattern.compile("(?m)^\\s*#\\s*include\\s*<([^>]+)>");
    private static final String MAIN = "kernels.cu";

    private KernelLibrary() {}

    /** What a module is. */
    public enum Kind {
        /** A fat binary: load it as it is. */
        BINARY,
        /** CUDA C++ in UTF-8 that includes {@link #headers}: compile it with NVRTC first. */
        SOURCE
    }

    /** The kernels. Immutable. */
    public static final class Image {

        private final Kind kind;
        private final byte[] bytes;
        private final String origin;

        Image(Kind kind, byte[] bytes, String origin) {
            this.kind = kind;
            this.bytes = bytes;
            this.origin = origin;
        }

        /** What the bytes are. */
        public Kind kind() {
            return kind;
        }

        /** A copy of the bytes. */
        public byte[] bytes() {
            return bytes.clone();
        }

        /** Where they come from, for logs and benchmark reports. */
        public String origin() {
            return origin;
        }
    }

    /**
     * The kernels; logs which were found. A binary of other sources than those in the module is passed over.
     *
     * @throws TeleWorldException of category INTERNAL if neither binary nor sources are in the module
     */
    public static Image load() {
        Optional<String> digest = digest();
        Image image = binary().filter(b -> digest.isEmpty() || b.origin().endsWith(digest.get()))
                .orElseGet(() -> new Image(
                        Kind.SOURCE, source().getBytes(StandardCharsets.UTF_8), "sources, to be compiled by NVRTC"));
        LOG.info("CUDA kernels: {}", image.origin());
        return image;
    }

    /** SHA-256 of all sources in the module, in hexadecimal; nothing if one of them is not there. */
    public static Optional<String> digest() {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            for (String name : SOURCES) {
                byte[] bytes = read(name);
                if (bytes.length == 0) {
                    return Optional.empty();
                }
                sha.update(bytes);
            }
            return Optional.of(HexFormat.of().formatHex(sha.digest()));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java has no SHA-256", e);
        }
    }

    /**
     * The machine that NVRTC compiles for.
     *
     * @param capability compute capability times ten
     * @throws TeleWorldException of category BACKEND if it is less than {@link #LEAST_CAPABILITY}
     */
    public static String architecture(int capability) {
        if (capability < LEAST_CAPABILITY) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND,
                    "the device has compute capability " + capability / 10 + "." + capability % 10
                            + "; the kernels need at least 9.0");
        }
        return capability == LEAST_CAPABILITY ? "sm_90a" : "sm_" + capability;
    }

    /** Options for NVRTC to compile {@link #source} with for a compute capability, times ten. */
    public static List<String> options(int capability) {
        return List.of("--std=c++17", "--gpu-architecture=" + architecture(capability));
    }

    /** The toolkit's headers that the sources include, such as {@code cuda_fp16.h}; NVRTC needs a folder of them. */
    public static Set<String> systemHeaders() {
        Set<String> out = new TreeSet<>();
        headers().values().forEach(text -> collect(text, out));
        collect(source(), out);
        return out;
    }

    private static void collect(String text, Set<String> out) {
        Matcher m = SYSTEM_INCLUDE.matcher(text);
        while (m.find()) {
            out.add(m.group(1));
        }
    }

    static Optional<Image> binary() {
        byte[] bytes = read("kernels.fatbin");
        byte[] note = read("kernels.properties");
        if (bytes.length == 0 || note.length == 0) {
            return Optional.empty();
        }
        Properties p = new Properties();
        try {
            p.load(new ByteArrayInputStream(note));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Optional.of(new Image(
                Kind.BINARY,
                bytes,
                "fat binary by " + p.getProperty("compiler") + " of sources " + p.getProperty("sources")));
    }

    /** The source that includes all others. */
    public static String source() {
        return text(MAIN);
    }

    /** The texts that {@link #source} includes, by name. */
    public static Map<String, String> headers() {
        Map<String, String> out = new LinkedHashMap<>();
        SOURCES.stream().filter(n -> !n.equals(MAIN)).forEach(n -> out.put(n, text(n)));
        return out;
    }

    private static String text(String name) {
        byte[] bytes = read(name);
        if (bytes.length == 0) {
            throw new TeleWorldException(
                    TeleWorldException.Category.INTERNAL, "kernel source " + name + " is not in the module");
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] read(String name) {
        try (InputStream in = KernelLibrary.class.getResourceAsStream(name)) {
            return in == null ? new byte[0] : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
