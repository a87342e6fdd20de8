package io.teleworld.training.data;

/** Clips that are rendered by background threads while training draws from what is there. Thread-safe. */
public final class ClipPool extends BackgroundPool<GroundTruthClip> implements ClipSupply {

    /**
     * Starts rendering.
     *
     * @param source asked by the threads, each with its own random numbers
     * @param capacity the most clips that are held; when it is reached, rendering ends
     * @param threadCount at least 1
     * @param seed of the threads' random numbers
     */
    public ClipPool(ClipSupply source, int capacity, int threadCount, long seed) {
        super(source::next, capacity, threadCount, seed);
    }
}
