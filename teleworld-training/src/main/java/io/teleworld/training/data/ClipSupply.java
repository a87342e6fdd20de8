package io.teleworld.training.data;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** An endless supply of clips, rendered on the fly or read from shards. Thread-safe. */
public interface ClipSupply {

    /**
     * A random clip.
     *
     * @param random decides which; used by the calling thread only
     */
    GroundTruthClip next(SplittableRandom random);

    /** So many random clips. */
    default List<GroundTruthClip> take(int count, SplittableRandom random) {
        return Stream.generate(() -> next(random)).limit(count).toList();
    }
}
