package io.teleworld;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.Objects;

/**
 * A generated picture that is to be reconstructed. Immutable.
 *
 * @param image the decoded picture
 * @param intrinsics of the picture
 * @param pose the commanded camera-to-world pose
 * @param timeSeconds since the start of the world
 * @param known what the memory shows from this pose; all holes where nothing is known
 */
public record Keyframe(RgbImage image, Intrinsics intrinsics, Pose pose, double timeSeconds, GuidanceFrame known) {

    public Keyframe {
        Objects.requireNonNull(pose, "pose");
        if (intrinsics.width() != image.width() || intrinsics.height() != image.height()) {
            throw new IllegalArgumentException("picture is " + image.width() + "×" + image.height()
                    + " but the intrinsics are for " + intrinsics.width() + "×" + intrinsics.height());
        }
        if (known.image().width() != image.width() || known.image().height() != image.height()) {
            throw new IllegalArgumentException("picture is " + image.width() + "×" + image.height()
                    + " but the memory's rendering is " + known.image().width() + "×"
                    + known.image().height());
        }
    }
}
