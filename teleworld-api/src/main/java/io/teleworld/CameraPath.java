package io.teleworld;

import io.teleworld.geometry.Pose;

/** A camera that follows a path instead of the keys. Thread-safe; the same frame gives the same pose. */
@FunctionalInterface
public interface CameraPath {

    /**
     * The pose of a frame.
     *
     * @param frame number of the frame in the world, at least 1; the start picture is frame 0, at the identity
     * @return camera-to-world, in the frame of the first camera; the unit is the median depth of the start picture
     */
    Pose at(long frame);
}
