package io.teleworld.core.weights;

import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/** Writes files as {@code torch.save} does, from maps, lists, tensors, text and numbers; and parts of them, to spoil. */
public final class TorchWriter {

    private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    private final Map<String, byte[]> storages = new LinkedHashMap<>();

    private TorchWriter() {}

    /** Writes a file. */
    public static void write(Path path, Object content) throws IOException {
        Files.write(path, bytes(content));
    }

    /** A whole file. */
    public static byte[] bytes(Object content) {
        TorchWriter w = new TorchWriter();
        w.pickle.writeBytes(new byte[] {(byte) 0x80, 2});
        w.value(content);
        w.pickle.write('.');
        return archive(w.pickle.toByteArray(), w.storages);
    }

    /** A file with a given pickle. */
    static byte[] archive(byte[] pickle, Map<String, byte[]> storages) {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("archive/data.pkl", pickle);
        entries.put("archive/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        storages.forEach((k, v) -> entries.put("archive/data/" + k, v));
        entries.put("archive/version", "3\n".getBytes(StandardCharsets.US_ASCII));
        return zip(entries, false);
    }

    /** A zip file whose data are aligned to 64 bytes, as those of torch.save. */
    static byte[] zip(Map<String, byte[]> entries, boolean deflated) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream central = new ByteArrayOutputStream();
        entries.forEach((name, data) -> {
            byte[] n = name.getBytes(StandardCharsets.UTF_8);
            byte[] stored = deflated ? deflate(data) : data;
            CRC32 crc = new CRC32();
            crc.update(data);
            int at = out.size();
            int padding = Math.floorMod(-(at + 34 + n.length), 64);
            ByteBuffer local = le(30 + n.length + 4 + padding);
            local.putInt(0x04034b50).putShort((short) 20).putShort((short) 0).putShort((short) (deflated ? 8 : 0));
            local.putInt(0).putInt((int) crc.getValue()).putInt(stored.length).putInt(data.length);
            local.putShort((short) n.length).putShort((short) (4 + padding)).put(n);
            local.putShort((short) 0x4246).putShort((short) padding);
            out.writeBytes(local.array());
            out.writeBytes(stored);
            ByteBuffer c = le(46 + n.length);
            c.putInt(0x02014b50).putShort((short) 20).putShort((short) 20).putShort((short) 0);
            c.putShort((short) (deflated ? 8 : 0)).putInt(0).putInt((int) crc.getValue());
            c.putInt(stored.length).putInt(data.length).putShort((short) n.length);
            c.putShort((short) 0)
                    .putShort((short) 0)
                    .putShort((short) 0)
                    .putShort((short) 0)
                    .putInt(0);
            c.putInt(at).put(n);
            central.writeBytes(c.array());
        });
        ByteBuffer end = le(22);
        end.putInt(0x06054b50).putInt(0).putShort((short) entries.size()).putShort((short) entries.size());
        end.putInt(central.size()).putInt(out.size()).putShort((short) 0);
        out.writeBytes(central.toByteArray());
        out.writeBytes(end.array());
        return out.toByteArray();
    }

    private static byte[] deflate(byte[] data) {
        Deflater deflater = new Deflater(9, true);
        deflater.setInput(data);
        deflater.finish();
        byte[] out = new byte[data.length + 64];
        int n = deflater.deflate(out);
        deflater.end();
        return java.util.Arrays.copyOf(out, n);
    }

    private static ByteBuffer le(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    // ------------------------------------------------------------------------------------------ pickle

    private void value(Object value) {
        if (value instanceof Map<?, ?> map) {
            global("collections", "OrderedDict");
            op(")R(");
            map.forEach((k, v) -> {
                value(k);
                value(v);
            });
            op("u");
        } else if (value instanceof List<?> list) {
            op("](");
            list.forEach(this::value);
            op("e");
        } else if (value instanceof String text) {
            byte[] b = text.getBytes(StandardCharsets.UTF_8);
            op("X");
            pickle.writeBytes(le(4).putInt(b.length).array());
            pickle.writeBytes(b);
        } else if (value instanceof Integer i) {
            whole(i);
        } else if (value instanceof HostTensor t) {
            tensor(t);
        } else {
            throw new IllegalArgumentException("cannot write " + value);
        }
    }

    private void tensor(HostTensor t) {
        String key = Integer.toString(storages.size());
        ByteBuffer b = t.hostBuffer();
        byte[] bytes = new byte[b.remaining()];
        b.get(bytes);
        storages.put(key, bytes);
        long[] shape = t.shape();
        int[] strides = new int[shape.length];
        int stride = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= Math.max(1, (int) shape[i]);
        }
        global("torch._utils", "_rebuild_tensor_v2");
        op("((");
        value("storage");
        global("torch", storage(t.dtype()));
        value(key);
        value("cpu");
        whole(Math.toIntExact(t.elementCount()));
        op("tQ");
        whole(0);
        op("(");
        for (long d : shape) {
            whole(Math.toIntExact(d));
        }
        op("t(");
        for (int s : strides) {
            whole(s);
        }
        pickle.write('t');
        pickle.write(0x89);
        global("collections", "OrderedDict");
        op(")RtR");
    }

    private static String storage(DType type) {
        return switch (type) {
            case F64 -> "DoubleStorage";
            case F32 -> "FloatStorage";
            case F16 -> "HalfStorage";
            case BF16 -> "BFloat16Storage";
            case I64 -> "LongStorage";
            default -> throw new IllegalArgumentException("cannot write " + type);
        };
    }

    private void whole(int v) {
        op("J");
        pickle.writeBytes(le(4).putInt(v).array());
    }

    private void global(String module, String name) {
        op("c" + module + "\n" + name + "\n");
    }

    private void op(String ascii) {
        try {
            pickle.write(ascii.getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
