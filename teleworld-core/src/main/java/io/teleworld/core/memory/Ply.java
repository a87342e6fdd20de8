package io.teleworld.core.memory;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Binary little-endian PLY of a memory snapshot, and its reader. Stateless.
 *
 * <p>Vertex properties, in this order: x, y, z, nx, ny, nz (float), red, green, blue (uchar), confidence (float, the
 * cell's weight), time (float, seconds; −1 for static cells), instance (int, 0 for static cells). Dynamic points have a
 * zero normal and confidence 1.
 */
public final class Ply {

    private static final int STRIDE = 6 * 4 + 3 + 4 + 4 + 4;
    private static final List<String> PROPERTIES = List.of(
            "float x",
            "float y",
            "float z",
            "float nx",
            "float ny",
            "float nz",
            "uchar red",
            "uchar green",
            "uchar blue",
            "float confidence",
            "float time",
            "int instance");

    private Ply() {}

    /**
     * A vertex of the file.
     *
     * @param x world x
     * @param y world y (down)
     * @param z world z
     * @param nx normal x
     * @param ny normal y
     * @param nz normal z
     * @param red sRGB in [0, 255]
     * @param green sRGB in [0, 255]
     * @param blue sRGB in [0, 255]
     * @param confidence weight of the cell
     * @param time seconds, or −1 for static
     * @param instance instance id, or 0 for static
     */
    public record Vertex(
            float x,
            float y,
            float z,
            float nx,
            float ny,
            float nz,
            int red,
            int green,
            int blue,
            float confidence,
            float time,
            int instance) {}

    /**
     * Writes all static cells and all dynamic snapshots.
     *
     * @param memory what to write
     * @param out receives the file; flushed, not closed
     * @throws IOException if {@code out} fails
     */
    public static void write(MemorySnapshot memory, OutputStream out) throws IOException {
        int n = memory.cellCount();
        for (DynamicSnapshot d : memory.dynamics) {
            n += d.count();
        }
        StringBuilder header = new StringBuilder("ply\nformat binary_little_endian 1.0\n");
        header.append("comment OpenCV axes: x right, y down, z forward; origin is the first camera\n");
        header.append("element vertex ").append(n).append('\n');
        for (String p : PROPERTIES) {
            header.append("property ").append(p).append('\n');
        }
        header.append("end_header\n");
        BufferedOutputStream buffered = new BufferedOutputStream(out, 1 << 16);
        buffered.write(header.toString().getBytes(StandardCharsets.US_ASCII));
        byte[] record = new byte[STRIDE];
        ByteBuffer b = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
        float[] normal = new float[3];
        for (Block block : memory.blocks) {
            for (int i = 0; i < block.count; i++) {
                Block.octDecode(block.normal[i], normal);
                put(b, block.xs[i], block.ys[i], block.zs[i], normal, block.colour[i], block.weight[i], -1, 0);
                buffered.write(record);
            }
        }
        float[] none = new float[3];
        for (DynamicSnapshot d : memory.dynamics) {
            for (int i = 0; i < d.count(); i++) {
                put(
                        b,
                        d.xyz[3 * i],
                        d.xyz[3 * i + 1],
                        d.xyz[3 * i + 2],
                        none,
                        d.colour[i],
                        1,
                        (float) d.time,
                        d.instance[i] & 0xFF);
                buffered.write(record);
            }
        }
        buffered.flush();
    }

    private static void put(
            ByteBuffer b,
            float x,
            float y,
            float z,
            float[] normal,
            long colour,
            float confidence,
            float time,
            int instance) {
        b.clear();
        b.putFloat(x).putFloat(y).putFloat(z);
        b.putFloat(normal[0]).putFloat(normal[1]).putFloat(normal[2]);
        b.put(LinearLight.srgb(Block.red(colour)));
        b.put(LinearLight.srgb(Block.green(colour)));
        b.put(LinearLight.srgb(Block.blue(colour)));
        b.putFloat(confidence).putFloat(time).putInt(instance);
    }

    /**
     * Reads a file written by {@link #write}.
     *
     * @param in read to the end of the last vertex, not closed
     * @throws IOException if {@code in} fails, ends early or holds another kind of file
     */
    public static List<Vertex> read(InputStream in) throws IOException {
        DataInputStream data = new DataInputStream(in);
        int n = -1;
        int property = 0;
        if (!line(data).equals("ply") || !line(data).equals("format binary_little_endian 1.0")) {
            throw new IOException("not a binary little-endian PLY file");
        }
        while (true) {
            String line = line(data);
            if (line.equals("end_header")) {
                break;
            } else if (line.startsWith("element vertex ")) {
                try {
                    n = Integer.parseInt(line.substring("element vertex ".length()));
                } catch (NumberFormatException e) {
                    throw new IOException("PLY vertex count cannot be read: " + line, e);
                }
            } else if (line.startsWith("property ")) {
                if (property >= PROPERTIES.size() || !line.equals("property " + PROPERTIES.get(property++))) {
                    throw new IOException("unexpected PLY " + line);
                }
            } else if (!line.startsWith("comment")) {
                throw new IOException("unexpected PLY header line: " + line);
            }
        }
        if (n < 0 || property != PROPERTIES.size()) {
            throw new IOException("PLY header is incomplete");
        }
        ArrayList<Vertex> vertices = new ArrayList<>();
        byte[] record = new byte[STRIDE];
        ByteBuffer b = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < n; i++) {
            data.readFully(record);
            b.clear();
            vertices.add(new Vertex(
                    b.getFloat(),
                    b.getFloat(),
                    b.getFloat(),
                    b.getFloat(),
                    b.getFloat(),
                    b.getFloat(),
                    b.get() & 0xFF,
                    b.get() & 0xFF,
                    b.get() & 0xFF,
                    b.getFloat(),
                    b.getFloat(),
                    b.getInt()));
        }
        return List.copyOf(vertices);
    }

    private static String line(DataInputStream in) throws IOException {
        StringBuilder s = new StringBuilder();
        for (int c = in.readUnsignedByte(); c != '\n'; c = in.readUnsignedByte()) {
            if (s.length() > 1000) {
                throw new IOException("PLY header line is longer than 1000 characters");
            }
            s.append((char) c);
        }
        return s.toString();
    }
}
