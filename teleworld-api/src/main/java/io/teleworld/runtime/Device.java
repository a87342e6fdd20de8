package io.teleworld.runtime;

import java.util.Objects;

/**
 * Something that a runtime computes on. Immutable.
 *
 * @param id what a user writes to choose it: {@code cpu}, {@code cuda:0}
 * @param description the processor's or card's name
 * @param memoryBytes its memory in bytes, or −1 where unknown
 */
public record Device(String id, String description, long memoryBytes) {

    /** The identifier of the host processor in every runtime. */
    public static final String CPU = "cpu";

    public Device {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(description, "description");
    }
}
