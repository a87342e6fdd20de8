package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;

/** Slow, obvious ray tracers that share nothing with the rasteriser: the oracles of its depth. */
final class Tracer {

    private Tracer() {}

    /** The ray of a pixel centre with planar length: origin x, y, z, direction x, y, z with unit camera z. */
    static double[] ray(Pose p, Intrinsics k, int x, int y) {
        double ax = (x + 0.5 - k.cx()) / k.fx();
        double ay = (y + 0.5 - k.cy()) / k.fy();
        return new double[] {
            p.tx(),
            p.ty(),
            p.tz(),
            p.r00() * ax + p.r01() * ay + p.r02(),
            p.r10() * ax + p.r11() * ay + p.r12(),
            p.r20() * ax + p.r21() * ay + p.r22()
        };
    }

    /** Planar depth of the static geometry of a map along a ray, walking from sector to sector; +∞ for sky. */
    static double depth(DoomMap map, int startSector, double[] r) {
        double ox = r[0];
        double oh = -r[1];
        double oy = r[2];
        double dx = r[3];
        double dh = -r[4];
        double dy = r[5];
        DoomMap.Sector sector = map.sectors.get(startSector);
        double t = 0;
        for (int hops = 0; hops < 1000; hops++) {
            double next = Double.POSITIVE_INFINITY;
            DoomMap.Line hit = null;
            for (DoomMap.Line l : map.lines) {
                if (l.back() >= 0
                        && map.sides.get(l.front()).sector()
                                == map.sides.get(l.back()).sector()) {
                    continue;
                }
                double ax = map.vertexX[l.v1()];
                double ay = map.vertexY[l.v1()];
                double ex = map.vertexX[l.v2()] - ax;
                double ey = map.vertexY[l.v2()] - ay;
                double det = dx * ey - dy * ex;
                if (Math.abs(det) < 1e-12) {
                    continue;
                }
                double s = ((ax - ox) * ey - (ay - oy) * ex) / det;
                double u = ((ax - ox) * dy - (ay - oy) * dx) / det;
                if (s > t + 1e-7 && s < next && u >= 0 && u <= 1) {
                    next = s;
                    hit = l;
                }
            }
            double plane = dh < 0 ? (sector.floor - oh) / dh : (sector.ceiling - oh) / dh;
            if (dh != 0 && plane <= next) {
                boolean sky = dh > 0 ? sector.skyCeiling() : sector.floorFlat.equals("F_SKY1");
                return sky ? Double.POSITIVE_INFINITY : plane;
            }
            if (hit == null) {
                return Double.NaN;
            }
            if (hit.back() < 0) {
                return next;
            }
            // Which way the ray crosses: the front sector lies to the right of the line.
            double ex = map.vertexX[hit.v2()] - map.vertexX[hit.v1()];
            double ey = map.vertexY[hit.v2()] - map.vertexY[hit.v1()];
            boolean intoFront = dx * ey - dy * ex > 0;
            DoomMap.Sector from = intoFront ? map.backSector(hit) : map.frontSector(hit);
            DoomMap.Sector to = intoFront ? map.frontSector(hit) : map.backSector(hit);
            double h = oh + next * dh;
            if (h < to.floor) {
                return next;
            }
            if (h > to.ceiling) {
                return from.skyCeiling() && to.skyCeiling() ? Double.POSITIVE_INFINITY : next;
            }
            sector = to;
            t = next;
        }
        return Double.NaN;
    }

    /** Label and planar depth of the nearest of some polygons along a ray. */
    static double[] trace(List<Surface> surfaces, double[] r) {
        double best = Double.POSITIVE_INFINITY;
        Surface hit = null;
        for (Surface s : surfaces) {
            double side = s.side(r[0], r[1], r[2]);
            double rate = s.nx * r[3] + s.ny * r[4] + s.nz * r[5];
            if (side <= 0 || rate >= 0) {
                continue;
            }
            double t = -side / rate;
            if (t >= 1 && t < best && inside(s, r[0] + t * r[3], r[1] + t * r[4], r[2] + t * r[5])) {
                best = t;
                hit = s;
            }
        }
        if (hit == null || hit.sky) {
            return new double[] {World.LABEL_NONE, Double.POSITIVE_INFINITY};
        }
        return new double[] {hit.label, best};
    }

    private static boolean inside(Surface s, double x, double y, double z) {
        double[] c = s.corners;
        int sign = 0;
        for (int i = 0, j = c.length - 3; i < c.length; j = i, i += 3) {
            double ax = c[i] - c[j];
            double ay = c[i + 1] - c[j + 1];
            double az = c[i + 2] - c[j + 2];
            double bx = x - c[j];
            double by = y - c[j + 1];
            double bz = z - c[j + 2];
            double dot = s.nx * (ay * bz - az * by) + s.ny * (az * bx - ax * bz) + s.nz * (ax * by - ay * bx);
            int sg = dot > 0 ? 1 : -1;
            if (sign != 0 && sg != sign) {
                return false;
            }
            sign = sg;
        }
        return true;
    }
}
