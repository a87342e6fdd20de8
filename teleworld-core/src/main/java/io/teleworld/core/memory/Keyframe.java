package io.teleworld.core.memory;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import org.jspecify.annotations.Nullable;

/**
 * One reconstructed frame on its way into the memory. The arrays are read while {@link WorldMemory#insert} runs and are
 * not kept; the caller owns them.
 *
 * @param time seconds since the session began
 * @param segment index of the segment it belongs to, at least 0
 * @param pose camera-to-world
 * @param camera intrinsics; its size is the size of every image here
 * @param rgb sRGB bytes, row-major, interleaved, 3·width·height
 * @param depth planar depth in world units; positive infinity is sky, anything not positive is missing
 * @param confidence of depth, at least 0, or null if all pixels are equally sure
 * @param dynamic instance id of what moves (1 to 255), 0 where the scene is static, or null if nothing moves
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of large images; never compared
public record Keyframe(
        double time,
        int segment,
        Pose pose,
        Intrinsics camera,
        byte[] rgb,
        float[] depth,
        float @Nullable [] confidence,
        byte @Nullable [] dynamic) {

    public Keyframe {
        int n = camera.width() * camera.height();
        if (!Double.isFinite(time)) {
            throw new IllegalArgumentException("key frame time is " + time + " s; it must be finite");
        }
        if (segment < 0) {
            throw new IllegalArgumentException("segment is " + segment + "; it must be at least 0");
        }
        requireLength("rgb", rgb.length, 3 * n);
        requireLength("depth", depth.length, n);
        if (confidence != null) {
            requireLength("confidence", confidence.length, n);
        }
        if (dynamic != null) {
            requireLength("dynamic", dynamic.length, n);
        }
    }

    private static void requireLength(String name, int length, int expected) {
        if (length != expected) {
            throw new IllegalArgumentException(
                    name + " has " + length + " values; the camera's size needs " + expected);
        }
    }
}
