package io.teleworld.training.torch;

import io.teleworld.error.TeleWorldException;
import io.teleworld.runtime.support.LoadedLibraries;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch;

/**
 * Loads LibTorch. Thread-safe.
 *
 * <p>JavaCPP refuses to allocate once the process holds a few times the Java heap; LibTorch's memory has nothing to do
 * with the heap, so these limits are lifted here unless {@code org.bytedeco.javacpp.maxBytes} or {@code
 * org.bytedeco.javacpp.maxPhysicalBytes} is set by the user. That works only before the first JavaCPP class is used.
 */
public final class TorchNative {

    private TorchNative() {}

    private static final class Holder {
        static final boolean LOADED = load();

        private static boolean load() {
            Optional<String> other = LoadedLibraries.find("libtorch");
            if (other.isPresent()) {
                throw new IllegalStateException("this process has loaded another LibTorch, " + other.get()
                        + "; two of them cannot share a process");
            }
            for (String limit :
                    new String[] {"org.bytedeco.javacpp.maxBytes", "org.bytedeco.javacpp.maxPhysicalBytes"}) {
                if (System.getProperty(limit) == null) {
                    System.setProperty(limit, "0");
                }
            }
            torch.get_num_threads();
            return true;
        }
    }

    /**
     * Makes sure that LibTorch is loaded.
     *
     * @throws TeleWorldException of category BACKEND if it cannot be
     */
    public static void load() {
        try {
            if (!Holder.LOADED) {
                throw new IllegalStateException("LibTorch is not loaded");
            }
        } catch (LinkageError | RuntimeException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.BACKEND, "LibTorch cannot be loaded: " + rootMessage(e), e);
        }
    }

    /** Host threads that one operator uses, at least 1; for the whole process. */
    public static void setThreads(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads is " + threads + "; at least 1");
        }
        load();
        torch.set_num_threads(threads);
    }

    /** Seeds LibTorch's generators, which only operators such as dropout use; for the whole process. */
    public static void seed(long seed) {
        load();
        torch.manual_seed(seed);
    }

    static String rootMessage(Throwable e) {
        Throwable t = e;
        while (t.getCause() != null) {
            t = t.getCause();
        }
        return t.getClass().getSimpleName() + ": " + firstLine(t.getMessage());
    }

    /** C++ exceptions carry a stack trace in their message; only its first line tells something. */
    static String firstLine(@org.jspecify.annotations.Nullable String message) {
        if (message == null) {
            return "no message";
        }
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }
}
