package io.teleworld;

import java.util.List;

/** Recovers geometry from the keyframes of a segment (paper §3.3). Thread-safe. */
@FunctionalInterface
public interface Reconstructor {

    /**
     * Reconstructs keyframes.
     *
     * @param keyframes of one segment, ascending in time; the start picture of a world is a list of one whose memory
     *     rendering is all holes, and whose median depth becomes the unit of length
     * @return one geometry per keyframe, in the same order and in world units
     */
    List<FrameGeometry> reconstruct(List<Keyframe> keyframes);
}
