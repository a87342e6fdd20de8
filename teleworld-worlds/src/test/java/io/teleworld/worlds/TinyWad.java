package io.teleworld.worlds;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Builds small WADs in memory: a grey-and-green wall texture, two flats, one lamp sprite, and maps of convex sectors. */
final class TinyWad {

    private final List<String> names = new ArrayList<>();
    private final List<byte[]> lumps = new ArrayList<>();
    private final List<int[]> vertices = new ArrayList<>();
    private final ByteArrayOutputStream lines = new ByteArrayOutputStream();
    private final ByteArrayOutputStream sides = new ByteArrayOutputStream();
    private final ByteArrayOutputStream sectors = new ByteArrayOutputStream();
    private final ByteArrayOutputStream things = new ByteArrayOutputStream();
    private int sideCount;
    private int sectorCount;

    TinyWad() {
        byte[] palette = new byte[768];
        for (int i = 0; i < 256; i++) {
            palette[3 * i] = (byte) i;
            palette[3 * i + 1] = (byte) (255 - i);
            palette[3 * i + 2] = (byte) (i * 7);
        }
        lump("PLAYPAL", palette);
        lump("PNAMES", shorts().putInt(1).put(name("BRICKP")).array(), 12);
        ByteBuffer t = ByteBuffer.allocate(4 + 4 + 22 + 10).order(ByteOrder.LITTLE_ENDIAN);
        t.putInt(1)
                .putInt(8)
                .put(name("BRICK"))
                .putInt(0)
                .putShort((short) 64)
                .putShort((short) 64)
                .putInt(0);
        t.putShort((short) 1)
                .putShort((short) 0)
                .putShort((short) 0)
                .putShort((short) 0)
                .putInt(0);
        lump("TEXTURE1", t.array());
        lump("BRICKP", picture(64, 64, 0, 0, (x, y) -> 40 + (x / 8 + y / 8) % 2 * 160));
        lump("F_START", new byte[0]);
        lump("FLOOR", flat(90));
        lump("CEIL", flat(180));
        lump("F_SKY1", flat(0));
        lump("F_END", new byte[0]);
        lump("S_START", new byte[0]);
        lump("COLUA0", picture(20, 48, 10, 48, (x, y) -> 220));
        for (int r = 1; r <= 8; r++) {
            int shade = 20 * r;
            lump("POSSA" + r, picture(32, 56, 16, 56, (x, y) -> shade));
            lump("POSSB" + r, picture(32, 56, 16, 56, (x, y) -> shade));
            lump("POSSC" + r, picture(32, 56, 16, 56, (x, y) -> shade));
            lump("POSSD" + r, picture(32, 56, 16, 56, (x, y) -> shade));
        }
        lump("S_END", new byte[0]);
    }

    private interface Texel {
        int at(int x, int y);
    }

    private static byte[] flat(int colour) {
        byte[] b = new byte[4096];
        for (int i = 0; i < 4096; i++) {
            b[i] = (byte) (colour + (i / 8 + i / 512) % 2 * 40);
        }
        return b;
    }

    private static byte[] picture(int w, int h, int left, int top, Texel texel) {
        ByteBuffer b = ByteBuffer.allocate(8 + 4 * w + w * (h + 5)).order(ByteOrder.LITTLE_ENDIAN);
        b.putShort((short) w).putShort((short) h).putShort((short) left).putShort((short) top);
        for (int x = 0; x < w; x++) {
            b.putInt(8 + 4 * w + x * (h + 5));
        }
        for (int x = 0; x < w; x++) {
            b.put((byte) 0).put((byte) h).put((byte) 0);
            for (int y = 0; y < h; y++) {
                b.put((byte) texel.at(x, y));
            }
            b.put((byte) 0).put((byte) 255);
        }
        return b.array();
    }

    private static ByteBuffer shorts() {
        return ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    }

    static byte[] name(String s) {
        byte[] b = new byte[8];
        byte[] raw = s.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(raw, 0, b, 0, raw.length);
        return b;
    }

    TinyWad lump(String name, byte[] content) {
        names.add(name);
        lumps.add(content);
        return this;
    }

    private void lump(String name, byte[] content, int length) {
        byte[] b = new byte[length];
        System.arraycopy(content, 0, b, 0, length);
        lump(name, b);
    }

    int sector(int floor, int ceiling, String floorFlat, String ceilingFlat, int light) {
        ByteBuffer b = ByteBuffer.allocate(26).order(ByteOrder.LITTLE_ENDIAN);
        b.putShort((short) floor).putShort((short) ceiling).put(name(floorFlat)).put(name(ceilingFlat));
        b.putShort((short) light).putShort((short) 0).putShort((short) 0);
        sectors.writeBytes(b.array());
        return sectorCount++;
    }

