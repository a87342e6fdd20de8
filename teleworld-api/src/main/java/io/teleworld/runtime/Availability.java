package io.teleworld.runtime;

import java.util.List;

/** Whether a runtime can work on this machine. Immutable. */
public sealed interface Availability {

    /**
     * It can.
     *
     * @param devices at least one
     */
    record Available(List<Device> devices) implements Availability {
        public Available {
            devices = List.copyOf(devices);
        }
    }

    /**
     * It cannot.
     *
     * @param reason one line that says what is missing
     */
    record Unavailable(String reason) implements Availability {}
}
