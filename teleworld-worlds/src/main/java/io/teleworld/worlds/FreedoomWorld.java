package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A Doom-format map as a world: walls, floors, ceilings, sky, sprites, and monsters that walk to and fro.
 *
 * <p>Immutable and thread-safe. One unit is a map unit; x = map x (east), y = −height, z = map y (north). Doors stand
 * open. Colour is a function of the place alone (sector light, no dimming with distance), so that views of one place
 * agree. Sprites are upright rectangles that turn towards the camera's position; a monster's picture depends on the
 * side that it is seen from and on the time.
 */
public final class FreedoomWorld extends PolygonWorld {

    /** Radius of the walking camera, in map units. */
    public static final double RADIUS = 16;
    /** Highest step that can be climbed, in map units. */
    public static final double STEP = 24;
    /** Lowest opening that can be passed, in map units. */
    public static final double HEADROOM = 56;
    /** Height of the camera above the floor, in map units. */
    public static final double EYE = 41;

    private static final double UNITS_PER_METRE = 32;
    private static final double CELL = 32;
    private static final Surface[] NOTHING = {};

    /** What is drawn of one leaf: static geometry, then per seg its walls. */
    private static final class LeafModel {
        final Surface[] planes;
        final BspTree.Seg[] segs;
        final Surface[][] walls;
        final boolean[] closes;

        LeafModel(Surface[] planes, BspTree.Seg[] segs, Surface[][] walls, boolean[] closes) {
            this.planes = planes;
            this.segs = segs;
            this.walls = walls;
            this.closes = closes;
        }
    }

    private static final class Actor {
        final InstanceInfo info;
        final ThingCatalog.Kind kind;
        final double x;
        final double y;
        final double angle;
        final double[] pathX;
        final double[] pathY;
        final double speed;
        final double phase;

        Actor(
                InstanceInfo info,
                ThingCatalog.Kind kind,
                double x,
                double y,
                double angle,
                double[] pathX,
                double[] pathY,
                double speed,
                double phase) {
            this.info = info;
            this.kind = kind;
            this.x = x;
            this.y = y;
            this.angle = angle;
            this.pathX = pathX;
            this.pathY = pathY;
            this.speed = speed;
            this.phase = phase;
        }

        boolean moves() {
            return pathX.length > 1;
        }
    }

    private final String name;
    private final DoomMap map;
    private final WadGraphics pictures;
    private final BspTree tree;
    private final LeafModel[] leaves;
    private final Collider walls;
    private final List<Actor> actors = new ArrayList<>();
    private final List<InstanceInfo> instances;
    private final int[] startCells;
    private final double minX;
    private final double minY;
    private final int columns;

    FreedoomWorld(String name, DoomMap map, WadGraphics pictures) {
        this.name = name;
        this.map = map;
        this.pictures = pictures;
        this.tree = new BspTree(map);
        Texture sky = pictures.sky(WadGraphics.skyOf(map.name));
        this.leaves = new LeafModel[tree.leaves.size()];
        for (int i = 0; i < leaves.length; i++) {
            leaves[i] = modelOf(tree.leaves.get(i), sky);
        }
        double[] box = bounds();
        this.minX = box[0];
        this.minY = box[1];
        this.columns = (int) Math.ceil((box[2] - box[0]) / CELL) + 1;
        int rows = (int) Math.ceil((box[3] - box[1]) / CELL) + 1;
        Collider bare = new Collider(box[0], box[1], box[2], box[3], 128);
        this.walls = new Collider(box[0], box[1], box[2], box[3], 128);
        for (DoomMap.Line l : map.lines) {
            if (blocks(l)) {
                double ax = map.vertexX[l.v1()];
                double ay = map.vertexY[l.v1()];
                double bx = map.vertexX[l.v2()];
                double by = map.vertexY[l.v2()];
                bare.addSegment(ax, ay, bx, by);
                walls.addSegment(ax, ay, bx, by);
            }
        }
        for (DoomMap.Thing t : map.things) {
            ThingCatalog.Kind kind = ThingCatalog.of(t.type());
            if (kind != null && !kind.monster() && kind.radius() > 0 && appears(t)) {
                bare.addDisc(t.x(), t.y(), kind.radius());
                walls.addDisc(t.x(), t.y(), kind.radius());
            }
        }
        placeActors(bare);
        this.startCells = reachable(rows);
        List<InstanceInfo> list = new ArrayList<>();
        for (Actor a : actors) {
            list.add(a.info);
        }
        this.instances = List.copyOf(list);
    }

