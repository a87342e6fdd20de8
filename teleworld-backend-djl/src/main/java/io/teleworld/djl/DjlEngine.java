package io.teleworld.djl;

import ai.djl.engine.Engine;
import ai.djl.pytorch.engine.PtEngine;
import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.support.LoadedLibraries;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Loads DJL's PyTorch engine. Thread-safe.
 *
 * <p>DJL reports its use to its makers and downloads what it lacks unless told otherwise; both are switched off before its
 * first class is used, except where the user has set {@code OPT_OUT_TRACKING} or {@code ai.djl.offline}.
 */
final class DjlEngine {

    private DjlEngine() {}

    private record Loaded(@Nullable Engine engine, @Nullable Throwable failure, String reason) {}

    private static final class Holder {

        static final Loaded LOADED = load();

        private static Loaded load() {
            setIfAbsent("OPT_OUT_TRACKING", "true");
            setIfAbsent("ai.djl.offline", "true");
            Optional<String> other = LoadedLibraries.find("libtorch");
            if (other.isPresent()) {
                return new Loaded(
                        null,
                        null,
                        "this process has loaded another LibTorch, " + other.get()
                                + "; two of them cannot share a process");
            }
            try {
                return new Loaded(Engine.getEngine(PtEngine.ENGINE_NAME), null, "");
            } catch (LinkageError | RuntimeException e) {
                return new Loaded(null, e, "DJL's PyTorch engine cannot be loaded: " + reason(e));
            }
        }

        private static void setIfAbsent(String property, String value) {
            if (System.getProperty(property) == null) {
                System.setProperty(property, value);
            }
        }
    }

    /**
     * The engine.
     *
     * @throws TeleWorldException of category BACKEND that says why there is none
     */
    static Engine get() {
        Loaded loaded = Holder.LOADED;
        if (loaded.engine() == null) {
            throw new TeleWorldException(TeleWorldException.Category.BACKEND, loaded.reason(), loaded.failure());
        }
        return loaded.engine();
    }

    /** Runs something on the engine; its failures become failures of category BACKEND. */
    static <T> T call(String what, java.util.function.Supplier<T> work) {
        try {
            return work.get();
        } catch (TeleWorldException | IllegalArgumentException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND, what + " failed in PyTorch: " + reason(e), e);
        }
    }

    /** What a failure says, without the C++ stack: PyTorch puts the cause into its last line. */
    static String reason(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String message = String.valueOf(root.getMessage());
        return message.lines()
                .filter(line -> line.startsWith("RuntimeError") || line.startsWith("torch.jit.Error"))
                .reduce((a, b) -> b)
                .or(() -> message.lines().filter(line -> !line.isBlank()).findFirst())
                .orElse(root.getClass().getSimpleName());
    }
}
