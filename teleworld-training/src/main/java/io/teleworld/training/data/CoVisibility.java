package io.teleworld.training.data;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;

/**
 * Which pixels of a clip show a surface that its first frame shows too. Only there does the first frame determine what a
 * generated frame has to look like; anything else is invention, of which the truth is only one outcome. Stateless.
 */
public final class CoVisibility {

    /** Relative difference of depth up to which two surfaces are the same. */
    private static final double SAME_SURFACE = 0.05;

    private CoVisibility() {}

    /**
     * The shares for one latent frame.
     *
     * @param clip ground truth; its frame 0 is the reference
     * @param first pixel frame of the clip
     * @param last pixel frame of the clip, inclusive
     * @param block pixels per latent cell, which divides width and height
     * @return per latent cell, row-major, the share of its pixels that frame 0 shows, in [0, 1]
     */
    public static float[] withStart(GroundTruthClip clip, int first, int last, int block) {
        int w = clip.width() / block;
        float[] share = new float[w * (clip.height() / block)];
        float scale = 1f / ((last - first + 1) * block * block);
        for (int t = first; t <= last; t++) {
            for (int y = 0; y < clip.height(); y++) {
                for (int x = 0; x < clip.width(); x++) {
                    if (visible(clip, t, x, y)) {
                        share[y / block * w + x / block] += scale;
                    }
                }
            }
        }
        return share;
    }

    private static boolean visible(GroundTruthClip clip, int t, int x, int y) {
        int w = clip.width();
        int h = clip.height();
        int p = (t * h + y) * w + x;
        if (t == 0) {
            return true;
        }
        if (clip.dynamic()[p] != 0) {
            return false;
        }
        Intrinsics k = clip.intrinsics();
        Pose from = clip.poses().get(t);
        Pose start = clip.poses().get(0);
        boolean sky = Float.isInfinite(clip.depth()[p]);
        // A point of the sky is a direction: its translation does not count.
        double d = sky ? 1 : clip.depth()[p];
        double cx = (x + 0.5 - k.cx()) / k.fx() * d;
        double cy = (y + 0.5 - k.cy()) / k.fy() * d;
        double still = sky ? 0 : 1;
        double wx = from.r00() * cx + from.r01() * cy + from.r02() * d + still * (from.tx() - start.tx());
        double wy = from.r10() * cx + from.r11() * cy + from.r12() * d + still * (from.ty() - start.ty());
        double wz = from.r20() * cx + from.r21() * cy + from.r22() * d + still * (from.tz() - start.tz());
        double sx = start.r00() * wx + start.r10() * wy + start.r20() * wz;
        double sy = start.r01() * wx + start.r11() * wy + start.r21() * wz;
        double sz = start.r02() * wx + start.r12() * wy + start.r22() * wz;
        if (sz <= 0) {
            return false;
        }
        int u = (int) Math.floor(k.fx() * sx / sz + k.cx());
        int v = (int) Math.floor(k.fy() * sy / sz + k.cy());
        if (u < 0 || v < 0 || u >= w || v >= h) {
            return false;
        }
        float there = clip.depth()[v * w + u];
        return sky ? Float.isInfinite(there) : Math.abs(there - sz) <= SAME_SURFACE * sz;
    }
}