    private double[] bounds() {
        double[] box = {Double.MAX_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, -Double.MAX_VALUE};
        for (int i = 0; i < map.vertexX.length; i++) {
            box[0] = Math.min(box[0], map.vertexX[i]);
            box[1] = Math.min(box[1], map.vertexY[i]);
            box[2] = Math.max(box[2], map.vertexX[i]);
            box[3] = Math.max(box[3], map.vertexY[i]);
        }
        return box;
    }

    /** Walking is reversible: a ledge that cannot be climbed is not stepped off either. */
    private boolean blocks(DoomMap.Line l) {
        if (l.back() < 0 || (l.flags() & DoomMap.BLOCKING) != 0) {
            return true;
        }
        DoomMap.Sector a = map.frontSector(l);
        DoomMap.Sector b = map.backSector(l);
        return Math.abs(a.floor - b.floor) > STEP
                || Math.min(a.ceiling, b.ceiling) - Math.max(a.floor, b.floor) < HEADROOM;
    }

    /** Single-player things at medium skill. */
    private static boolean appears(DoomMap.Thing t) {
        return (t.flags() & 16) == 0 && (t.flags() & 2) != 0;
    }

    // ---- static geometry ----

    private static float lightOf(int level) {
        // Flatter than the original, which relies on a light that the player carries.
        return (float) Math.pow(0.62 + 0.5 * Math.max(0, Math.min(255, level)) / 255.0, 2.2);
    }

    private LeafModel modelOf(BspTree.Leaf leaf, Texture sky) {
        DoomMap.Sector sector = map.sectors.get(leaf.sector);
        List<Surface> planes = new ArrayList<>();
        if (leaf.outline.length >= 6) {
            planes.add(plane(leaf.outline, sector.floor, true, sector.floorFlat, sector.light, sky));
            planes.add(plane(leaf.outline, sector.ceiling, false, sector.ceilingFlat, sector.light, sky));
        }
        BspTree.Seg[] segs = leaf.segs.toArray(new BspTree.Seg[0]);
        Surface[][] segWalls = new Surface[segs.length][];
        boolean[] closes = new boolean[segs.length];
        for (int i = 0; i < segs.length; i++) {
            DoomMap.Line l = map.lines.get(segs[i].line);
            segWalls[i] = wallsOf(segs[i], l, sky);
            if (l.back() < 0) {
                closes[i] = true;
            } else {
                DoomMap.Sector a = map.frontSector(l);
                DoomMap.Sector b = map.backSector(l);
                closes[i] = Math.min(a.ceiling, b.ceiling) <= Math.max(a.floor, b.floor);
            }
        }
        return new LeafModel(planes.toArray(new Surface[0]), segs, segWalls, closes);
    }

    private Surface plane(double[] outline, double h, boolean floor, String flat, int light, Texture sky) {
        double[] c = new double[outline.length / 2 * 3];
        for (int i = 0; i < outline.length / 2; i++) {
            c[3 * i] = outline[2 * i];
            c[3 * i + 1] = -h;
            c[3 * i + 2] = outline[2 * i + 1];
        }
        boolean isSky = flat.equals("F_SKY1");
        Surface s = new Surface(c, 0, floor ? -1 : 1, 0, isSky ? sky : pictures.flat(flat));
        s.sky = isSky;
        return s.u(1, 0, 0, 0).v(0, 0, -1, 0).light(lightOf(light));
    }

