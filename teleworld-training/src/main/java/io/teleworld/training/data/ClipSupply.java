package io.teleworld.training.data;

import java.util.SplittableRandom;

/** An endless supply of clips, rendered on the fly or read from shards. Thread-safe. */
public interface ClipSupply {

    /**
     * A random clip.
     *
     * @param random decides which; used by the calling thread only
     */
    GroundTruthClip next(SplittableRandom random);
}
