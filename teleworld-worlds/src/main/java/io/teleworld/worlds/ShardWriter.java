package io.teleworld.worlds;

import io.teleworld.Keys;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes clips as WebDataset shards: POSIX tar files {@code PREFIX-000000.tar}, a sample being the consecutive members
 * that share a name up to the first dot.
 *
 * <p>Members of sample KEY, all little-endian and row-major:
 *
 * <ul>
 *   <li>{@code KEY.frames.rgb}: u8 [T, H, W, 3], sRGB
 *   <li>{@code KEY.depth.u16}: u16 [T, H, W], planar depth by {@link DepthCode}
 *   <li>{@code KEY.label.u8}: u8 [T, H, W]; 0 sky, 1 static, from 2 as listed in the meta data
 *   <li>{@code KEY.camera.json}: intrinsics, frame rate, key bits and camera-to-world poses (3×4, row by row)
 *   <li>{@code KEY.re10k.txt}: the same path in RealEstate10K's format (normalised intrinsics, world-to-camera)
 *   <li>{@code KEY.meta.json}: world, kind of path, sizes, instances
 * </ul>
 *
 * <p>With compression the first three carry the suffix {@code .z} and are zlib streams. Files are deterministic (owner,
 * group and time are 0), so equal clips give equal bytes. A shard has its final name only when it is complete.
 *
 * <p>Confined to one thread; close it to finish the last shard.
 */
public final class ShardWriter implements AutoCloseable {

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final Path folder;
    private final String prefix;
    private final int samplesPerShard;
    private final boolean compress;
    private final List<Path> written = new ArrayList<>();
    private long samples;
    private @Nullable OutputStream out;

