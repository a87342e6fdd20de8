package io.teleworld;

import io.teleworld.geometry.Pose;
import java.util.Objects;

/**
 * One frame of the video. Immutable.
 *
 * @param image the picture
 * @param pose the commanded camera-to-world pose; the world's frame is the first camera, its unit the median depth of the
 *     start picture
 * @param timeSeconds since the start of the world; the start picture is at 0
 * @param index from 0, the start picture
 * @param keys the keys in force
 * @param keyEvent the number of the latest {@linkplain WorldSession#control key event} that the frame answers, or 0
 *     before the first
 */
public record WorldFrame(RgbImage image, Pose pose, double timeSeconds, long index, Keys keys, long keyEvent) {

    public WorldFrame {
        Objects.requireNonNull(image, "image");
        Objects.requireNonNull(pose, "pose");
        Objects.requireNonNull(keys, "keys");
        if (index < 0) {
            throw new IllegalArgumentException("frame index is " + index + "; it must not be negative");
        }
    }
}
