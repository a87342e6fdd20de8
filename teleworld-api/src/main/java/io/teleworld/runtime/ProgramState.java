package io.teleworld.runtime;

import java.util.List;

/**
 * What a program remembers between runs, on its runtime's device: registers and frame caches.
 *
 * <p>Confined to one thread at a time. Owned by the scope that it was made in.
 */
public interface ProgramState extends AutoCloseable {

    /**
     * The frame ids that a cache group holds, in the order in which they were first written.
     *
     * @throws IllegalArgumentException if the graph has no such group
     */
    List<Integer> frames(String group);

    /** Forgets everything: registers become zero, caches empty. */
    void reset();

    /**
     * Forgets some cached frames of a group; ids that are not held are ignored.
     *
     * @throws IllegalArgumentException if the graph has no such group
     */
    void evict(String group, List<Integer> frameIds);

    /** An independent copy, owned by {@code scope}. */
    ProgramState snapshot(Scope scope);

    /**
     * Takes over the content of another state of the same program, which stays as it is.
     *
     * @throws IllegalArgumentException if it belongs to another program
     */
    void restore(ProgramState snapshot);

    /** Bytes that are held. */
    long sizeBytes();

    @Override
    void close();
}