    private Surface[] wallsOf(BspTree.Seg g, DoomMap.Line l, Texture sky) {
        DoomMap.Side side = map.sides.get(g.back ? l.back() : l.front());
        DoomMap.Sector front = map.sectors.get(side.sector());
        List<Surface> out = new ArrayList<>();
        boolean lowerUnpegged = (l.flags() & DoomMap.LOWER_UNPEGGED) != 0;
        boolean upperUnpegged = (l.flags() & DoomMap.UPPER_UNPEGGED) != 0;
        // As in the original: walls along one axis are a little darker, along the other a little brighter.
        int light = front.light + (g.ay == g.by ? -16 : g.ax == g.bx ? 16 : 0);
        if (l.back() < 0) {
            Texture t = pictures.texture(side.middle());
            double top = lowerUnpegged ? front.floor + t.height : front.ceiling;
            addWall(out, g, front.floor, front.ceiling, t, side.xOffset(), top + side.yOffset(), light);
            return out.toArray(NOTHING);
        }
        DoomMap.Side behind = map.sides.get(g.back ? l.front() : l.back());
        DoomMap.Sector back = map.sectors.get(behind.sector());
        if (back.ceiling < front.ceiling) {
            if (front.skyCeiling() && back.skyCeiling()) {
                addWall(out, g, Math.max(back.ceiling, front.floor), front.ceiling, sky, 0, 0, 255);
                if (!out.isEmpty()) {
                    out.get(out.size() - 1).sky = true;
                }
            } else {
                Texture t = pictures.hasTexture(side.upper())
                        ? pictures.texture(side.upper())
                        : pictures.flat(back.ceilingFlat);
                double top = upperUnpegged ? front.ceiling : back.ceiling + t.height;
                addWall(
                        out,
                        g,
                        Math.max(back.ceiling, front.floor),
                        front.ceiling,
                        t,
                        side.xOffset(),
                        top + side.yOffset(),
                        light);
            }
        }
        if (back.floor > front.floor) {
            Texture t =
                    pictures.hasTexture(side.lower()) ? pictures.texture(side.lower()) : pictures.flat(back.floorFlat);
            double top = lowerUnpegged ? front.ceiling : back.floor;
            addWall(
                    out,
                    g,
                    front.floor,
                    Math.min(back.floor, front.ceiling),
                    t,
                    side.xOffset(),
                    top + side.yOffset(),
                    light);
        }
        if (pictures.hasTexture(side.middle())) {
            Texture t = pictures.masked(side.middle());
            double openLow = Math.max(front.floor, back.floor);
            double openHigh = Math.min(front.ceiling, back.ceiling);
            double top = (lowerUnpegged ? openLow + t.height : openHigh) + side.yOffset();
            int before = out.size();
            addWall(out, g, Math.max(openLow, top - t.height), Math.min(openHigh, top), t, side.xOffset(), top, light);
            if (out.size() > before) {
                out.get(before).masked = !t.opaque;
            }
        }
        return out.toArray(NOTHING);
    }

    private static void addWall(
            List<Surface> out,
            BspTree.Seg g,
            double low,
            double high,
            Texture t,
            double xOffset,
            double top,
            int light) {
        if (high <= low) {
            return;
        }
        double length = g.length();
        double tx = (g.bx - g.ax) / length;
        double ty = (g.by - g.ay) / length;
        double[] c = {g.ax, -low, g.ay, g.ax, -high, g.ay, g.bx, -high, g.by, g.bx, -low, g.by};
        Surface s = new Surface(c, ty, 0, -tx, t);
        s.u(tx, 0, ty, g.offset + xOffset - tx * g.ax - ty * g.ay).v(0, 1, 0, top);
        out.add(s.light(lightOf(light)));
    }

    // ---- things ----