    private int vertex(int x, int y) {
        for (int i = 0; i < vertices.size(); i++) {
            if (vertices.get(i)[0] == x && vertices.get(i)[1] == y) {
                return i;
            }
        }
        vertices.add(new int[] {x, y});
        return vertices.size() - 1;
    }

    private int side(int sector, String middle) {
        ByteBuffer b = ByteBuffer.allocate(30).order(ByteOrder.LITTLE_ENDIAN);
        b.putShort((short) 0)
                .putShort((short) 0)
                .put(name("BRICK"))
                .put(name("BRICK"))
                .put(name(middle));
        b.putShort((short) sector);
        sides.writeBytes(b.array());
        return sideCount++;
    }

    /** A line whose front (right) side faces {@code front}; {@code back} is −1 for a wall. */
    TinyWad line(int x1, int y1, int x2, int y2, int front, int back) {
        ByteBuffer b = ByteBuffer.allocate(14).order(ByteOrder.LITTLE_ENDIAN);
        b.putShort((short) vertex(x1, y1)).putShort((short) vertex(x2, y2));
        b.putShort((short) (back < 0 ? 1 : 4)).putShort((short) 0).putShort((short) 0);
        b.putShort((short) side(front, back < 0 ? "BRICK" : "-"));
        b.putShort((short) (back < 0 ? -1 : side(back, "-")));
        lines.writeBytes(b.array());
        return this;
    }

    TinyWad thing(int x, int y, int angle, int type) {
        ByteBuffer b = ByteBuffer.allocate(10).order(ByteOrder.LITTLE_ENDIAN);
        b.putShort((short) x)
                .putShort((short) y)
                .putShort((short) angle)
                .putShort((short) type)
                .putShort((short) 7);
        things.writeBytes(b.array());
        return this;
    }

    /** A closed square room from (−s, −s) to (s, s), walls facing inwards. */
    static TinyWad square(int s, int height) {
        TinyWad w = new TinyWad();
        int room = w.sector(0, height, "FLOOR", "CEIL", 200);
        w.line(-s, -s, -s, s, room, -1).line(-s, s, s, s, room, -1);
        w.line(s, s, s, -s, room, -1).line(s, -s, -s, -s, room, -1);
        return w.thing(0, 0, 90, 1);
    }

    /** Two sectors side by side along x; the east one has its floor at {@code step} and a sky. */
    static TinyWad step(int step) {
        TinyWad w = new TinyWad();
        int west = w.sector(0, 128, "FLOOR", "CEIL", 160);
        int east = w.sector(step, 192, "CEIL", "F_SKY1", 220);
        w.line(-256, -256, -256, 256, west, -1).line(-256, 256, 0, 256, west, -1);
        w.line(0, 256, 256, 256, east, -1).line(256, 256, 256, -256, east, -1);
        w.line(256, -256, 0, -256, east, -1).line(0, -256, -256, -256, west, -1);
        w.line(0, 256, 0, -256, west, east);
        return w.thing(-128, 0, 90, 1);
    }

    byte[] build() {
        ByteBuffer v = ByteBuffer.allocate(vertices.size() * 4).order(ByteOrder.LITTLE_ENDIAN);
        for (int[] p : vertices) {
            v.putShort((short) p[0]).putShort((short) p[1]);
        }
        lump("E1M1", new byte[0]);
        lump("THINGS", things.toByteArray());
        lump("LINEDEFS", lines.toByteArray());
        lump("SIDEDEFS", sides.toByteArray());
        lump("VERTEXES", v.array());
        lump("SECTORS", sectors.toByteArray());
        int size = 12 + 16 * lumps.size();
        for (byte[] l : lumps) {
            size += l.length;
        }
        ByteBuffer b = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        b.put("PWAD".getBytes(StandardCharsets.US_ASCII)).putInt(lumps.size());
        b.putInt(size - 16 * lumps.size());
        for (byte[] l : lumps) {
            b.put(l);
        }
        int at = 12;
        for (int i = 0; i < lumps.size(); i++) {
            b.putInt(at).putInt(lumps.get(i).length).put(name(names.get(i)));
            at += lumps.get(i).length;
        }
        return b.array();
    }

    FreedoomWorld world() {
        WadFile wad = WadFile.of("tiny.wad", build());
        return new FreedoomWorld("tiny/E1M1", new DoomMap(wad, "E1M1"), new WadGraphics(wad));
    }

    DoomMap map() {
        return new DoomMap(WadFile.of("tiny.wad", build()), "E1M1");
    }
}