    /**
     * A writer into a folder, which is made if need be.
     *
     * @param prefix what the shard files' names begin with
     * @param samplesPerShard samples per file, at least 1
     * @param compress whether pictures are stored as zlib streams
     */
    public ShardWriter(Path folder, String prefix, int samplesPerShard, boolean compress) {
        if (samplesPerShard < 1) {
            throw new IllegalArgumentException("samples per shard is " + samplesPerShard + "; it must be at least 1");
        }
        this.folder = folder;
        this.prefix = prefix;
        this.samplesPerShard = samplesPerShard;
        this.compress = compress;
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new WorldFormatException("cannot make folder " + folder + ": " + e.getMessage(), e);
        }
    }

    /**
     * Appends one clip.
     *
     * @param unitsPerMetre of the clip's world
     * @param instances of the clip's world
     * @throws WorldFormatException if the file cannot be written
     */
    public void write(Clip clip, double unitsPerMetre, List<InstanceInfo> instances) {
        Trajectory t = clip.trajectory();
        Intrinsics k = t.intrinsics();
        int pixels = k.width() * k.height() * t.frames();
        if (clip.rgb().length != 3 * pixels) {
            throw new IllegalArgumentException("clip has " + clip.rgb().length + " bytes of colour, not " + 3 * pixels);
        }
        byte[] depth = new byte[2 * pixels];
        for (int i = 0; i < pixels; i++) {
            char code = DepthCode.encode(clip.depth()[i]);
            depth[2 * i] = (byte) code;
            depth[2 * i + 1] = (byte) (code >> 8);
        }
        Map<Integer, Integer> renamed = renaming(clip.label(), instances);
        byte[] label = new byte[pixels];
        for (int i = 0; i < pixels; i++) {
            int l = clip.label()[i];
            label[i] = (byte) (l <= World.LABEL_STATIC ? l : renamed.getOrDefault(l, World.LABEL_STATIC));
        }
        String key = String.format(Locale.ROOT, "%08d", samples);
        try {
            OutputStream o = shard();
            bulk(o, key + ".frames.rgb", clip.rgb());
            bulk(o, key + ".depth.u16", depth);
            bulk(o, key + ".label.u8", label);
            member(o, key + ".camera.json", JSON.writeValueAsBytes(camera(t, unitsPerMetre)));
            member(o, key + ".re10k.txt", realEstate(clip).getBytes(StandardCharsets.UTF_8));
            member(o, key + ".meta.json", JSON.writeValueAsBytes(meta(clip, instances, renamed)));
            samples++;
            if (samples % samplesPerShard == 0) {
                finish();
            }
        } catch (IOException e) {
            throw new WorldFormatException("cannot write a shard in " + folder + ": " + e.getMessage(), e);
        }
    }

    /** The finished shards so far. */
    public List<Path> shards() {
        return List.copyOf(written);
    }

    /** Finishes the last shard. */
    @Override
    public void close() {
        try {
            finish();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot finish a shard in " + folder, e);
        }
    }

    private Path path(String suffix) {
        long number = written.size();
        return folder.resolve(String.format(Locale.ROOT, "%s-%06d.tar%s", prefix, number, suffix));
    }

    private OutputStream shard() throws IOException {
        OutputStream o = out;
        if (o == null) {
            o = new BufferedOutputStream(Files.newOutputStream(path(".part")), 1 << 16);
            out = o;
        }
        return o;
    }

    private void finish() throws IOException {
        OutputStream o = out;
        if (o == null) {
            return;
        }
        o.write(new byte[1024]);
        o.close();
        out = null;
        Files.move(path(".part"), path(""), StandardCopyOption.REPLACE_EXISTING);
        written.add(path(""));
    }

    /** Instance ids of the world in order of first appearance, moving ones first, as 2 to 255. */
    private static Map<Integer, Integer> renaming(int[] label, List<InstanceInfo> instances) {
        Set<Integer> seen = new HashSet<>();
        List<Integer> order = new ArrayList<>();
        for (int l : label) {
            if (l > World.LABEL_STATIC && seen.add(l)) {
                order.add(l);
            }
        }
        Map<Integer, Integer> renamed = new HashMap<>();
        for (int pass = 0; pass < 2; pass++) {
            for (int l : order) {
                boolean dynamic =
                        l - 2 < instances.size() && instances.get(l - 2).dynamic();
                if (dynamic == (pass == 0) && renamed.size() < 254) {
                    renamed.put(l, renamed.size() + 2);
                }
            }
        }
        return renamed;
    }

    private static ObjectNode camera(Trajectory t, double unitsPerMetre) {
        Intrinsics k = t.intrinsics();
        ObjectNode n = JSON.createObjectNode();
        n.put("width", k.width()).put("height", k.height());
        n.put("fx", k.fx()).put("fy", k.fy()).put("cx", k.cx()).put("cy", k.cy());
        n.put("convention", "opencv camera-to-world, 3x4 row-major");
        n.put("units_per_metre", unitsPerMetre);
        n.put("fps", t.fps()).put("start_time", t.startTime()).put("start_depth", t.startDepth());
        ArrayNode keys = n.putArray("keys");
        for (Keys pressed : t.keys()) {
            keys.add(pressed.bits());
        }
        ArrayNode poses = n.putArray("poses");
        for (Pose p : t.poses()) {
            ArrayNode row = poses.addArray();
            double[] m = p.toRowMajor();
            for (int i = 0; i < 12; i++) {
                row.add(m[i]);
            }
        }
        return n;
    }

    private static String realEstate(Clip clip) {
        Trajectory t = clip.trajectory();
        Intrinsics k = t.intrinsics();
        StringBuilder s = new StringBuilder("teleworld:" + clip.world() + "\n");
        for (int i = 0; i < t.frames(); i++) {
            s.append(Math.round(t.timeOf(i) * 1e6));
            double[] head = {k.fx() / k.width(), k.fy() / k.height(), k.cx() / k.width(), k.cy() / k.height(), 0, 0};
            for (double v : head) {
                s.append(' ').append(v);
            }
            double[] m = t.poses().get(i).inverse().toRowMajor();
            for (int j = 0; j < 12; j++) {
                s.append(' ').append(m[j]);
            }
            s.append('\n');
        }
        return s.toString();
    }

    private static ObjectNode meta(Clip clip, List<InstanceInfo> instances, Map<Integer, Integer> renamed) {
        ObjectNode n = JSON.createObjectNode();
        n.put("world", clip.world());
        n.put("kind", clip.trajectory().kind().name());
        n.put("frames", clip.trajectory().frames());
        n.put("depth_near", DepthCode.NEAR).put("depth_far", DepthCode.FAR);
        ArrayNode list = n.putArray("instances");
        renamed.entrySet().stream().sorted(Map.Entry.comparingByValue()).forEach(e -> {
            InstanceInfo info = instances.get(e.getKey() - 2);
            list.addObject()
                    .put("id", e.getValue())
                    .put("world_id", info.id())
                    .put("name", info.name())
                    .put("dynamic", info.dynamic());
        });
        return n;
    }

    private void bulk(OutputStream o, String name, byte[] content) throws IOException {
        if (!compress) {
            member(o, name, content);
            return;
        }
        Deflater deflater = new Deflater(4);
        try {
            ByteArrayOutputStream packed = new ByteArrayOutputStream(content.length / 2);
            try (DeflaterOutputStream d = new DeflaterOutputStream(packed, deflater, 1 << 16)) {
                d.write(content);
            }
            member(o, name + ".z", packed.toByteArray());
        } finally {
            deflater.end();
        }
    }

    private static void member(OutputStream o, String name, byte[] content) throws IOException {
        byte[] h = new byte[512];
        ascii(h, 0, name);
        ascii(h, 100, "0000644");
        ascii(h, 108, "0000000");
        ascii(h, 116, "0000000");
        ascii(h, 124, String.format(Locale.ROOT, "%011o", content.length));
        ascii(h, 136, "00000000000");
        ascii(h, 148, "        ");
        h[156] = '0';
        ascii(h, 257, "ustar");
        ascii(h, 263, "00");
        int sum = 0;
        for (byte b : h) {
            sum += b & 255;
        }
        ascii(h, 148, String.format(Locale.ROOT, "%06o", sum));
        h[154] = 0;
        o.write(h);
        o.write(content);
        o.write(new byte[(512 - content.length % 512) % 512]);
    }

    private static void ascii(byte[] h, int at, String text) {
        byte[] b = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(b, 0, h, at, b.length);
    }
}
