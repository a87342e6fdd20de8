package io.teleworld.cuda.driver;

import io.teleworld.error.TeleWorldException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * NVRTC, the compiler of CUDA C++ in a library, which needs no device. Immutable and thread-safe; never throws an
 * {@link Error}, whatever is missing.
 *
 * <p>{@code libnvrtc.so.13} is the file that the system property {@value #PROPERTY} names, or lies in {@code CUDA_HOME},
 * {@code CUDA_PATH} or {@code /usr/local/cuda}, or where the system looks for libraries.
 */
public final class RuntimeCompiler {

    /** Names the library's file. */
    public static final String PROPERTY = "teleworld.cuda.nvrtc";

    private static final String PRESETS = "org.bytedeco.cuda.global.nvrtc";
    private static final String LIBRARY = "libnvrtc.so.13";

    private final String version;
    private final String reason;

    private RuntimeCompiler(String version, String reason) {
        this.version = version;
        this.reason = reason;
    }

    /** What this process found; the first call loads the library. */
    public static RuntimeCompiler get() {
        return Holder.FOUND;
    }

    /** Whether there is one. */
    public boolean isAvailable() {
        return reason.isEmpty();
    }

    /** One line that says what is missing; empty if nothing is. */
    public String reason() {
        return reason;
    }

    /** Its version, 13.0 for instance; empty if there is none. */
    public String version() {
        return version;
    }

    /**
     * Compiles to machine code.
     *
     * @param name of the source, for messages
     * @param source CUDA C++
     * @param headers texts by the names under which the source includes them
     * @param options of NVRTC; the architecture must be a real one, {@code --gpu-architecture=sm_90a} for instance
     * @return a cubin
     * @throws TeleWorldException of category BACKEND with NVRTC's log if it does not compile
     */
    public byte[] compile(String name, String source, Map<String, String> headers, List<String> options) {
        if (!isAvailable()) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, reason);
        }
        List<Map.Entry<String, String>> all = List.copyOf(headers.entrySet());
        List<Pointer> texts = new ArrayList<>();
        _nvrtcProgram program = new _nvrtcProgram();
        try (BytePointer text = bytes(source);
                BytePointer title = bytes(name);
                PointerPointer<Pointer> bodies =
                        strings(all.stream().map(Map.Entry::getValue).toList(), texts);
                PointerPointer<Pointer> names =
                        strings(all.stream().map(Map.Entry::getKey).toList(), texts);
                PointerPointer<Pointer> arguments = strings(options, texts)) {
            check("nvrtcCreateProgram", nvrtc.nvrtcCreateProgram(program, text, title, all.size(), bodies, names));
            int status = nvrtc.nvrtcCompileProgram(program, options.size(), arguments);
            if (status != nvrtc.NVRTC_SUCCESS) {
                throw new TeleWorldException(
                        TeleWorldException.Category.BACKEND,
                        "nvrtcCompileProgram of " + name + " with " + options + " failed: " + error(status) + "\n"
                                + log(program));
            }
            try (SizeTPointer size = new SizeTPointer(1)) {
                check("nvrtcGetCUBINSize", nvrtc.nvrtcGetCUBINSize(program, size));
                byte[] out = new byte[Math.toIntExact(size.get())];
                check("nvrtcGetCUBIN", nvrtc.nvrtcGetCUBIN(program, out));
                return out;
            }
        } finally {
            texts.forEach(Pointer::close);
            if (!program.isNull()) {
                int status = nvrtc.nvrtcDestroyProgram(program);
                program.close();
                check("nvrtcDestroyProgram", status);
            }
        }
    }

    private static BytePointer bytes(String text) {
        return new BytePointer((text + '\0').getBytes(StandardCharsets.UTF_8));
    }

    /** An array of C strings, whose memory goes to {@code texts}. */
    private static PointerPointer<Pointer> strings(List<String> values, List<Pointer> texts) {
        PointerPointer<Pointer> out = new PointerPointer<>(Math.max(1, values.size()));
        for (int i = 0; i < values.size(); i++) {
            BytePointer text = bytes(values.get(i));
            texts.add(text);
            out.put(i, text);
        }
        return out;
    }

    private static String log(_nvrtcProgram program) {
        try (SizeTPointer size = new SizeTPointer(1)) {
            if (nvrtc.nvrtcGetProgramLogSize(program, size) != nvrtc.NVRTC_SUCCESS) {
                return "no log";
            }
            byte[] out = new byte[Math.toIntExact(size.get())];
            return nvrtc.nvrtcGetProgramLog(program, out) == nvrtc.NVRTC_SUCCESS
                    ? new String(out, StandardCharsets.UTF_8).replace("\0", "").strip()
                    : "no log";
        }
    }

    private static void check(String call, int status) {
        if (status != nvrtc.NVRTC_SUCCESS) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, call + " failed: " + error(status));
        }
    }

    private static String error(int status) {
        return nvrtc.nvrtcGetErrorString(status).getString(StandardCharsets.US_ASCII) + " (" + status + ")";
    }

    // ------------------------------------------------------------------------------------------ finding it

    private static Optional<Path> file() {
        String named = System.getProperty(PROPERTY);
        if (named != null && !named.isBlank()) {
            return Optional.of(Path.of(named));
        }
        List<String> homes = new ArrayList<>();
        for (String variable : List.of("CUDA_HOME", "CUDA_PATH")) {
            String home = System.getenv(variable);
            if (home != null && !home.isBlank()) {
                homes.add(home);
            }
        }
        homes.add("/usr/local/cuda");
        return homes.stream()
                .map(h -> Path.of(h, "lib64", LIBRARY))
                .filter(Files::isReadable)
                .findFirst();
    }

    private static RuntimeCompiler find() {
        try {
            Optional<Path> file = file();
            if (file.isPresent()) {
                Loader.load(org.bytedeco.javacpp.presets.javacpp.class);
                // Loaded by its path, it is found by its name when the presets need it.
                Loader.loadGlobal(file.get().toString());
            }
            Loader.load(Class.forName(PRESETS, false, RuntimeCompiler.class.getClassLoader()));
            int[] major = new int[1];
            int[] minor = new int[1];
            check("nvrtcVersion", nvrtc.nvrtcVersion(major, minor));
            return new RuntimeCompiler(major[0] + "." + minor[0], "");
        } catch (ClassNotFoundException | LinkageError | RuntimeException e) {
            return new RuntimeCompiler(
                    "",
                    "NVRTC (" + LIBRARY + ") cannot be loaded: "
                            + String.valueOf(e.getMessage())
                                    .lines()
                                    .findFirst()
                                    .orElse(e.getClass().getSimpleName()));
        }
    }

    /** Loads at first use, once, also under concurrent calls. */
    private static final class Holder {
        static final RuntimeCompiler FOUND = find();
    }
}
