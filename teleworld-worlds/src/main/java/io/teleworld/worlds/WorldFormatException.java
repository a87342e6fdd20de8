package io.teleworld.worlds;

import io.teleworld.error.TeleWorldException;
import org.jspecify.annotations.Nullable;

/** A world's or shard's file is missing, truncated, or not what it should be. Not retriable: the file must change. */
public final class WorldFormatException extends TeleWorldException {

    private static final long serialVersionUID = 1L;

    /** A failure with one line for people that names the file. */
    public WorldFormatException(String message, @Nullable Throwable cause) {
        super(Category.USER, message, cause);
    }

    /** A failure without a cause. */
    public WorldFormatException(String message) {
        this(message, null);
    }
}