    private void placeActors(Collider bare) {
        SplittableRandom random = new SplittableRandom(name.hashCode());
        for (DoomMap.Thing t : map.things) {
            ThingCatalog.Kind kind = ThingCatalog.of(t.type());
            SplittableRandom own = random.split();
            if (kind == null || !appears(t) || tree.leafAt(t.x(), t.y()) < 0) {
                continue;
            }
            if (pictures.sprite(kind.sprite(), kind.frames().charAt(0), 1) == null) {
                continue;
            }
            double[][] path = kind.monster() ? patrol(bare, t, kind.radius(), own) : new double[][] {{t.x()}, {t.y()}};
            boolean moves = path[0].length > 1;
            InstanceInfo info = new InstanceInfo(actors.size() + 2, kind.name(), moves);
            double speed = 32 + 40 * own.nextDouble();
            actors.add(new Actor(
                    info,
                    kind,
                    t.x(),
                    t.y(),
                    Math.toRadians(t.angleDegrees()),
                    path[0],
                    path[1],
                    speed,
                    own.nextDouble() * 1000));
        }
    }

    /** Up to three straight legs through free floor: x and y of each corner; a single one if there is no room. */
    private double[][] patrol(Collider bare, DoomMap.Thing t, double radius, SplittableRandom random) {
        double[][] path = {{t.x(), 0, 0, 0}, {t.y(), 0, 0, 0}};
        int corners = 1;
        int previous = -1;
        while (corners < 4) {
            double x = path[0][corners - 1];
            double y = path[1][corners - 1];
            double best = 0;
            int direction = -1;
            for (int k = 0; k < 8; k++) {
                double limit = 96 + 224 * random.nextDouble();
                double free = 0;
                double dx = Math.cos(k * Math.PI / 4);
                double dy = Math.sin(k * Math.PI / 4);
                while (free < limit && stands(bare, x + dx * (free + 8), y + dy * (free + 8), radius)) {
                    free += 8;
                }
                boolean backOrOn = previous >= 0 && (k - previous) % 4 == 0;
                if (free >= 64 && free > best && !backOrOn) {
                    best = free;
                    direction = k;
                }
            }
            if (direction < 0) {
                break;
            }
            path[0][corners] = x + best * Math.cos(direction * Math.PI / 4);
            path[1][corners] = y + best * Math.sin(direction * Math.PI / 4);
            previous = direction;
            corners++;
        }
        return new double[][] {Arrays.copyOf(path[0], corners), Arrays.copyOf(path[1], corners)};
    }

    private boolean stands(Collider c, double x, double y, double radius) {
        return c.clearance(x, y, radius) >= radius && tree.leafAt(x, y) >= 0;
    }

    /** Where an actor is: x, y, heading in radians, floor height. */
    private double[] stateOf(Actor a, double time) {
        double x = a.x;
        double y = a.y;
        double heading = a.angle;
        if (a.moves()) {
            double total = 0;
            for (int i = 1; i < a.pathX.length; i++) {
                total += Math.hypot(a.pathX[i] - a.pathX[i - 1], a.pathY[i] - a.pathY[i - 1]);
            }
            double s = a.phase + time * a.speed;
            s -= Math.floor(s / (2 * total)) * 2 * total;
            boolean forth = s < total;
            double at = forth ? s : 2 * total - s;
            for (int i = 1; i < a.pathX.length; i++) {
                double dx = a.pathX[i] - a.pathX[i - 1];
                double dy = a.pathY[i] - a.pathY[i - 1];
                double leg = Math.hypot(dx, dy);
                if (at <= leg || i == a.pathX.length - 1) {
                    double f = Math.min(1, at / leg);
                    x = a.pathX[i - 1] + f * dx;
                    y = a.pathY[i - 1] + f * dy;
                    heading = Math.atan2(dy, dx) + (forth ? 0 : Math.PI);
                    break;
                }
                at -= leg;
            }
        }
        return new double[] {x, y, heading};
    }

