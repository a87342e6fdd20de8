package io.teleworld.worlds;

import io.teleworld.Keys;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;

/**
 * A camera path, frame by frame, with the keys that made it. Immutable.
 *
 * @param kind how it was made
 * @param poses camera-to-world of every frame, in the world's frame and units
 * @param keys the keys held between the frame before and this frame; none for the first frame
 * @param intrinsics the camera
 * @param startTime world time of the first frame, in seconds
 * @param fps frames per second
 * @param startDepth median depth of the central half of the first view, in world units: the scale of speed (d*)
 */
public record Trajectory(
        TrajectoryKind kind,
        List<Pose> poses,
        List<Keys> keys,
        Intrinsics intrinsics,
        double startTime,
        double fps,
        double startDepth) {

    public Trajectory {
        poses = List.copyOf(poses);
        keys = List.copyOf(keys);
        if (poses.isEmpty() || poses.size() != keys.size()) {
            throw new IllegalArgumentException("trajectory has " + poses.size() + " poses and " + keys.size()
                    + " key sets; both must be equal, ≥ 1");
        }
        if (!(fps > 0) || !Double.isFinite(fps) || !Double.isFinite(startTime)) {
            throw new IllegalArgumentException(
                    "frame rate is " + fps + " from " + startTime + " s; both must be finite, the rate positive");
        }
    }

    /** The number of frames. */
    public int frames() {
        return poses.size();
    }

    /** World time of a frame, in seconds. */
    public double timeOf(int frame) {
        return startTime + frame / fps;
    }
}
