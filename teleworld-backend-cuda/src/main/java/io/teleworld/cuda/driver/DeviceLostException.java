package io.teleworld.cuda.driver;

import io.teleworld.error.TeleWorldException;

/**
 * The device cannot be used any more by this process: a kernel trapped, the card fell off the bus, or its memory is
 * broken. Not retriable; the JVM stays alive, and a new process may use the card again.
 */
public final class DeviceLostException extends TeleWorldException {

    private static final long serialVersionUID = 1L;

    /** A loss that a call reported; {@code message} names it. */
    public DeviceLostException(String message) {
        super(Category.BACKEND, message);
    }
}
