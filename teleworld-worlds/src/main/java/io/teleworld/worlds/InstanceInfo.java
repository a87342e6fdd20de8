package io.teleworld.worlds;

/**
 * One thing of a world that has a label of its own. Immutable.
 *
 * @param id the label that its pixels carry, at least 2 (0 is sky or nothing, 1 is static geometry)
 * @param name what it is, for people
 * @param dynamic whether it ever moves
 */
public record InstanceInfo(int id, String name, boolean dynamic) {

    public InstanceInfo {
        if (id < 2) {
            throw new IllegalArgumentException("instance id is " + id + "; it must be at least 2");
        }
    }
}
