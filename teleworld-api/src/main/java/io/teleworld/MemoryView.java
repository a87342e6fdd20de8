package io.teleworld;

import io.teleworld.geometry.Pose;
import java.util.List;

/** An immutable version of the 4D memory. Thread-safe. */
public interface MemoryView {

    /** Points of the static map and the dynamic layer together. */
    long pointCount();

    /**
     * Renders the memory with the model's intrinsics.
     *
     * @param poses camera-to-world
     * @param times seconds since the start of the world, one per pose; decide which dynamic content is shown
     */
    List<GuidanceFrame> render(List<Pose> poses, List<Double> times);
}