    private void drawActor(Rasteriser r, Actor a, Pose pose, double viewCos, double time) {
        double[] state = stateOf(a, time);
        double toX = pose.tx() - state[0];
        double toY = pose.tz() - state[1];
        double distance = Math.hypot(toX, toY);
        double z = -(toX * pose.r02() + toY * pose.r22());
        if (distance < 12 || (distance > 256 && z < viewCos * distance - 200) || z < -128) {
            return;
        }
        int leaf = tree.leafAt(state[0], state[1]);
        if (leaf < 0) {
            return;
        }
        DoomMap.Sector sector = map.sectors.get(tree.leaves.get(leaf).sector);
        char frame = a.kind.frames().charAt(0);
        int rotation = 1;
        if (a.kind.monster()) {
            // Rotation 1 faces the viewer; the next ones follow as the viewer walks round counter-clockwise.
            double turn = Math.atan2(toY, toX) - state[2] + Math.PI / 8;
            rotation = 1 + Math.floorMod((int) Math.floor(turn / (Math.PI / 4)), 8);
            if (a.moves()) {
                frame = (char) ('A' + Math.floorMod((int) Math.floor(time * 4.4 + a.phase), 4));
            }
        }
        WadGraphics.@Nullable Sprite sprite = pictures.sprite(a.kind.sprite(), frame, rotation);
        if (sprite == null) {
            sprite = pictures.sprite(a.kind.sprite(), 'A', rotation);
        }
        if (sprite == null) {
            return;
        }
        Texture t = sprite.texture();
        double top = a.kind.hanging() > 0
                ? sector.ceiling - a.kind.hanging() + sprite.top()
                : sector.floor + Math.max(sprite.top(), t.height);
        double rightX = -toY / distance;
        double rightY = toX / distance;
        double from = -sprite.left();
        double to = from + t.width;
        double low = -(top - t.height);
        double high = -top;
        double ax = state[0] + from * rightX;
        double ay = state[1] + from * rightY;
        double bx = state[0] + to * rightX;
        double by = state[1] + to * rightY;
        double[] c = {ax, low, ay, ax, high, ay, bx, high, by, bx, low, by};
        Surface s = new Surface(c, toX / distance, 0, toY / distance, t);
        double along = rightX * state[0] + rightY * state[1];
        if (sprite.mirrored()) {
            s.u(-rightX, 0, -rightY, along + to);
        } else {
            s.u(rightX, 0, rightY, -along - from);
        }
        s.v(0, 1, 0, top).light(lightOf(sector.light));
        s.masked = true;
        s.label = a.info.id();
        r.draw(s);
    }

    // ---- rendering ----

    @Override
    void emit(Rasteriser r, Pose pose, Intrinsics k, double time) {
        double x = pose.tx();
        double y = pose.tz();
        AngleClipper clipper = new AngleClipper();
        closeOutsideOfView(clipper, pose, k);
        visit(tree.root, r, clipper, x, pose.ty(), y);
        double spread = Math.hypot(
                Math.max(k.cx(), k.width() - k.cx()) / k.fx(), Math.max(k.cy(), k.height() - k.cy()) / k.fy());
        double viewCos = 1 / Math.sqrt(1 + spread * spread) * 0.8 - 0.2;
        for (Actor a : actors) {
            drawActor(r, a, pose, viewCos, time);
        }
    }

