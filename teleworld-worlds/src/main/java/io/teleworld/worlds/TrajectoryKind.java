package io.teleworld.worlds;

/** The kinds of camera path that {@link TrajectorySampler} makes. */
public enum TrajectoryKind {
    /** A random walk by keys. */
    RANDOM,
    /** A random walk, then exactly the same poses in reverse order. */
    OUT_AND_BACK,
    /** One full turn on the spot; the last pose equals the first. */
    FULL_TURN,
    /** Round a point ahead, looking at it. */
    ORBIT
}
