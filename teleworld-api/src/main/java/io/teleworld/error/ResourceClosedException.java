package io.teleworld.error;

import org.jspecify.annotations.Nullable;

/** Thrown when a closed object is used; the cause, where tracking is on, shows where it was closed. */
public final class ResourceClosedException extends TeleWorldException {

    private static final long serialVersionUID = 1L;

    /** The named object is closed; {@code closeSite} is where, or null if that was not tracked. */
    public ResourceClosedException(String what, @Nullable Throwable closeSite) {
        super(Category.INTERNAL, what + " is closed", closeSite);
    }
}
