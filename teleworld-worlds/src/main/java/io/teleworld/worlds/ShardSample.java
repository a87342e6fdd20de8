package io.teleworld.worlds;

import io.teleworld.Keys;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One recorded clip of a shard. Immutable and thread-safe; pictures are unpacked at each call, so keep what is used
 * more than once.
 */
public final class ShardSample {

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final String key;
    private final Map<String, ByteBuffer> members;
    private final String world;
    private final double unitsPerMetre;
    private final Trajectory trajectory;
    private final List<InstanceInfo> instances;

    ShardSample(String key, Map<String, ByteBuffer> members) {
        this.key = key;
        this.members = members;
        try {
            JsonNode c = JSON.readTree(bytes("camera.json"));
            JsonNode m = JSON.readTree(bytes("meta.json"));
            Intrinsics k = new Intrinsics(
                    c.required("width").asInt(),
                    c.required("height").asInt(),
                    c.required("fx").asDouble(),
                    c.required("fy").asDouble(),
                    c.required("cx").asDouble(),
                    c.required("cy").asDouble());
            List<Pose> poses = new ArrayList<>();
            for (JsonNode p : c.required("poses")) {
                double[] row = new double[p.size()];
                for (int i = 0; i < row.length; i++) {
                    row[i] = p.path(i).asDouble();
                }
                poses.add(Pose.ofRowMajor(row));
            }
            List<Keys> keys = new ArrayList<>();
            for (JsonNode bits : c.required("keys")) {
                keys.add(new Keys(bits.asInt()));
            }
            this.unitsPerMetre = c.required("units_per_metre").asDouble();
            this.world = m.required("world").asString();
            this.trajectory = new Trajectory(
                    TrajectoryKind.valueOf(m.required("kind").asString()),
                    poses,
                    keys,
                    k,
                    c.required("start_time").asDouble(),
                    c.required("fps").asDouble(),
                    c.required("start_depth").asDouble());
            List<InstanceInfo> list = new ArrayList<>();
            for (JsonNode i : m.required("instances")) {
                list.add(new InstanceInfo(
                        i.required("id").asInt(),
                        i.required("name").asString(),
                        i.required("dynamic").asBoolean()));
            }
            this.instances = List.copyOf(list);
        } catch (JacksonException | IllegalArgumentException e) {
            throw new WorldFormatException("sample " + key + " has damaged meta data: " + e.getMessage(), e);
        }
    }

    private byte[] bytes(String member) {
        ByteBuffer b = members.get(member);
        if (b == null) {
            throw new WorldFormatException(
                    "sample " + key + " has no member " + member + "; it has " + members.keySet());
        }
        byte[] raw = new byte[b.limit()];
        b.get(0, raw);
        return raw;
    }

    /** The sample's key in its shard. */
    public String key() {
        return key;
    }

    /** The name of the world that was recorded. */
    public String world() {
        return world;
    }

    /** World units per metre. */
    public double unitsPerMetre() {
        return unitsPerMetre;
    }

    /** The camera path. */
    public Trajectory trajectory() {
        return trajectory;
    }

    /** What the labels from 2 on mean. */
    public List<InstanceInfo> instances() {
        return instances;
    }

    /** T·H·W·3 bytes of sRGB, read-only. */
    public ByteBuffer frames() {
        return picture("frames.rgb", 3);
    }

    /** T·H·W labels, one byte each, read-only: 0 sky, 1 static, from 2 {@link #instances()}. */
    public ByteBuffer labels() {
        return picture("label.u8", 1);
    }

    /** T·H·W planar depths in world units; +∞ for sky. */
    public float[] depth() {
        ByteBuffer b = picture("depth.u16", 2);
        float[] out = new float[b.limit() / 2];
        for (int i = 0; i < out.length; i++) {
            out[i] = DepthCode.decode(b.getChar(2 * i));
        }
        return out;
    }

    private ByteBuffer picture(String member, int bytesPerPixel) {
        Intrinsics k = trajectory.intrinsics();
        int expected = trajectory.frames() * k.width() * k.height() * bytesPerPixel;
        ByteBuffer plain = members.get(member);
        if (plain == null) {
            byte[] packed = bytes(member + ".z");
            byte[] raw = new byte[expected];
            Inflater inflater = new Inflater();
            try {
                inflater.setInput(packed);
                int n = 0;
                while (n < expected) {
                    int got = inflater.inflate(raw, n, expected - n);
                    if (got == 0) {
                        break;
                    }
                    n += got;
                }
                if (n < expected) {
                    throw new WorldFormatException(
                            "sample " + key + ": " + member + ".z unpacks to " + n + " bytes, not " + expected);
                }
            } catch (DataFormatException e) {
                throw new WorldFormatException("sample " + key + ": " + member + ".z is damaged", e);
            } finally {
                inflater.end();
            }
            plain = ByteBuffer.wrap(raw);
        } else if (plain.limit() != expected) {
            throw new WorldFormatException(
                    "sample " + key + ": " + member + " has " + plain.limit() + " bytes, not " + expected);
        }
        return plain.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
}
