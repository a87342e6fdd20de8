package io.teleworld.core.text;

import io.teleworld.runtime.Availability;
import java.nio.file.Path;

/** Opens tokenizers; found with {@link java.util.ServiceLoader}. Thread-safe. */
public interface TokenizerProvider {

    /** Whether it works here; never throws. */
    Availability probe();

    /**
     * Reads a {@code tokenizer.json}.
     *
     * @throws io.teleworld.error.ModelFormatException if it is malformed
     * @throws io.teleworld.error.TeleWorldException of category BACKEND if the provider does not work here
     */
    Tokenizer open(Path file);
}
