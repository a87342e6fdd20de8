package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A procedural house: rooms and courtyards joined by doorways, with columns, crates, balls and paintings, lit by
 * coloured lamps, and with things that move.
 *
 * <p>Immutable and thread-safe; a function of its seed alone. 32 units to the metre. All pictures are band-limited.
 * Moving things are rigid; they carry labels from 2 on, all else is static geometry or sky.
 */
public final class RoomWorld extends PolygonWorld {

    /** Radius of the walking camera, in units. */
    public static final double RADIUS = 16;

    private static final double UNITS_PER_METRE = 32;
    private static final double EYE = 45;
    /** Half the thickness of a wall. */
    private static final double HALF_WALL = 7;

    private static final double MIN_SIDE = 200;

    /** One room: the rectangle between its wall faces. */
    private static final class Room {
        final double x0;
        final double z0;
        final double x1;
        final double z1;
        double height;
        boolean open;
        final List<Opening> openings = new ArrayList<>();
        final List<Surface> building = new ArrayList<>();
        Light[] lights = {};
        float ambientRed;
        float ambientGreen;
        float ambientBlue;
        Surface[] surfaces = {};

        Room(double x0, double z0, double x1, double z1) {
            this.x0 = x0;
            this.z0 = z0;
            this.x1 = x1;
            this.z1 = z1;
        }

        /** Adds a surface that is lit by this room's lamps. */
        void add(Surface s) {
            s.lights = lights;
            s.tint(ambientRed, ambientGreen, ambientBlue);
            building.add(s);
        }
    }

    /** A doorway in one wall of a room: 0 west, 1 east, 2 south, 3 north; [from, to] along the wall. */
    private record Opening(int wall, double from, double to, double height) {}

    /** A rigid thing that moves on a closed curve. */
    private static final class Mover {
        final InstanceInfo info;
        final Room room;
        final Surface[] faces;
        final double x;
        final double z;
        final double lift;
        final double swingX;
        final double swingZ;
        final double circle;
        final double bob;
        final double rate;
        final double spin;
        final double phase;
        final double reach;

        Mover(
                InstanceInfo info,
                Room room,
                List<Surface> faces,
                double x,
                double z,
                double lift,
                double[] motion,
                double reach) {
            this.info = info;
            this.room = room;
            this.faces = faces.toArray(new Surface[0]);
            this.x = x;
            this.z = z;
            this.lift = lift;
            this.swingX = motion[0];
            this.swingZ = motion[1];
            this.circle = motion[2];
            this.bob = motion[3];
            this.rate = motion[4];
            this.spin = motion[5];
            this.phase = motion[6];
            this.reach = reach;
        }

        /** Place and turn at a time: x, y, z, yaw. */
        double[] state(double time) {
            double a = rate * time + phase;
            return new double[] {
                x + swingX * Math.sin(a) + circle * Math.cos(a),
                -lift - bob * (0.5 + 0.5 * Math.sin(1.3 * a)),
                z + swingZ * Math.sin(a) + circle * Math.sin(a),
                spin * time + phase
            };
        }
    }

    private final long seed;
    private final List<Room> rooms = new ArrayList<>();
    private final List<Mover> movers = new ArrayList<>();
    private final List<InstanceInfo> instances;
    private final Collider walls;

