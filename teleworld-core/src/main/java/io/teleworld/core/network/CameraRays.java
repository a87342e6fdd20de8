package io.teleworld.core.network;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;

/**
 * What {@link GeometryNet}'s tokens say about their cameras: for the middle of each cell the ray's direction, its moment
 * (the cross product of camera place and direction, Plücker coordinates) and the camera's place, all in the frame of the
 * camera that looks. Moment and place are lengths; their inverse hyperbolic sine is taken, so that far cameras stay in
 * range. Stateless.
 */
public final class CameraRays {

    /** Numbers of a token. */
    public static final int WIDTH = 9;

    private CameraRays() {}

    /**
     * Writes [cameras,rows·columns,{@value #WIDTH}] values.
     *
     * @param viewer camera-to-world, in whose frame the rays are
     * @param cameras camera-to-world
     * @param intrinsics of all of them
     * @param unit factor on lengths
     * @param out receives the values from {@code offset} on
     */
    public static void write(
            Pose viewer,
            List<Pose> cameras,
            Intrinsics intrinsics,
            int rows,
            int columns,
            double unit,
            float[] out,
            int offset) {
        Pose toViewer = viewer.inverse();
        double cellHeight = (double) intrinsics.height() / rows;
        double cellWidth = (double) intrinsics.width() / columns;
        int o = offset;
        for (Pose camera : cameras) {
            Pose p = toViewer.compose(camera);
            double ox = p.tx() * unit;
            double oy = p.ty() * unit;
            double oz = p.tz() * unit;
            for (int i = 0; i < rows; i++) {
                double y = ((i + 0.5) * cellHeight - intrinsics.cy()) / intrinsics.fy();
                for (int j = 0; j < columns; j++) {
                    double x = ((j + 0.5) * cellWidth - intrinsics.cx()) / intrinsics.fx();
                    double length = Math.sqrt(x * x + y * y + 1);
                    double dx = (p.r00() * x + p.r01() * y + p.r02()) / length;
                    double dy = (p.r10() * x + p.r11() * y + p.r12()) / length;
                    double dz = (p.r20() * x + p.r21() * y + p.r22()) / length;
                    out[o++] = (float) dx;
                    out[o++] = (float) dy;
                    out[o++] = (float) dz;
                    out[o++] = bounded(oy * dz - oz * dy);
                    out[o++] = bounded(oz * dx - ox * dz);
                    out[o++] = bounded(ox * dy - oy * dx);
                    out[o++] = bounded(ox);
                    out[o++] = bounded(oy);
                    out[o++] = bounded(oz);
                }
            }
        }
    }

    /** Rays of every camera as seen from every other: [cameras,cameras,rows·columns,{@value #WIDTH}], viewers first. */
    public static float[] all(List<Pose> cameras, Intrinsics intrinsics, int rows, int columns, double unit) {
        int each = cameras.size() * rows * columns * WIDTH;
        float[] out = new float[cameras.size() * each];
        for (int i = 0; i < cameras.size(); i++) {
            write(cameras.get(i), cameras, intrinsics, rows, columns, unit, out, i * each);
        }
        return out;
    }

    private static float bounded(double x) {
        return (float) (Math.signum(x) * Math.log1p(Math.abs(x) + (Math.sqrt(x * x + 1) - 1)));
    }
}
