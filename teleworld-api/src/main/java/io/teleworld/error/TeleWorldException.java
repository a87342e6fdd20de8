package io.teleworld.error;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What every TeleWorld component throws when it fails for a reason other than a wrong argument.
 *
 * <p>Immutable. The message is one line that a user can act on. Types of the underlying runtimes never appear here
 * except as the {@linkplain #getCause() cause}.
 */
public class TeleWorldException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** Who has to act. */
    public enum Category {
        /** The input or the configuration is wrong: a file, a picture, a model package. */
        USER,
        /** Something ran out: memory, disk, a device. */
        RESOURCE,
        /** A runtime or a driver failed. */
        BACKEND,
        /** A defect of TeleWorld itself. */
        INTERNAL
    }

    private final Category category;
    private final boolean retriable;

    /** A failure that is not worth a retry. */
    public TeleWorldException(Category category, String message) {
        this(category, message, null, false);
    }

    /** A failure that is not worth a retry, with what caused it. */
    public TeleWorldException(Category category, String message, @Nullable Throwable cause) {
        this(category, message, cause, false);
    }

    /** A failure, with what caused it and whether the same call may succeed later. */
    public TeleWorldException(Category category, String message, @Nullable Throwable cause, boolean retriable) {
        super(message, cause);
        this.category = Objects.requireNonNull(category, "category");
        this.retriable = retriable;
    }

    /** Who has to act. */
    public final Category category() {
        return category;
    }

    /** Whether the same call may succeed when it is repeated unchanged. */
    public final boolean retriable() {
        return retriable;
    }
}
