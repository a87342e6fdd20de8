package io.teleworld.text;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import java.util.Optional;

/**
 * Loads the native library, once per process. Thread-safe.
 *
 * <p>DJL reports its use to its makers and downloads what it lacks unless told otherwise; both are switched off before its
 * first class is used, except where the user has set {@code OPT_OUT_TRACKING} or {@code ai.djl.offline}.
 */
final class TokenizersLibrary {

    private TokenizersLibrary() {}

    private static final class Holder {

        static final Optional<Throwable> FAILURE = load();

        private static Optional<Throwable> load() {
            setIfAbsent("OPT_OUT_TRACKING", "true");
            setIfAbsent("ai.djl.offline", "true");
            try {
                LibUtils.checkStatus();
                return Optional.empty();
            } catch (LinkageError | RuntimeException e) {
                return Optional.of(e);
            }
        }

        private static void setIfAbsent(String property, String value) {
            if (System.getProperty(property) == null) {
                System.setProperty(property, value);
            }
        }
    }

    /** Why the library is not there; empty if it is. */
    static Optional<TeleWorldException> failure() {
        return Holder.FAILURE.map(e -> new TeleWorldException(
                Category.BACKEND, "Hugging Face's tokenizers cannot be loaded: " + reason(e), e));
    }

    /**
     * Makes sure that the library is there.
     *
     * @throws TeleWorldException of category BACKEND that says why it is not
     */
    static void require() {
        failure().ifPresent(e -> {
            throw e;
        });
    }

    /** What a failure says at its root. */
    static String reason(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String message = root.getMessage();
        return message == null || message.isBlank() ? root.getClass().getSimpleName() : message;
    }
}
