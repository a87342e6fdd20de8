package io.teleworld;

import io.teleworld.geometry.Pose;
import java.util.List;

/** Shows the generator what is known of the places that it is about to film (paper §3.4.2). Thread-safe. */
@FunctionalInterface
public interface Guidance {

    /**
     * Renders guidance for a segment's pixel frames.
     *
     * @param poses camera-to-world, one per pixel frame, latent frame 1's picture first
     * @param times seconds since the start of the world, one per pose
     * @param memory what is known
     * @return one frame per pose, of the model's size; or nothing, if the segment is to be generated without guidance
     */
    List<GuidanceFrame> guide(List<Pose> poses, List<Double> times, MemoryView memory);

    /** No guidance at all: the generator sees only its own frames and the camera is not steered. */
    static Guidance off() {
        return (poses, times, memory) -> List.of();
    }

    /** The 4D memory rendered from every pose: what a session uses unless it is told otherwise. */
    static Guidance rendered() {
        return (poses, times, memory) -> memory.render(poses, times);
    }
}
