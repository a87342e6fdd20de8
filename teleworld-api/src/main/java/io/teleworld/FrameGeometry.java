package io.teleworld;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.Objects;

/**
 * The reconstructed geometry of one picture. The arrays are shared: nobody writes to them.
 *
 * @param depth height·width planar depths z in world units; 0 where invalid
 * @param confidence height·width values, larger is surer, at least 0
 * @param intrinsics of the depth map
 * @param pose camera-to-world
 * @param dynamic height·width, true where the content moves by itself
 */
@SuppressWarnings("ArrayRecordComponent")
public record FrameGeometry(float[] depth, float[] confidence, Intrinsics intrinsics, Pose pose, boolean[] dynamic) {

    public FrameGeometry {
        Objects.requireNonNull(pose, "pose");
        int n = intrinsics.width() * intrinsics.height();
        if (depth.length != n || confidence.length != n || dynamic.length != n) {
            throw new IllegalArgumentException("depth, confidence and mask have " + depth.length + ", "
                    + confidence.length + " and " + dynamic.length + " values; " + intrinsics.width() + "×"
                    + intrinsics.height() + " needs " + n);
        }
    }
}
