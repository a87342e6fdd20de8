package io.teleworld.worlds;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A binary space partition of a map into convex leaves, built from its lines in double precision.
 *
 * <p>The NODES lump of a WAD rounds split points to whole units, which opens cracks between floors and walls; building
 * the tree anew avoids them. Immutable and thread-safe once built.
 */
final class BspTree {

    private static final double EPSILON = 1e-3;
    private static final int CANDIDATES = 48;

    /** A piece of a line, seen from one of its sides: the sector in front lies to the right of a→b. */
    static final class Seg {
        final double ax;
        final double ay;
        final double bx;
        final double by;
        final int line;
        final boolean back;
        /** Distance of a from the start of the side, along the line. */
        final double offset;

        Seg(double ax, double ay, double bx, double by, int line, boolean back, double offset) {
            this.ax = ax;
            this.ay = ay;
            this.bx = bx;
            this.by = by;
            this.line = line;
            this.back = back;
            this.offset = offset;
        }

        double length() {
            return Math.hypot(bx - ax, by - ay);
        }

        /** Signed distance of a point, positive on the side of the front sector. */
        double distance(double x, double y) {
            return ((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / length();
        }
    }

    static final class Node {
        // Partition: distance = (x − px)·nx + (y − py)·ny, positive in front.
        double px;
        double py;
        double nx;
        double ny;

        @Nullable
        Node front;

        @Nullable
        Node back;
        /** For leaves: index, or −1 for solid rock. */
        int leaf = -1;

        final double[] box = {
            Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NEGATIVE_INFINITY
        };

        double distance(double x, double y) {
            return (x - px) * nx + (y - py) * ny;
        }
    }

    /** A convex piece of a sector: its outline (x, y pairs, clockwise seen from above) and the segs on it. */
    static final class Leaf {
        final int sector;
        final double[] outline;
        final List<Seg> segs;

        Leaf(int sector, double[] outline, List<Seg> segs) {
            this.sector = sector;
            this.outline = outline;
            this.segs = segs;
        }
    }

    final Node root;
    final List<Leaf> leaves = new ArrayList<>();
    private final DoomMap map;

    BspTree(DoomMap map) {
        this.map = map;
        List<Seg> segs = new ArrayList<>();
        for (int i = 0; i < map.lines.size(); i++) {
            DoomMap.Line l = map.lines.get(i);
            double ax = map.vertexX[l.v1()];
            double ay = map.vertexY[l.v1()];
            double bx = map.vertexX[l.v2()];
            double by = map.vertexY[l.v2()];
            boolean plain = l.back() >= 0
                    && map.sides.get(l.front()).sector()
                            == map.sides.get(l.back()).sector()
                    && map.sides.get(l.front()).middle().equals("-")
                    && map.sides.get(l.back()).middle().equals("-");
            if (plain) {
                continue;
            }
            segs.add(new Seg(ax, ay, bx, by, i, false, 0));
            if (l.back() >= 0) {
                segs.add(new Seg(bx, by, ax, ay, i, true, 0));
            }
        }
        double[] box = {Double.MAX_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, -Double.MAX_VALUE};
        for (Seg s : segs) {
            box[0] = Math.min(box[0], Math.min(s.ax, s.bx));
            box[1] = Math.min(box[1], Math.min(s.ay, s.by));
            box[2] = Math.max(box[2], Math.max(s.ax, s.bx));
            box[3] = Math.max(box[3], Math.max(s.ay, s.by));
        }
        double[] hull = {
            box[0] - 64, box[1] - 64, box[0] - 64, box[3] + 64, box[2] + 64, box[3] + 64, box[2] + 64, box[1] - 64
        };
        root = build(segs, hull);
    }

    private Node build(List<Seg> segs, double[] outline) {
        Node node = new Node();
        if (segs.isEmpty()) {
            return node;
        }
        Seg split = choose(segs);
        if (split == null) {
            makeLeaf(node, segs, outline);
            return node;
        }
        double length = split.length();
        node.px = split.ax;
        node.py = split.ay;
        node.nx = (split.by - split.ay) / length;
        node.ny = -(split.bx - split.ax) / length;
        List<Seg> front = new ArrayList<>();
        List<Seg> back = new ArrayList<>();
        for (Seg s : segs) {
            double da = node.distance(s.ax, s.ay);
            double db = node.distance(s.bx, s.by);
            if (Math.abs(da) <= EPSILON && Math.abs(db) <= EPSILON) {
                boolean same = (s.bx - s.ax) * (split.bx - split.ax) + (s.by - s.ay) * (split.by - split.ay) > 0;
                (same ? front : back).add(s);
            } else if (da >= -EPSILON && db >= -EPSILON) {
                front.add(s);
            } else if (da <= EPSILON && db <= EPSILON) {
                back.add(s);
            } else {
                double t = da / (da - db);
                double mx = s.ax + t * (s.bx - s.ax);
                double my = s.ay + t * (s.by - s.ay);
                Seg first = new Seg(s.ax, s.ay, mx, my, s.line, s.back, s.offset);
                Seg second = new Seg(mx, my, s.bx, s.by, s.line, s.back, s.offset + t * s.length());
                (da > 0 ? front : back).add(first);
                (da > 0 ? back : front).add(second);
            }
        }
        node.front = build(front, clip(outline, node.px, node.py, node.nx, node.ny));
        node.back = build(back, clip(outline, node.px, node.py, -node.nx, -node.ny));
        for (Node child : new Node[] {node.front, node.back}) {
            node.box[0] = Math.min(node.box[0], child.box[0]);
            node.box[1] = Math.min(node.box[1], child.box[1]);
            node.box[2] = Math.max(node.box[2], child.box[2]);
            node.box[3] = Math.max(node.box[3], child.box[3]);
        }
        return node;
    }

    private void makeLeaf(Node node, List<Seg> segs, double[] outline) {
        double[] area = new double[map.sectors.size()];
        double[] clipped = outline;
        for (Seg s : segs) {
            DoomMap.Line l = map.lines.get(s.line);
            area[map.sides.get(s.back ? l.back() : l.front()).sector()] += s.length();
            double length = s.length();
            clipped = clip(clipped, s.ax, s.ay, (s.by - s.ay) / length, -(s.bx - s.ax) / length);
        }
        int best = 0;
        for (int i = 1; i < area.length; i++) {
            best = area[i] > area[best] ? i : best;
        }
        node.leaf = leaves.size();
        leaves.add(new Leaf(best, clipped, List.copyOf(segs)));
        for (int i = 0; i < clipped.length; i += 2) {
            node.box[0] = Math.min(node.box[0], clipped[i]);
            node.box[1] = Math.min(node.box[1], clipped[i + 1]);
            node.box[2] = Math.max(node.box[2], clipped[i]);
            node.box[3] = Math.max(node.box[3], clipped[i + 1]);
        }
        for (Seg s : segs) {
            node.box[0] = Math.min(node.box[0], Math.min(s.ax, s.bx));
            node.box[1] = Math.min(node.box[1], Math.min(s.ay, s.by));
            node.box[2] = Math.max(node.box[2], Math.max(s.ax, s.bx));
            node.box[3] = Math.max(node.box[3], Math.max(s.ay, s.by));
        }
    }

    /** The seg whose line divides best, or null if the segs bound a convex region of one sector. */
    private static @Nullable Seg choose(List<Seg> segs) {
        Seg best = null;
        double bestScore = Double.POSITIVE_INFINITY;
        int stride = Math.max(1, segs.size() / CANDIDATES);
        for (int start = 0; start < stride && best == null; start++) {
            for (int i = start; i < segs.size(); i += stride) {
                Seg c = segs.get(i);
                int front = 0;
                int back = 0;
                int splits = 0;
                for (Seg s : segs) {
                    double da = c.distance(s.ax, s.ay);
                    double db = c.distance(s.bx, s.by);
                    if (Math.abs(da) <= EPSILON && Math.abs(db) <= EPSILON) {
                        boolean same = (s.bx - s.ax) * (c.bx - c.ax) + (s.by - s.ay) * (c.by - c.ay) > 0;
                        front += same ? 1 : 0;
                        back += same ? 0 : 1;
                    } else if (da >= -EPSILON && db >= -EPSILON) {
                        front++;
                    } else if (da <= EPSILON && db <= EPSILON) {
                        back++;
                    } else {
                        splits++;
                    }
                }
                if (back + splits == 0) {
                    continue;
                }
                boolean axial = c.ax == c.bx || c.ay == c.by;
                double score = 6.0 * splits + Math.abs(front - back) + (axial ? 0 : 2);
                if (score < bestScore) {
                    bestScore = score;
                    best = c;
                }
            }
        }
        return best;
    }

    /** The part of a convex outline where (p − (px, py))·n ≥ 0. */
    static double[] clip(double[] outline, double px, double py, double nx, double ny) {
        int m = outline.length / 2;
        double[] out = new double[outline.length + 4];
        int n = 0;
        for (int i = 0, j = m - 1; i < m; j = i++) {
            double di = (outline[2 * i] - px) * nx + (outline[2 * i + 1] - py) * ny;
            double dj = (outline[2 * j] - px) * nx + (outline[2 * j + 1] - py) * ny;
            if ((di > EPSILON && dj < -EPSILON) || (di < -EPSILON && dj > EPSILON)) {
                double t = dj / (dj - di);
                out[n++] = outline[2 * j] + t * (outline[2 * i] - outline[2 * j]);
                out[n++] = outline[2 * j + 1] + t * (outline[2 * i + 1] - outline[2 * j + 1]);
            }
            if (di >= -EPSILON) {
                if (n + 2 > out.length) {
                    out = Arrays.copyOf(out, n * 2 + 4);
                }
                out[n++] = outline[2 * i];
                out[n++] = outline[2 * i + 1];
            }
        }
        return Arrays.copyOf(out, n);
    }

    /** The leaf that contains a point, or −1 inside solid rock. */
    int leafAt(double x, double y) {
        Node node = root;
        while (node.front != null && node.back != null) {
            node = node.distance(x, y) >= 0 ? node.front : node.back;
        }
        if (node.leaf >= 0) {
            for (Seg s : leaves.get(node.leaf).segs) {
                if (s.distance(x, y) < -EPSILON) {
                    return -1;
                }
            }
        }
        return node.leaf;
    }
}
