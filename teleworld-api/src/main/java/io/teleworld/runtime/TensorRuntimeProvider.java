package io.teleworld.runtime;

/**
 * Entry point of a runtime, found with {@link java.util.ServiceLoader}. Thread-safe; its constructor loads nothing
 * native.
 */
public interface TensorRuntimeProvider {

    /** Short name that users write, for example {@code onnx}; unique. */
    String name();

    /** Whether the runtime can work here. Never throws, never downloads. */
    Availability probe();

    /**
     * Opens the runtime; the caller closes it.
     *
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if it cannot work here
     * @throws IllegalArgumentException if the device is unknown; names the known ones
     */
    TensorRuntime create(RuntimeOptions options);
}
