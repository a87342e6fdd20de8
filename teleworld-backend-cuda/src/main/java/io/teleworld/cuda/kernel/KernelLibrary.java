package io.teleworld.cuda.kernel;

import io.teleworld.error.TeleWorldException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The module that has the catalogue's kernels: the fat binary that the build left beside this class (compiled by nvcc if
 * the build had one, else the shipped one), or the sources for NVRTC. Stateless and thread-safe.
 */
public final class KernelLibrary {

    /** The least compute capability that the kernels run on, times ten. */
    public static final int LEAST_CAPABILITY = 90;

    /** Sources, in the order of the digest that the binary's note has. */
    static final List<String> SOURCES =
            List.of("common.cuh", "operators.cu", "fused.cu", "attention.cu", "convolution.cu", "kernels.cu");

    private static final Logger LOG = LoggerFactory.getLogger(KernelLibrary.class);
    private static final Pattern INCLUDE = Pattern.compile("#include \"([a-z]+\\.cuh?)\"");

    private KernelLibrary() {}

    /** What a module is. */
    public enum Kind {
        /** A fat binary: load it as it is. */
        BINARY,
        /** CUDA C++ in UTF-8, without includes: compile it with NVRTC first. */
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
     * The kernels; logs which were found.
     *
     * @throws TeleWorldException of category INTERNAL if neither binary nor sources are in the module
     */
    public static Image load() {
        Image image = binary().orElseGet(() ->
                new Image(Kind.SOURCE, source().getBytes(StandardCharsets.UTF_8), "sources, to be compiled by NVRTC"));
        LOG.info("CUDA kernels: {}", image.origin());
        return image;
    }

    /** Options for NVRTC to compile {@link #source} with for a compute capability, times ten. */
    public static List<String> options(int capability) {
        if (capability < LEAST_CAPABILITY) {
            throw new IllegalArgumentException("compute capability " + capability / 10.0 + "; at least 9.0");
        }
        return List.of("--std=c++17", "--gpu-architecture=" + (capability == 90 ? "sm_90a" : "compute_90"));
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

    /** All kernels as one source without includes. */
    public static String source() {
        return inline("kernels.cu", new StringBuilder());
    }

    private static String inline(String name, StringBuilder seen) {
        if (seen.indexOf("<" + name + ">") >= 0) {
            return "";
        }
        seen.append('<').append(name).append('>');
        byte[] bytes = read(name);
        if (bytes.length == 0) {
            throw new TeleWorldException(
                    TeleWorldException.Category.INTERNAL, "kernel source " + name + " is not in the module");
        }
        String text = new String(bytes, StandardCharsets.UTF_8).replace("#pragma once", "");
        Matcher m = INCLUDE.matcher(text);
        StringBuilder out = new StringBuilder();
        while (m.find()) {
            // The emulation's header is for tests on the CPU and stays out.
            String included = m.group(1).equals("emulate.h") ? "" : inline(m.group(1), seen);
            m.appendReplacement(out, Matcher.quoteReplacement(included));
        }
        return m.appendTail(out).toString();
    }

    private static byte[] read(String name) {
        try (InputStream in = KernelLibrary.class.getResourceAsStream(name)) {
            return in == null ? new byte[0] : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