    private RoomWorld(long seed) {
        this.seed = seed;
        SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + 1);
        double width = 480 + 640 * random.nextDouble();
        double depth = 480 + 640 * random.nextDouble();
        split(random, 0, 0, width, depth, 0);
        this.walls = new Collider(0, 0, width, depth, 64);
        join(random);
        Texture sky = Patterns.sky(random);
        for (Room room : rooms) {
            furnish(random.split(), room, sky);
        }
        List<InstanceInfo> list = new ArrayList<>();
        for (Mover m : movers) {
            list.add(m.info);
        }
        this.instances = List.copyOf(list);
    }

    /** The house that grows from a seed; takes about a tenth of a second. */
    public static RoomWorld generate(long seed) {
        return new RoomWorld(seed);
    }

    // ---- plan ----

    private void split(SplittableRandom random, double x0, double z0, double x1, double z1, int depth) {
        double w = x1 - x0;
        double d = z1 - z0;
        boolean large = Math.max(w, d) > 2 * MIN_SIDE;
        if (!large || (depth >= 2 && Math.max(w, d) < 520 && random.nextInt(4) == 0)) {
            rooms.add(new Room(x0 + HALF_WALL, z0 + HALF_WALL, x1 - HALF_WALL, z1 - HALF_WALL));
            return;
        }
        double share = 0.35 + 0.3 * random.nextDouble();
        if (w > d) {
            double cut = Math.max(x0 + 0.8 * MIN_SIDE, Math.min(x1 - 0.8 * MIN_SIDE, x0 + share * w));
            split(random, x0, z0, cut, z1, depth + 1);
            split(random, cut, z0, x1, z1, depth + 1);
        } else {
            double cut = Math.max(z0 + 0.8 * MIN_SIDE, Math.min(z1 - 0.8 * MIN_SIDE, z0 + share * d));
            split(random, x0, z0, x1, cut, depth + 1);
            split(random, x0, cut, x1, z1, depth + 1);
        }
    }

    /** Sets heights and cuts doorways: enough that all rooms connect, and some more. */
    private void join(SplittableRandom random) {
        for (Room r : rooms) {
            r.height = 88 + 96 * random.nextDouble();
            r.open = random.nextInt(4) == 0;
        }
        int[] group = new int[rooms.size()];
        for (int i = 0; i < group.length; i++) {
            group[i] = i;
        }
        for (int i = 0; i < rooms.size(); i++) {
            for (int j = 0; j < rooms.size(); j++) {
                Room a = rooms.get(i);
                Room b = rooms.get(j);
                boolean east = Math.abs(a.x1 + 2 * HALF_WALL - b.x0) < 1e-6;
                boolean north = Math.abs(a.z1 + 2 * HALF_WALL - b.z0) < 1e-6;
                double from = east ? Math.max(a.z0, b.z0) : Math.max(a.x0, b.x0);
                double to = east ? Math.min(a.z1, b.z1) : Math.min(a.x1, b.x1);
                if ((!east && !north) || to - from < 80) {
                    continue;
                }
                boolean needed = group[i] != group[j];
                if (!needed && random.nextInt(3) > 0) {
                    continue;
                }
                int merged = group[j];
                for (int k = 0; k < group.length; k++) {
                    group[k] = group[k] == merged ? group[i] : group[k];
                }
                double wide = Math.min(to - from - 16, 56 + 90 * random.nextDouble());
                double start = from + 8 + (to - from - 16 - wide) * random.nextDouble();
                double high = Math.min(Math.min(a.height, b.height) - 8, 72 + 40 * random.nextDouble());
                a.openings.add(new Opening(east ? 1 : 3, start, start + wide, high));
                b.openings.add(new Opening(east ? 0 : 2, start, start + wide, high));
            }
        }
    }

    // ---- one room ----

    private void furnish(SplittableRandom random, Room room, Texture sky) {
        double hue = random.nextDouble();
        double lampHue = random.nextDouble();
        int lamps = 1 + random.nextInt(3);
        float ambient = room.open ? 0.55f : 0.28f + 0.12f * ((float) random.nextDouble());
        float[] tone = Patterns.hsv(lampHue, room.open ? 0.05 : 0.15 * random.nextDouble(), 1);
        room.ambientRed = ambient * tone[0];
        room.ambientGreen = ambient * tone[1];
        room.ambientBlue = ambient * tone[2];
        room.lights = new Light[lamps];
        double extent = Math.max(room.x1 - room.x0, room.z1 - room.z0);
        for (int i = 0; i < lamps; i++) {
            float[] c = Patterns.hsv(
                    random.nextInt(3) == 0 ? random.nextDouble() : 0.08 + 0.06 * random.nextDouble(),
                    0.35 * random.nextDouble(),
                    1);
            float power = (float) ((1.1 + 0.5 * random.nextDouble()) / (0.6 + 0.4 * lamps));
            room.lights[i] = new Light(
                    room.x0 + (room.x1 - room.x0) * (0.2 + 0.6 * random.nextDouble()),
                    -room.height * (room.open ? 1.6 : 0.9),
                    room.z0 + (room.z1 - room.z0) * (0.2 + 0.6 * random.nextDouble()),
                    power * c[0],
                    power * c[1],
                    power * c[2],
                    0.6 * extent + 60);
        }
        Texture wall = Patterns.wall(random, hue);
        Texture floor = Patterns.floor(random, hue + 0.3 * random.nextDouble());
        Texture ceiling = Patterns.ceiling(random, hue);
        Texture trim = Patterns.planks(random, 0.07, false);
        double wallScale = 0.6 + 0.7 * random.nextDouble();
        double floorScale = 0.5 + 0.6 * random.nextDouble();
        double[] outline = {room.x0, room.z0, room.x1, room.z0, room.x1, room.z1, room.x0, room.z1};
        room.add(Shapes.lid(outline, 0, true, floor, floorScale));
        Surface top = Shapes.lid(outline, room.height, false, room.open ? sky : ceiling, 0.6);
        top.sky = room.open;
        room.add(top);
        for (int w = 0; w < 4; w++) {
            buildWall(random, room, w, wall, wallScale, trim, floor, floorScale);
        }
        placeThings(random, room, hue);
        if (!room.open) {
            for (Light l : room.lights) {
                addLamp(room, l);
            }
        }
        room.surfaces = room.building.toArray(new Surface[0]);
    }

    /** A bright plate under the ceiling where the light comes from. */
    private static void addLamp(Room room, Light l) {
        int[] white = new int[64];
        Arrays.fill(white, 0xfffff4e0);
        Texture t = Texture.ofArgb("lamp", 8, 8, white, true, true);
        double[] o = {l.x() - 14, l.z() - 14, l.x() + 14, l.z() - 14, l.x() + 14, l.z() + 14, l.x() - 14, l.z() + 14};
        Surface s = Shapes.lid(o, room.height - 1, false, t, 0.25);
        float peak = Math.max(l.red(), Math.max(l.green(), l.blue()));
        s.tint(l.red() / peak, l.green() / peak, l.blue() / peak);
        room.building.add(s);
    }

    private void buildWall(
            SplittableRandom random,
            Room r,
            int w,
            Texture wall,
            double scale,
            Texture trim,
            Texture floor,
            double floorScale) {
        boolean alongZ = w < 2;
        double fixed = w == 0 ? r.x0 : w == 1 ? r.x1 : w == 2 ? r.z0 : r.z1;
        double outward = w == 0 || w == 2 ? -1 : 1;
        double[] normal = alongZ ? new double[] {-outward, 0, 0} : new double[] {0, 0, -outward};
        double start = alongZ ? r.z0 : r.x0;
        double end = alongZ ? r.z1 : r.x1;
        List<Opening> doors = new ArrayList<>();
        for (Opening o : r.openings) {
            if (o.wall() == w) {
                doors.add(o);
            }
        }
        doors.sort((a, b) -> Double.compare(a.from(), b.from()));
        double at = start;
        for (Opening o : doors) {
            wallPiece(random, r, alongZ, fixed, normal, at, o.from(), 0, r.height, start, wall, scale, trim);
            wallPiece(
                    random, r, alongZ, fixed, normal, o.from(), o.to(), o.height(), r.height, start, wall, scale, trim);
            // This room's half of the passage: two jambs, lintel and threshold, and what stops the walker.
            double far = fixed + outward * HALF_WALL;
            for (int side = 0; side < 2; side++) {
                double p = side == 0 ? o.from() : o.to();
                double[] n = alongZ ? new double[] {0, 0, side == 0 ? 1 : -1} : new double[] {side == 0 ? 1 : -1, 0, 0};
                r.add(Shapes.quad(
                        point(alongZ, fixed, p, o.height()),
                        alongZ ? new double[] {far - fixed, 0, 0} : new double[] {0, 0, far - fixed},
                        new double[] {0, o.height(), 0},
                        n,
                        trim,
                        0.8,
                        0,
                        0));
                double[] a = point(alongZ, fixed, p, 0);
                double[] b = point(alongZ, far, p, 0);
                walls.addSegment(a[0], a[2], b[0], b[2]);
            }
            double[] a = point(alongZ, fixed, o.from(), 0);
            double[] b = point(alongZ, far, o.to(), 0);
            double[] strip = {a[0], a[2], b[0], a[2], b[0], b[2], a[0], b[2]};
            r.add(Shapes.lid(strip, 0, true, floor, floorScale));
            r.add(Shapes.lid(strip, o.height(), false, trim, 0.8));
            at = o.to();
        }
        wallPiece(random, r, alongZ, fixed, normal, at, end, 0, r.height, start, wall, scale, trim);
    }

    private static double[] point(boolean alongZ, double fixed, double along, double h) {
        return alongZ ? new double[] {fixed, -h, along} : new double[] {along, -h, fixed};
    }

    private void wallPiece(
            SplittableRandom random,
            Room r,
            boolean alongZ,
            double fixed,
            double[] normal,
            double from,
            double to,
            double h0,
            double h1,
            double origin,
            Texture t,
            double scale,
            Texture trim) {
        if (to - from < 1e-6 || h1 - h0 < 1e-6) {
            return;
        }
        double[] along = alongZ ? new double[] {0, 0, to - from} : new double[] {to - from, 0, 0};
        r.add(Shapes.quad(
                point(alongZ, fixed, from, h1),
                along,
                new double[] {0, h1 - h0, 0},
                normal,
                t,
                scale,
                (from - origin) * scale,
                (r.height - h1) * scale));
        if (h0 > 0) {
            return;
        }
        double[] a = point(alongZ, fixed, from, 0);
        double[] b = point(alongZ, fixed, to, 0);
        walls.addSegment(a[0], a[2], b[0], b[2]);
        double proud = fixed + 0.6 * (alongZ ? normal[0] : normal[2]);
        r.add(Shapes.quad(point(alongZ, proud, from, 6), along, new double[] {0, 6, 0}, normal, trim, 1, 0, 0));
        double room = to - from;
        double next = from + 24 + 60 * random.nextDouble();
        while (next + 96 < to && room > 120) {
            int w = 40 + random.nextInt(40);
            int h = 32 + random.nextInt(24);
            if (random.nextInt(5) < 3) {
                double size = 0.7 + 0.4 * random.nextDouble();
                double top = Math.min(r.height - 10, 38 + h * size * 0.9);
                Texture p = Patterns.painting(random, w, h);
                boolean mirrored = (alongZ ? normal[0] : -normal[2]) > 0;
                double[] dir = alongZ ? new double[] {0, 0, w * size} : new double[] {w * size, 0, 0};
                double begin = next;
                if (mirrored) {
                    begin += w * size;
                    dir[0] = -dir[0];
                    dir[2] = -dir[2];
                }
                r.add(Shapes.quad(
                        point(alongZ, proud, begin, top),
                        dir,
                        new double[] {0, h * size, 0},
                        normal,
                        p,
                        1 / size,
                        0,
                        0));
            }
            next += w + 40 + 80 * random.nextDouble();
        }
    }

    private void placeThings(SplittableRandom random, Room r, double hue) {
        double area = (r.x1 - r.x0) * (r.z1 - r.z0);
        int wanted = 5 + (int) (area / 5000 * (0.5 + random.nextDouble()));
        for (int i = 0; i < wanted; i++) {
            double radius = 12 + 20 * random.nextDouble();
            double x = r.x0 + radius + (r.x1 - r.x0 - 2 * radius) * random.nextDouble();
            double z = r.z0 + radius + (r.z1 - r.z0 - 2 * radius) * random.nextDouble();
            if (walls.clearance(x, z, 90) < radius + 26 || doorwayNear(r, x, z, radius + 44)) {
                continue;
            }
            double thingHue = random.nextInt(3) == 0 ? hue + 0.5 : random.nextDouble();
            Texture t = Patterns.object(random, thingHue);
            if (i > 0 && random.nextInt(3) == 0) {
                addMover(random, r, t, x, z, radius);
                continue;
            }
            addThing(random, r, t, x, z, radius);
        }
        // Every room has at least one thing that moves, if there is space.
        for (int attempt = 0; attempt < 12; attempt++) {
            double x = r.x0 + (r.x1 - r.x0) * random.nextDouble();
            double z = r.z0 + (r.z1 - r.z0) * random.nextDouble();
            if (walls.clearance(x, z, 90) > 70) {
                addMover(random, r, Patterns.object(random, random.nextDouble()), x, z, 10 + 10 * random.nextDouble());
                break;
            }
        }
    }

    private static boolean doorwayNear(Room r, double x, double z, double reach) {
        for (Opening o : r.openings) {
            double along = o.wall() < 2 ? z : x;
            double across = switch (o.wall()) {
                case 0 -> x - r.x0;
                case 1 -> r.x1 - x;
                case 2 -> z - r.z0;
                default -> r.z1 - z;
            };
            if (along > o.from() - reach && along < o.to() + reach && across < reach) {
                return true;
            }
        }
        return false;
    }

    private void addThing(SplittableRandom random, Room r, Texture t, double x, double z, double radius) {
        double yaw = random.nextDouble() * 2 * Math.PI;
        List<Surface> parts = new ArrayList<>();
        double solid = radius;
        switch (random.nextInt(7)) {
            case 0 ->
                parts.addAll(
                        Shapes.prism(Shapes.regular(6 + 2 * random.nextInt(4), 0.6 * radius), 0, r.height, t, 0.8));
            case 1 -> parts.addAll(Shapes.ball(0.8 * radius, t, 1.2));
            case 2 -> parts.addAll(Shapes.pyramid(4 + random.nextInt(3), radius, 30 + 40 * random.nextDouble(), t, 1));
            case 3 -> {
                // A table.
                double h = 24 + 4 * random.nextDouble();
                double half = 0.7 * radius;
                parts.addAll(Shapes.prism(Shapes.rectangle(half, 0.8 * half), h - 3, h, t, 1));
                for (int k = 0; k < 4; k++) {
                    double lx = (k % 2 == 0 ? -1 : 1) * (half - 3);
                    double lz = (k / 2 == 0 ? -1 : 1) * (0.8 * half - 3);
                    for (Surface s : Shapes.prism(Shapes.rectangle(1.6, 1.6), 0, h - 3, t, 1)) {
                        parts.add(s.placed(1, 0, lx, 0, lz));
                    }
                }
                for (Surface s :
                        Shapes.ball(4 + 3 * random.nextDouble(), Patterns.marble(random, random.nextDouble()), 3)) {
                    parts.add(s.placed(1, 0, 0, -h, 0));
                }
            }
            default -> {
                double half = 0.7 * radius;
                double h = half * (1.2 + random.nextDouble());
                double texels = t.width / (2 * half);
                parts.addAll(Shapes.prism(Shapes.rectangle(half, half), 0, h, t, Math.min(texels, 1.6)));
                if (random.nextInt(3) == 0) {
                    double turn = random.nextDouble();
                    double upper = 0.6 * half;
                    for (Surface s : Shapes.prism(
                            Shapes.rectangle(upper, upper), 0, 1.6 * upper, Patterns.crate(random), 32 / upper)) {
                        parts.add(s.placed(Math.cos(turn), Math.sin(turn), 0, -h, 0));
                    }
                }
            }
        }
        walls.addDisc(x, z, solid);
        for (Surface s : parts) {
            r.add(s.placed(Math.cos(yaw), Math.sin(yaw), x, 0, z));
        }
    }

    private void addMover(SplittableRandom random, Room r, Texture t, double x, double z, double size) {
        double reach = 0.6 * size + 8;
        boolean ball = random.nextBoolean();
        double half = 0.5 * size + 3;
        List<Surface> faces = ball
                ? Shapes.ball(half, t, 1.5)
                : Shapes.prism(Shapes.rectangle(half, half), 0, 2 * half, t, Math.min(1.6, t.width / (2 * half)));
        double span = walls.clearance(x, z, 160) - reach - 4;
        if (span < 12) {
            return;
        }
        double rate = 0.5 + 1.1 * random.nextDouble();
        double[] motion = new double[7];
        double direction = random.nextDouble() * 2 * Math.PI;
        switch (random.nextInt(3)) {
            case 0 -> {
                motion[0] = span * Math.cos(direction);
                motion[1] = span * Math.sin(direction);
                rate = Math.min(rate, 70 / span);
            }
            case 1 -> {
                motion[2] = 0.9 * span;
                rate = Math.min(rate, 60 / span);
            }
            default -> motion[3] = Math.min(40, Math.max(4, r.height - 2 * half - 16));
        }
        motion[4] = rate;
        motion[5] = ball ? rate * 0.5 : 1.6 * (random.nextDouble() - 0.5);
        motion[6] = direction;
        double lift = random.nextInt(3) == 0 ? 10 + 20 * random.nextDouble() : 0;
        InstanceInfo info = new InstanceInfo(movers.size() + 2, (ball ? "ball of " : "box of ") + t.name, true);
        movers.add(new Mover(info, r, faces, x, z, lift, motion, 2 * half));
    }

    // ---- rendering ----

    @Override
    void emit(Rasteriser r, Pose pose, Intrinsics k, double time) {
        Room[] order = rooms.toArray(new Room[0]);
        double x = pose.tx();
        double z = pose.tz();
        Arrays.sort(order, (a, b) -> Double.compare(distance(a, x, z), distance(b, x, z)));
        for (Room room : order) {
            for (Surface s : room.surfaces) {
                if (s.side(x, pose.ty(), z) > 0) {
                    r.draw(s);
                }
            }
        }
        for (Mover m : movers) {
            double[] at = m.state(time);
            double ahead = pose.r02() * (at[0] - x) + pose.r12() * (at[1] - pose.ty()) + pose.r22() * (at[2] - z);
            if (ahead < -m.reach) {
                continue;
            }
            for (Surface s : placed(m, at)) {
                if (s.side(x, pose.ty(), z) > 0) {
                    r.draw(s);
                }
            }
        }
    }

    private static List<Surface> placed(Mover m, double[] at) {
        double cos = Math.cos(at[3]);
        double sin = Math.sin(at[3]);
        List<Surface> out = new ArrayList<>(m.faces.length);
        for (Surface face : m.faces) {
            Surface s = face.placed(cos, sin, at[0], at[1], at[2]);
            s.lights = m.room.lights;
            s.tint(m.room.ambientRed, m.room.ambientGreen, m.room.ambientBlue);
            s.label = m.info.id();
            out.add(s);
        }
        return out;
    }

    /** Everything that there is at a time, unculled: what a ray tracer needs to check the rasteriser. */
    List<Surface> surfaces(double time) {
        List<Surface> out = new ArrayList<>();
        for (Room room : rooms) {
            out.addAll(Arrays.asList(room.surfaces));
        }
        for (Mover m : movers) {
            out.addAll(placed(m, m.state(time)));
        }
        return out;
    }

    private static double distance(Room r, double x, double z) {
        double dx = Math.max(0, Math.max(r.x0 - x, x - r.x1));
        double dz = Math.max(0, Math.max(r.z0 - z, z - r.z1));
        return dx + dz;
    }

    @Override
    void carry(int label, double[] p, Pose poseA, double timeA, Pose poseB, double timeB) {
        Mover m = movers.get(label - 2);
        double[] a = m.state(timeA);
        double[] b = m.state(timeB);
        double turn = b[3] - a[3];
        double cos = Math.cos(turn);
        double sin = Math.sin(turn);
        double x = p[0] - a[0];
        double z = p[2] - a[2];
        p[0] = cos * x + sin * z + b[0];
        p[1] += b[1] - a[1];
        p[2] = -sin * x + cos * z + b[2];
    }

    // ---- walking ----

    @Override
    public Pose spawn(SplittableRandom random) {
        for (int attempt = 0; attempt < 10_000; attempt++) {
            Room r = rooms.get(random.nextInt(rooms.size()));
            double x = r.x0 + (r.x1 - r.x0) * random.nextDouble();
            double z = r.z0 + (r.z1 - r.z0) * random.nextDouble();
            double yaw = 2 * Math.PI * random.nextDouble();
            if (walls.clearance(x, z, RADIUS + 12) >= RADIUS + 8) {
                return Pose.yaw(yaw).withTranslation(x, -EYE, z);
            }
        }
        throw new IllegalStateException(name() + " has no place to stand");
    }

    @Override
    public Pose move(Pose from, double dx, double dy, double dz) {
        double[] end = walls.slide(from.tx(), from.tz(), dx, dz, RADIUS);
        return from.withTranslation(end[0], -EYE, end[1]);
    }

    @Override
    public String name() {
        return "room/" + seed;
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
