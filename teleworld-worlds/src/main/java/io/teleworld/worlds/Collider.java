package io.teleworld.worlds;

import java.util.ArrayList;
import java.util.List;

/**
 * Solid line segments and discs in plan, with a moving disc that slides along them.
 *
 * <p>Thread-safe once built: all segments and discs are added first, by one thread.
 */
final class Collider {

    private final double cell;
    private final double originX;
    private final double originY;
    private final int columns;
    private final int rows;
    private final List<List<double[]>> grid;

    Collider(double minX, double minY, double maxX, double maxY, double cell) {
        this.cell = cell;
        this.originX = minX - cell;
        this.originY = minY - cell;
        this.columns = (int) Math.ceil((maxX - originX) / cell) + 2;
        this.rows = (int) Math.ceil((maxY - originY) / cell) + 2;
        this.grid = new ArrayList<>(columns * rows);
        for (int i = 0; i < columns * rows; i++) {
            grid.add(new ArrayList<>(0));
        }
    }

    void addSegment(double ax, double ay, double bx, double by) {
        add(new double[] {ax, ay, bx, by, 0}, 0);
    }

    void addDisc(double x, double y, double radius) {
        add(new double[] {x, y, x, y, radius}, radius);
    }

    private void add(double[] shape, double margin) {
        int x0 = column(Math.min(shape[0], shape[2]) - margin);
        int x1 = column(Math.max(shape[0], shape[2]) + margin);
        int y0 = row(Math.min(shape[1], shape[3]) - margin);
        int y1 = row(Math.max(shape[1], shape[3]) + margin);
        for (int y = y0; y <= y1; y++) {
            for (int x = x0; x <= x1; x++) {
                grid.get(y * columns + x).add(shape);
            }
        }
    }

    private int column(double x) {
        return (int) Math.max(0, Math.min(columns - 1, Math.floor((x - originX) / cell)));
    }

    private int row(double y) {
        return (int) Math.max(0, Math.min(rows - 1, Math.floor((y - originY) / cell)));
    }

    /** The free distance round a point, at most {@code limit}; negative inside a disc. */
    double clearance(double x, double y, double limit) {
        double best = limit;
        for (int j = row(y - limit); j <= row(y + limit); j++) {
            for (int i = column(x - limit); i <= column(x + limit); i++) {
                for (double[] s : grid.get(j * columns + i)) {
                    best = Math.min(best, distance(s, x, y) - s[4]);
                }
            }
        }
        return best;
    }

    private static double along(double[] s, double x, double y) {
        double dx = s[2] - s[0];
        double dy = s[3] - s[1];
        double l2 = dx * dx + dy * dy;
        return l2 == 0 ? 0 : Math.max(0, Math.min(1, ((x - s[0]) * dx + (y - s[1]) * dy) / l2));
    }

    private static double distance(double[] s, double x, double y) {
        double t = along(s, x, y);
        return Math.hypot(x - s[0] - t * (s[2] - s[0]), y - s[1] - t * (s[3] - s[1]));
    }

    /**
     * Moves a disc by (dx, dy) and slides it along what is in the way.
     *
     * @return the end point; the start if the disc cannot move. Its centre never crosses a segment: every partial step
     *     is shorter than the free radius that it starts with
     */
    double[] slide(double x, double y, double dx, double dy, double radius) {
        double length = Math.hypot(dx, dy);
        int steps = (int) Math.ceil(length / (0.45 * radius));
        double px = x;
        double py = y;
        for (int i = 0; i < steps; i++) {
            double free = clearance(px, py, radius);
            double qx = px + dx / steps;
            double qy = py + dy / steps;
            for (int iteration = 0; iteration < 8; iteration++) {
                double worst = 1e-9;
                double pushX = 0;
                double pushY = 0;
                for (int v = row(qy - radius); v <= row(qy + radius); v++) {
                    for (int u = column(qx - radius); u <= column(qx + radius); u++) {
                        for (double[] s : grid.get(v * columns + u)) {
                            double t = along(s, qx, qy);
                            double nx = qx - s[0] - t * (s[2] - s[0]);
                            double ny = qy - s[1] - t * (s[3] - s[1]);
                            double d = Math.hypot(nx, ny);
                            double depth = radius + s[4] - d;
                            if (depth > worst && d > 0) {
                                worst = depth;
                                pushX = nx / d * depth;
                                pushY = ny / d * depth;
                            }
                        }
                    }
                }
                if (worst <= 1e-9) {
                    break;
                }
                qx += pushX;
                qy += pushY;
            }
            boolean clear = clearance(qx, qy, radius) >= Math.min(free, radius) - 1e-6;
            boolean near = Math.hypot(qx - px, qy - py) < 0.95 * free;
            if (!clear || !near) {
                return new double[] {px, py};
            }
            px = qx;
            py = qy;
        }
        return new double[] {px, py};
    }
}
