package io.teleworld.training.data;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;

/**
 * A run of consecutive frames with ground truth. Immutable by agreement: its arrays must not be written.
 *
 * @param intrinsics the camera
 * @param rgb [T,H,W,3] sRGB bytes
 * @param depth [T,H,W] planar depth in eye heights, +∞ for sky
 * @param dynamic [T,H,W] 1 where something moves by itself, else 0
 * @param poses T camera poses, translations in eye heights
 * @param world name of the world, empty where it does not matter
 */
@SuppressWarnings("ArrayRecordComponent")
public record GroundTruthClip(
        Intrinsics intrinsics, byte[] rgb, float[] depth, byte[] dynamic, List<Pose> poses, String world) {

    /** Frames of a world without a name. */
    public GroundTruthClip(Intrinsics intrinsics, byte[] rgb, float[] depth, byte[] dynamic, List<Pose> poses) {
        this(intrinsics, rgb, depth, dynamic, poses, "");
    }

    public GroundTruthClip {
        poses = List.copyOf(poses);
        int pixels = intrinsics.width() * intrinsics.height() * poses.size();
        if (rgb.length != 3 * pixels || depth.length != pixels || dynamic.length != pixels) {
            throw new IllegalArgumentException("clip of " + poses.size() + " frames of " + intrinsics.width() + "×"
                    + intrinsics.height() + " has " + rgb.length + " colour bytes, " + depth.length + " depths and "
                    + dynamic.length + " labels");
        }
    }

    public int frames() {
        return poses.size();
    }

    public int height() {
        return intrinsics.height();
    }

    public int width() {
        return intrinsics.width();
    }

    /**
     * Copies a window of frames as floats in [-1,1], channels first: [count,3,h,w].
     *
     * @param out receives count·3·h·w values from {@code offset} on
     */
    public void normalised(int firstFrame, int count, int top, int left, int h, int w, float[] out, int offset) {
        int o = offset;
        for (int t = firstFrame; t < firstFrame + count; t++) {
            for (int c = 0; c < 3; c++) {
                for (int y = top; y < top + h; y++) {
                    int row = ((t * height() + y) * width() + left) * 3 + c;
                    for (int x = 0; x < w; x++) {
                        out[o++] = (rgb[row + 3 * x] & 0xff) / 127.5f - 1f;
                    }
                }
            }
        }
    }
}
