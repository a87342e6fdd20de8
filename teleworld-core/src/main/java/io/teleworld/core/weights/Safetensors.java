package io.teleworld.core.weights;

import io.teleworld.core.json.StrictJson;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * One safetensors file: 8 bytes of header length, a JSON header, then the elements of each tensor, row-major and
 * little-endian.
 *
 * <p>Immutable and thread-safe; the tensors that it gives are views that must not be written. A file on disk is mapped
 * and read when it is used. Every contradiction in a header is refused when the file is opened.
 */
public final class Safetensors implements TensorFile {

    /** Larger than the header of any known checkpoint; guards against reading rubbish as a length. */
    private static final long LARGEST_HEADER = 100L << 20;

    private static final Map<DType, String> NAMES = new EnumMap<>(Map.of(
            DType.F64, "F64",
            DType.F32, "F32",
            DType.F16, "F16",
            DType.BF16, "BF16",
            DType.F8_E4M3, "F8_E4M3",
            DType.I64, "I64",
            DType.I32, "I32",
            DType.I8, "I8",
            DType.U8, "U8",
            DType.BOOL, "BOOL"));

    private record Entry(String name, TensorType type, long begin, long end) {
        DType dtype() {
            return type.dtype();
        }

        long[] shape() {
            return type.shape().known();
        }
    }

    private final String file;
    private final ByteSource source;
    private final long dataOffset;
    private final Map<String, Entry> entries;
    private final Map<String, String> metadata;

    private Safetensors(
            String file, ByteSource source, long dataOffset, Map<String, Entry> entries, Map<String, String> metadata) {
        this.file = file;
        this.source = source;
        this.dataOffset = dataOffset;
        this.entries = Collections.unmodifiableMap(entries);
        this.metadata = Collections.unmodifiableMap(metadata);
    }

    /**
     * Opens a file on disk. Nothing has to be closed: mapped memory goes with the tensors that use it.
     *
     * @throws ModelFormatException if it cannot be read or contradicts itself
     */
    public static Safetensors open(Path path) {
        try {
            return parse(ByteSource.file(path));
        } catch (IOException e) {
            throw new ModelFormatException(path.toString(), "cannot be read: " + e, e);
        }
    }

    /**
     * Reads a file that is in memory, such as a class path resource.
     *
     * @param name for messages
     */
    public static Safetensors of(String name, byte[] bytes) {
        try {
            return parse(ByteSource.memory(name, bytes));
        } catch (IOException e) {
            throw new ModelFormatException(name, "cannot be read: " + e, e);
        }
    }

    @Override
    public String description() {
        return file;
    }

    @Override
    public Set<String> names() {
        return entries.keySet();
    }

    /** The free text that the header carries. */
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public DType dtype(String name) {
        return entry(name).dtype();
    }

    @Override
    public long[] shape(String name) {
        return entry(name).shape();
    }

    @Override
    public HostTensor rows(String name, long first, long count) {
        Entry e = entry(name);
        long bytes = TensorFile.rowBytes(this, name, first, count);
        long[] shape = shape(name);
        shape[0] = count;
        return read(name, e, e.begin() + first * bytes, count * bytes, shape);
    }

    @Override
    public HostTensor tensor(String name) {
        Entry e = entry(name);
        return read(name, e, e.begin(), e.end() - e.begin(), e.shape());
    }

    private HostTensor read(String name, Entry e, long begin, long length, long[] shape) {
        try {
            ByteBuffer bytes = source.read(dataOffset + begin, length);
            if (bytes.remaining() > 0 && bytes.alignmentOffset(0, e.dtype().byteSize()) != 0) {
                bytes = ByteBuffer.allocateDirect(bytes.remaining()).put(bytes).flip();
            }
            return HostTensor.wrap(e.dtype(), bytes, shape);
        } catch (IOException failure) {
            throw new ModelFormatException(file, "tensor " + name + " cannot be read: " + failure, failure);
        }
    }

    private Entry entry(String name) {
        Entry e = entries.get(name);
        if (e == null) {
            throw new IllegalArgumentException(file + " has no tensor " + name);
        }
        return e;
    }

    // ------------------------------------------------------------------------------------------ reading

    private static Safetensors parse(ByteSource source) throws IOException {
        String file = source.name();
        long size = source.size();
        if (size < 8) {
            throw new ModelFormatException(
                    file, "offset 0: the file is " + size + " bytes long; the header length alone takes 8");
        }
        long header = source.read(0, 8).getLong(0);
        if (header < 2 || header > LARGEST_HEADER || header > size - 8) {
            throw new ModelFormatException(
                    file, "offset 0: header length is " + header + "; the file is " + size + " bytes long");
        }
        byte[] text = new byte[(int) header];
        source.read(8, header).get(text);
        JsonNode root = StrictJson.read(file, text, 8);
        if (!(root instanceof ObjectNode object)) {
            throw new ModelFormatException(file, "offset 8: header is not a JSON object");
        }
        Map<String, Entry> entries = new TreeMap<>();
        Map<String, String> metadata = new TreeMap<>();
        for (Map.Entry<String, JsonNode> e : object.properties()) {
            if (e.getKey().equals("__metadata__")) {
                e.getValue()
                        .properties()
                        .forEach(m -> metadata.put(
                                m.getKey(),
                                m.getValue().isString()
                                        ? m.getValue().asString()
                                        : m.getValue().toString()));
            } else {
                entries.put(e.getKey(), entry(file, text, e.getKey(), e.getValue()));
            }
        }
        requireGapless(file, entries, 8 + header, size - 8 - header);
        return new Safetensors(file, source, 8 + header, entries, metadata);
    }

