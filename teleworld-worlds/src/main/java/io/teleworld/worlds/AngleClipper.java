package io.teleworld.worlds;

import java.util.Arrays;

/**
 * The directions, seen from one point in plan, that are already closed by walls.
 *
 * <p>A wall from floor to ceiling hides whatever lies behind it whatever the camera's pitch, so visibility in plan is
 * exact for maps. Directions are pseudo-angles in [0, 4), growing counter-clockwise from east. Confined to one thread.
 */
final class AngleClipper {

    private static final double TOUCH = 1e-9;

    private double[] from = new double[64];
    private double[] to = new double[64];
    private int count;

    /** The pseudo-angle of a direction: monotonic in the angle and exact at equal directions. */
    static double angle(double dx, double dy) {
        double s = Math.abs(dx) + Math.abs(dy);
        if (s == 0) {
            return 0;
        }
        double t = dy / s;
        if (dx < 0) {
            return 2 - t;
        }
        return t < 0 ? 4 + t : t;
    }

    /** Closes the directions from {@code a} counter-clockwise to {@code b}. */
    void close(double a, double b) {
        if (a > b) {
            insert(a, 4);
            insert(0, b);
        } else {
            insert(a, b);
        }
    }

    /** Whether everything from {@code a} counter-clockwise to {@code b} is closed. */
    boolean closed(double a, double b) {
        return a > b ? covered(a, 4) && covered(0, b) : covered(a, b);
    }

    /** Whether nothing is left to see. */
    boolean full() {
        return count == 1 && from[0] <= TOUCH && to[0] >= 4 - TOUCH;
    }

    private boolean covered(double a, double b) {
        for (int i = 0; i < count; i++) {
            if (from[i] <= a + TOUCH && to[i] >= b - TOUCH) {
                return true;
            }
            if (from[i] > a) {
                return false;
            }
        }
        return false;
    }

    private void insert(double a, double b) {
        int i = 0;
        while (i < count && to[i] < a - TOUCH) {
            i++;
        }
        int j = i;
        while (j < count && from[j] <= b + TOUCH) {
            a = Math.min(a, from[j]);
            b = Math.max(b, to[j]);
            j++;
        }
        if (count + 1 > from.length) {
            from = Arrays.copyOf(from, count * 2);
            to = Arrays.copyOf(to, count * 2);
        }
        System.arraycopy(from, j, from, i + 1, count - j);
        System.arraycopy(to, j, to, i + 1, count - j);
        from[i] = a;
        to[i] = b;
        count += 1 - (j - i);
    }
}