    private static void closeOutsideOfView(AngleClipper clipper, Pose p, Intrinsics k) {
        // The view reaches straight up or down when a vertical direction projects into the picture: keep all open.
        double upZ = Math.abs(p.r12());
        double tanY = Math.max(k.cy(), k.height() - k.cy()) / k.fy();
        double tanX = Math.max(k.cx(), k.width() - k.cx()) / k.fx();
        if (upZ > 0.98 / Math.sqrt(1 + tanX * tanX + tanY * tanY)) {
            return;
        }
        double forwardX = p.r02();
        double forwardY = p.r22();
        double norm = Math.hypot(forwardX, forwardY);
        double lo = Double.POSITIVE_INFINITY;
        double hi = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < 4; i++) {
            double ax = ((i & 1) == 0 ? -k.cx() : k.width() - k.cx()) / k.fx();
            double ay = ((i & 2) == 0 ? -k.cy() : k.height() - k.cy()) / k.fy();
            double dx = p.r00() * ax + p.r01() * ay + p.r02();
            double dy = p.r20() * ax + p.r21() * ay + p.r22();
            double angle = Math.atan2(forwardX * dy - forwardY * dx, forwardX * dx + forwardY * dy);
            lo = Math.min(lo, angle);
            hi = Math.max(hi, angle);
        }
        lo -= 0.01;
        hi += 0.01;
        if (hi - lo > 5.5) {
            return;
        }
        double[] ends = new double[2];
        for (int i = 0; i < 2; i++) {
            double a = i == 0 ? hi : lo;
            double dx = (forwardX * Math.cos(a) - forwardY * Math.sin(a)) / norm;
            double dy = (forwardX * Math.sin(a) + forwardY * Math.cos(a)) / norm;
            ends[i] = AngleClipper.angle(dx, dy);
        }
        clipper.close(ends[0], ends[1]);
    }

    private void visit(BspTree.@Nullable Node node, Rasteriser r, AngleClipper clipper, double x, double h, double y) {
        if (node == null || clipper.full()) {
            return;
        }
        if (node.front == null || node.back == null) {
            if (node.leaf >= 0 && boxVisible(node.box, clipper, x, y)) {
                drawLeaf(leaves[node.leaf], r, clipper, x, h, y);
            }
            return;
        }
        if (!boxVisible(node.box, clipper, x, y)) {
            return;
        }
        boolean inFront = node.distance(x, y) >= 0;
        visit(inFront ? node.front : node.back, r, clipper, x, h, y);
        visit(inFront ? node.back : node.front, r, clipper, x, h, y);
    }

    private static boolean boxVisible(double[] box, AngleClipper clipper, double x, double y) {
        if (x >= box[0] - 1 && x <= box[2] + 1 && y >= box[1] - 1 && y <= box[3] + 1) {
            return true;
        }
        double loX = box[0] - x;
        double loY = box[1] - y;
        double hiX = loX;
        double hiY = loY;
        for (int i = 1; i < 4; i++) {
            double cx = box[(i & 1) == 0 ? 0 : 2] - x;
            double cy = box[(i & 2) == 0 ? 1 : 3] - y;
            if (loX * cy - loY * cx < 0) {
                loX = cx;
                loY = cy;
            }
            if (hiX * cy - hiY * cx > 0) {
                hiX = cx;
                hiY = cy;
            }
        }
        return !clipper.closed(AngleClipper.angle(loX, loY), AngleClipper.angle(hiX, hiY));
    }

    private static void drawLeaf(LeafModel leaf, Rasteriser r, AngleClipper clipper, double x, double h, double y) {
        for (Surface s : leaf.planes) {
            if (s.side(x, h, y) > 0) {
                r.draw(s);
            }
        }
        for (int i = 0; i < leaf.segs.length; i++) {
            BspTree.Seg g = leaf.segs[i];
            if ((x - g.ax) * (g.by - g.ay) - (y - g.ay) * (g.bx - g.ax) <= 0) {
                continue;
            }
            double from = AngleClipper.angle(g.bx - x, g.by - y);
            double to = AngleClipper.angle(g.ax - x, g.ay - y);
            if (clipper.closed(from, to)) {
                continue;
            }
            for (Surface s : leaf.walls[i]) {
                r.draw(s);
            }
            if (leaf.closes[i]) {
                clipper.close(from, to);
            }
        }
    }

    @Override
    void carry(int label, double[] p, Pose poseA, double timeA, Pose poseB, double timeB) {
        Actor a = actors.get(label - 2);
        double[] from = stateOf(a, timeA);
        double[] to = stateOf(a, timeB);
        double fx = poseA.tx() - from[0];
        double fy = poseA.tz() - from[1];
        double fn = Math.hypot(fx, fy);
        double across = ((p[0] - from[0]) * -fy + (p[2] - from[1]) * fx) / fn;
        double tx = poseB.tx() - to[0];
        double ty = poseB.tz() - to[1];
        double tn = Math.hypot(tx, ty);
        p[0] = to[0] - across * ty / tn;
        p[1] += heightAt(from[0], from[1], a) - heightAt(to[0], to[1], a);
        p[2] = to[1] + across * tx / tn;
    }

    private double heightAt(double x, double y, Actor a) {
        int leaf = tree.leafAt(x, y);
        if (leaf < 0) {
            return 0;
        }
        DoomMap.Sector s = map.sectors.get(tree.leaves.get(leaf).sector);
        return a.kind.hanging() > 0 ? s.ceiling : s.floor;
    }

    // ---- walking ----

    /** The centres of all cells that a walk from a player's start reaches. */
    private int[] reachable(int rows) {
        boolean[] seen = new boolean[columns * rows];
        ArrayDeque<Integer> queue = new ArrayDeque<>();
        for (DoomMap.Thing t : map.things) {
            if (t.type() == 1 || t.type() == 11) {
                int cx = (int) Math.floor((t.x() - minX) / CELL);
                int cy = (int) Math.floor((t.y() - minY) / CELL);
                for (int j = cy - 1; j <= cy + 1; j++) {
                    for (int i = cx - 1; i <= cx + 1; i++) {
                        if (i >= 0
                                && j >= 0
                                && i < columns
                                && j < rows
                                && !seen[j * columns + i]
                                && stands(walls, cellX(i), cellY(j), RADIUS)) {
                            seen[j * columns + i] = true;
                            queue.add(j * columns + i);
                        }
                    }
                }
            }
        }
        List<Integer> cells = new ArrayList<>();
        while (!queue.isEmpty()) {
            int c = queue.remove();
            cells.add(c);
            int cx = c % columns;
            int cy = c / columns;
            for (int k = 0; k < 4; k++) {
                int i = cx + (k == 0 ? 1 : k == 1 ? -1 : 0);
                int j = cy + (k == 2 ? 1 : k == 3 ? -1 : 0);
                if (i < 0 || j < 0 || i >= columns || j >= rows || seen[j * columns + i]) {
                    continue;
                }
                if (stands(walls, cellX(i), cellY(j), RADIUS)
                        && stands(walls, (cellX(i) + cellX(cx)) / 2, (cellY(j) + cellY(cy)) / 2, RADIUS)) {
                    seen[j * columns + i] = true;
                    queue.add(j * columns + i);
                }
            }
        }
        return cells.stream().mapToInt(Integer::intValue).toArray();
    }

    private double cellX(int i) {
        return minX + (i + 0.5) * CELL;
    }

    private double cellY(int j) {
        return minY + (j + 0.5) * CELL;
    }

    /** How many 32×32-unit cells of floor a walk from the start reaches; 0 if the map has no start. */
    public int reachableCells() {
        return startCells.length;
    }

    @Override
    public Pose spawn(SplittableRandom random) {
        if (startCells.length == 0) {
            throw new IllegalStateException(name + " has no place to stand: it has no player start");
        }
        int c = startCells[random.nextInt(startCells.length)];
        double x = cellX(c % columns);
        double y = cellY(c / columns);
        double jitterX = x + 16 * (random.nextDouble() - 0.5);
        double jitterY = y + 16 * (random.nextDouble() - 0.5);
        double yaw = random.nextDouble() * 2 * Math.PI;
        if (stands(walls, jitterX, jitterY, RADIUS)) {
            x = jitterX;
            y = jitterY;
        }
        return Pose.yaw(yaw).withTranslation(x, eyeAt(x, y, 0), y);
    }

    private double eyeAt(double x, double y, double otherwise) {
        int leaf = tree.leafAt(x, y);
        return leaf < 0 ? otherwise : -(map.sectors.get(tree.leaves.get(leaf).sector).floor + EYE);
    }

    @Override
    public Pose move(Pose from, double dx, double dy, double dz) {
        double[] end = walls.slide(from.tx(), from.tz(), dx, dz, RADIUS);
        if (tree.leafAt(end[0], end[1]) < 0) {
            return from;
        }
        return from.withTranslation(end[0], eyeAt(end[0], end[1], from.ty()), end[1]);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public double unitsPerMetre() {
        return UNITS_PER_METRE;
    }

    @Override
    public double eyeHeight() {
        return EYE;
    }

    @Override
    public List<InstanceInfo> instances() {
        return instances;
    }
}