    private static Entry entry(String file, byte[] header, String name, JsonNode node) {
        try {
            return entry(name, node);
        } catch (IllegalArgumentException e) {
            String place = "offset " + (8 + StrictJson.offsetOf(header, name)) + ": tensor " + name + ": ";
            throw new ModelFormatException(file, place + e.getMessage(), e);
        }
    }

    /** @throws IllegalArgumentException if the entry contradicts itself */
    private static Entry entry(String name, JsonNode node) {
        if (!node.isObject()) {
            throw new IllegalArgumentException("its header entry is not an object");
        }
        for (String key : node.propertyNames()) {
            if (!Set.of("dtype", "shape", "data_offsets").contains(key)) {
                throw new IllegalArgumentException("unknown key '" + key + "'");
            }
        }
        String typeName = node.path("dtype").asString("");
        DType dtype = NAMES.entrySet().stream()
                .filter(t -> t.getValue().equals(typeName))
                .map(Map.Entry::getKey)
                .findFirst()
                .orElseThrow(
                        () -> new IllegalArgumentException("dtype is '" + typeName + "'; known are " + NAMES.values()));
        long[] shape = whole("shape", node.path("shape"));
        long[] offsets = whole("data_offsets", node.path("data_offsets"));
        if (offsets.length != 2 || offsets[1] < offsets[0]) {
            throw new IllegalArgumentException(
                    "data_offsets is " + node.path("data_offsets") + "; needed is [begin, end]");
        }
        long bytes;
        try {
            bytes = Math.multiplyExact(HostTensor.elementCount(shape), (long) dtype.byteSize());
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("shape " + node.path("shape") + " is too large", e);
        }
        if (offsets[1] - offsets[0] != bytes) {
            throw new IllegalArgumentException((offsets[1] - offsets[0]) + " bytes are given at " + offsets[0]
                    + ", but " + typeName + " " + node.path("shape") + " needs " + bytes);
        }
        if (bytes > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(bytes + " bytes; a tensor can have 2 GiB at most");
        }
        return new Entry(name, new TensorType(dtype, Shape.of(shape)), offsets[0], offsets[1]);
    }

    private static long[] whole(String what, JsonNode node) {
        if (!node.isArray()) {
            throw new IllegalArgumentException(what + " is missing or not an array");
        }
        long[] out = new long[node.size()];
        for (int i = 0; i < out.length; i++) {
            JsonNode n = node.get(i);
            if (!n.isIntegralNumber() || !n.canConvertToLong() || n.asLong() < 0) {
                throw new IllegalArgumentException(what + " is " + node + "; its entries must be whole and ≥ 0");
            }
            out[i] = n.asLong();
        }
        return out;
    }

    /** The format allows neither overlap nor unused bytes, so that nothing can hide in a file. */
    private static void requireGapless(String file, Map<String, Entry> entries, long dataOffset, long dataLength) {
        List<Entry> order = new ArrayList<>(entries.values());
        order.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long at = 0;
        for (Entry e : order) {
            if (e.end() > dataLength) {
                throw new ModelFormatException(
                        file,
                        "offset " + (dataOffset + e.begin()) + ": tensor " + e.name() + " ends at " + e.end()
                                + ", but there are " + dataLength + " bytes of data (truncated?)");
            }
            if (e.begin() != at) {
                throw new ModelFormatException(
                        file,
                        "offset " + (dataOffset + e.begin()) + ": tensor " + e.name()
                                + (e.begin() < at ? " overlaps the one before" : " leaves a gap before it"));
            }
            at = e.end();
        }
        if (at != dataLength) {
            throw new ModelFormatException(
                    file, "offset " + (dataOffset + at) + ": " + (dataLength - at) + " bytes belong to no tensor");
        }
    }

    // ------------------------------------------------------------------------------------------ writing

    /**
     * Writes a file, replacing one that is there.
     *
     * @param tensors by name; of any type but those that the format lacks
     * @param metadata free text for the header
     */
    public static void write(Path path, Map<String, HostTensor> tensors, Map<String, String> metadata)
            throws IOException {
        ObjectNode header = JsonMapper.shared().createObjectNode();
        if (!metadata.isEmpty()) {
            ObjectNode m = header.putObject("__metadata__");
            new TreeMap<>(metadata).forEach(m::put);
        }
        long at = 0;
        // Wide types first keep every tensor aligned.
        List<Map.Entry<String, HostTensor>> order = new ArrayList<>(new TreeMap<>(tensors).entrySet());
        order.sort(Comparator.comparingInt(e -> -e.getValue().dtype().byteSize()));
        for (Map.Entry<String, HostTensor> e : order) {
            HostTensor t = e.getValue();
            ObjectNode n = header.putObject(e.getKey());
            n.put("dtype", NAMES.get(t.dtype()));
            var shape = n.putArray("shape");
            for (long d : t.shape()) {
                shape.add(d);
            }
            long end = at + t.elementCount() * t.dtype().byteSize();
            n.putArray("data_offsets").add(at).add(end);
            at = end;
        }
        byte[] json = JsonMapper.shared().writeValueAsString(header).getBytes(StandardCharsets.UTF_8);
        int padded = (json.length + 7) / 8 * 8;
        ByteBuffer start = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
        start.putLong(padded).put(json);
        while (start.hasRemaining()) {
            start.put((byte) ' ');
        }
        try (FileChannel out = FileChannel.open(
                path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            writeFully(out, start.flip());
            for (Map.Entry<String, HostTensor> e : order) {
                writeFully(out, e.getValue().hostBuffer());
            }
        }
    }

    private static void writeFully(FileChannel out, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            out.write(bytes);
        }
    }
}
