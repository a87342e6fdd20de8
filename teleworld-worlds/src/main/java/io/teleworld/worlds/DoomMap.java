package io.teleworld.worlds;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * One map as stored in a WAD: vertices, lines, sides, sectors and things, with doors opened.
 *
 * <p>Immutable after reading. Coordinates are map units: x east, y north, heights up.
 */
final class DoomMap {

    static final int BLOCKING = 1;
    static final int TWO_SIDED = 4;
    static final int UPPER_UNPEGGED = 8;
    static final int LOWER_UNPEGGED = 16;

    static final class Sector {
        final int index;
        final double floor;
        double ceiling;
        final String floorFlat;
        final String ceilingFlat;
        final int light;
        final int tag;

        Sector(int index, double floor, double ceiling, String floorFlat, String ceilingFlat, int light, int tag) {
            this.index = index;
            this.floor = floor;
            this.ceiling = ceiling;
            this.floorFlat = floorFlat;
            this.ceilingFlat = ceilingFlat;
            this.light = light;
            this.tag = tag;
        }

        boolean skyCeiling() {
            return ceilingFlat.equals("F_SKY1");
        }
    }

    record Side(double xOffset, double yOffset, String upper, String lower, String middle, int sector) {}

    record Line(int v1, int v2, int flags, int special, int tag, int front, int back) {}

    record Thing(double x, double y, double angleDegrees, int type, int flags) {}

    final String name;
    final double[] vertexX;
    final double[] vertexY;
    final List<Line> lines;
    final List<Side> sides;
    final List<Sector> sectors;
    final List<Thing> things;

    DoomMap(WadFile wad, String map) {
        this.name = map;
        ByteBuffer b = lump(wad, map, "VERTEXES", 4);
        int vertices = b.limit() / 4;
        vertexX = new double[vertices];
        vertexY = new double[vertices];
        for (int i = 0; i < vertices; i++) {
            vertexX[i] = b.getShort(4 * i);
            vertexY[i] = b.getShort(4 * i + 2);
        }
        b = lump(wad, map, "SECTORS", 26);
        List<Sector> sectorList = new ArrayList<>();
        for (int i = 0; i < b.limit() / 26; i++) {
            int at = 26 * i;
            sectorList.add(new Sector(
                    i,
                    b.getShort(at),
                    b.getShort(at + 2),
                    WadFile.readName(b, at + 4),
                    WadFile.readName(b, at + 12),
                    b.getShort(at + 20),
                    b.getShort(at + 24)));
        }
        sectors = List.copyOf(sectorList);
        b = lump(wad, map, "SIDEDEFS", 30);
        List<Side> sideList = new ArrayList<>();
        for (int i = 0; i < b.limit() / 30; i++) {
            int at = 30 * i;
            int sector = b.getShort(at + 28) & 0xffff;
            check(wad, "side", i, "sector", sector, sectors.size());
            sideList.add(new Side(
                    b.getShort(at),
                    b.getShort(at + 2),
                    WadFile.readName(b, at + 4),
                    WadFile.readName(b, at + 12),
                    WadFile.readName(b, at + 20),
                    sector));
        }
        sides = List.copyOf(sideList);
        b = lump(wad, map, "LINEDEFS", 14);
        List<Line> lineList = new ArrayList<>();
        for (int i = 0; i < b.limit() / 14; i++) {
            int at = 14 * i;
            int v1 = b.getShort(at) & 0xffff;
            int v2 = b.getShort(at + 2) & 0xffff;
            check(wad, "line", i, "vertex", v1, vertices);
            check(wad, "line", i, "vertex", v2, vertices);
            int front = b.getShort(at + 10) & 0xffff;
            int back = b.getShort(at + 12) & 0xffff;
            if (front == 0xffff) {
                continue;
            }
            check(wad, "line", i, "side", front, sides.size());
            if (back != 0xffff) {
                check(wad, "line", i, "side", back, sides.size());
            }
            if (vertexX[v1] == vertexX[v2] && vertexY[v1] == vertexY[v2]) {
                continue;
            }
            lineList.add(new Line(
                    v1,
                    v2,
                    b.getShort(at + 4) & 0xffff,
                    b.getShort(at + 6) & 0xffff,
                    b.getShort(at + 8),
                    front,
                    back == 0xffff ? -1 : back));
        }
        lines = List.copyOf(lineList);
        b = lump(wad, map, "THINGS", 10);
        List<Thing> thingList = new ArrayList<>();
        for (int i = 0; i < b.limit() / 10; i++) {
            int at = 10 * i;
            thingList.add(new Thing(
                    b.getShort(at), b.getShort(at + 2), b.getShort(at + 4), b.getShort(at + 6), b.getShort(at + 8)));
        }
        things = List.copyOf(thingList);
        if (lines.isEmpty()) {
            throw new WorldFormatException(wad.source() + ": map " + map + " has no lines");
        }
        openDoors();
    }

    private static ByteBuffer lump(WadFile wad, String map, String lump, int record) {
        ByteBuffer b = wad.mapLump(map, lump);
        if (b.limit() % record != 0) {
            throw new WorldFormatException(wad.source() + ": " + lump + " of map " + map + " has " + b.limit()
                    + " bytes, not a multiple of " + record);
        }
        return b;
    }

    private void check(WadFile wad, String what, int index, String field, int value, int limit) {
        if (value >= limit) {
            throw new WorldFormatException(wad.source() + ": " + what + " " + index + " of map " + name + " names "
                    + field + " " + value + ", there are " + limit);
        }
    }

    Sector frontSector(Line l) {
        return sectors.get(sides.get(l.front()).sector());
    }

    /** The sector behind a two-sided line; the one in front for a one-sided line. */
    Sector backSector(Line l) {
        return l.back() < 0 ? frontSector(l) : sectors.get(sides.get(l.back()).sector());
    }

    /** Raises the ceiling of every closed door, so that rooms connect. */
    private void openDoors() {
        for (Sector s : sectors) {
            if (s.ceiling - s.floor >= 56) {
                continue;
            }
            boolean door = false;
            double lowest = Double.POSITIVE_INFINITY;
            for (Line l : lines) {
                if (l.back() < 0) {
                    door |= s.tag != 0 && l.tag() == s.tag && raisesDoor(l.special());
                    continue;
                }
                Sector front = frontSector(l);
                Sector back = backSector(l);
                if ((front == s) != (back == s)) {
                    Sector other = front == s ? back : front;
                    if (other.ceiling - other.floor >= 56) {
                        lowest = Math.min(lowest, other.ceiling);
                    }
                    door |= back == s && opensWhatIsBehind(l.special());
                }
                door |= s.tag != 0 && l.tag() == s.tag && raisesDoor(l.special());
            }
            if (door && lowest < Double.POSITIVE_INFINITY && lowest - 4 > s.ceiling) {
                s.ceiling = lowest - 4;
            }
        }
    }

    private static boolean opensWhatIsBehind(int special) {
        return switch (special) {
            case 1, 26, 27, 28, 31, 32, 33, 34, 117, 118 -> true;
            default -> false;
        };
    }

    private static boolean raisesDoor(int special) {
        return switch (special) {
            case 2,
                    4,
                    16,
                    29,
                    42,
                    46,
                    61,
                    63,
                    76,
                    86,
                    90,
                    99,
                    103,
                    105,
                    106,
                    108,
                    109,
                    111,
                    112,
                    114,
                    115,
                    133,
                    134,
                    135,
                    136,
                    137 -> true;
            default -> false;
        };
    }
}
