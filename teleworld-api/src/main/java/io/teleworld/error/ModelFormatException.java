package io.teleworld.error;

import org.jspecify.annotations.Nullable;

/** Thrown when a model package, a weight file or a configuration cannot be read; names the file and the place in it. */
public final class ModelFormatException extends TeleWorldException {

    private static final long serialVersionUID = 1L;

    /** The file has this problem. */
    public ModelFormatException(String file, String problem) {
        this(file, problem, null);
    }

    /** The file has this problem, found while {@code cause} was handled. */
    public ModelFormatException(String file, String problem, @Nullable Throwable cause) {
        super(Category.USER, file + ": " + problem, cause);
    }
}
