package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.Arrays;
import java.util.Objects;

/** What the two kinds of world share: rendering polygons and deriving flow from them. Immutable and thread-safe. */
abstract class PolygonWorld implements World {

    /** Draws everything that may be visible. */
    abstract void emit(Rasteriser r, Pose pose, Intrinsics k, double time);

    /**
     * Moves a point of an instance's surface from one view to another.
     *
     * @param point world x, y, z; replaced
     */
    abstract void carry(int label, double[] point, Pose poseA, double timeA, Pose poseB, double timeB);

    @Override
    public final void render(Pose pose, Intrinsics k, double timeSeconds, RenderTarget out) {
        Objects.requireNonNull(pose, "pose");
        checkTime(timeSeconds);
        out.rasteriser.begin(pose, k);
        emit(out.rasteriser, pose, k, timeSeconds);
        out.rasteriser.resolve(out);
    }

    @Override
    public final float[] flow(Pose poseA, double timeA, Pose poseB, double timeB, Intrinsics k) {
        checkTime(timeA);
        checkTime(timeB);
        int w = k.width();
        int h = k.height();
        RenderTarget a = RenderTarget.depthOnly(w, h);
        render(poseA, k, timeA, a);
        Rasteriser b = new Rasteriser(w, h, 2);
        b.begin(poseB, k);
        emit(b, poseB, k, timeB);
        float[] flow = new float[w * h * 2];
        Arrays.fill(flow, Float.NaN);
        double[] p = new double[3];
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int i = y * w + x;
                double ax = (x + 0.5 - k.cx()) / k.fx();
                double ay = (y + 0.5 - k.cy()) / k.fy();
                double dx = poseA.r00() * ax + poseA.r01() * ay + poseA.r02();
                double dy = poseA.r10() * ax + poseA.r11() * ay + poseA.r12();
                double dz = poseA.r20() * ax + poseA.r21() * ay + poseA.r22();
                double z = a.depth()[i];
                boolean sky = a.label()[i] == LABEL_NONE;
                if (sky) {
                    // At infinity only the direction counts.
                    p[0] = poseB.tx() + dx * 1e7;
                    p[1] = poseB.ty() + dy * 1e7;
                    p[2] = poseB.tz() + dz * 1e7;
                } else {
                    p[0] = poseA.tx() + z * dx;
                    p[1] = poseA.ty() + z * dy;
                    p[2] = poseA.tz() + z * dz;
                    if (a.label()[i] > LABEL_STATIC) {
                        carry(a.label()[i], p, poseA, timeA, poseB, timeB);
                    }
                }
                double qx = p[0] - poseB.tx();
                double qy = p[1] - poseB.ty();
                double qz = p[2] - poseB.tz();
                double bx = poseB.r00() * qx + poseB.r10() * qy + poseB.r20() * qz;
                double by = poseB.r01() * qx + poseB.r11() * qy + poseB.r21() * qz;
                double bz = poseB.r02() * qx + poseB.r12() * qy + poseB.r22() * qz;
                if (bz <= 0) {
                    continue;
                }
                double u = k.fx() * bx / bz + k.cx();
                double v = k.fy() * by / bz + k.cy();
                boolean inside = u >= 0 && u <= w && v >= 0 && v <= h;
                if (inside && (sky ? b.showsSky(u, v) : b.visible(u, v, bz, 2e-3))) {
                    flow[2 * i] = (float) (u - (x + 0.5));
                    flow[2 * i + 1] = (float) (v - (y + 0.5));
                }
            }
        }
        return flow;
    }

    static void checkTime(double time) {
        if (!Double.isFinite(time)) {
            throw new IllegalArgumentException("time is " + time + " s; it must be finite");
        }
    }
}
