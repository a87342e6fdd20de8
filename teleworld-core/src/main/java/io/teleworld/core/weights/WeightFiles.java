package io.teleworld.core.weights;

import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Shape;
import io.teleworld.graph.TensorType;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * The weights of a network from one or more files. Narrow formats that a runtime does not take (int8 and fp8, with their
 * {@code name.scale} companions) are widened to fp32 when they are asked for. Immutable and thread-safe.
 */
public final class WeightFiles implements Weights {

    /** One weight, read when it is asked for. */
    interface Entry {
        DType dtype();

        long[] shape();

        HostTensor read();

        /** One entry of the first axis as it is stored, if it can be read by itself; otherwise the whole is read. */
        default HostTensor row(long index) {
            HostTensor all = read();
            long[] shape = shape();
            int bytes = Math.toIntExact(HostTensor.elementCount(shape) / shape[0] * dtype().byteSize());
            shape[0] = 1;
            ByteBuffer row = all.hostBuffer().slice(Math.toIntExact(index * bytes), bytes);
            return HostTensor.wrap(dtype(), row.order(ByteOrder.LITTLE_ENDIAN), shape);
        }
    }

    private record Stored(TensorFile file, String name) implements Entry {
        @Override
        public DType dtype() {
            return file.dtype(name);
        }

        @Override
        public long[] shape() {
            return file.shape(name);
        }

        @Override
        public HostTensor read() {
            return file.tensor(name);
        }

        @Override
        public HostTensor row(long index) {
            return file.rows(name, index, 1);
        }
    }

    private final String description;
    private final Map<String, Entry> entries;

    private WeightFiles(String description, Map<String, Entry> entries) {
        this.description = description;
        this.entries = Collections.unmodifiableMap(entries);
    }

    /**
     * The weights in some files.
     *
     * @param description for messages, for example {@code transformer/}
     * @throws ModelFormatException if a name occurs twice
     */
    public static WeightFiles of(String description, Collection<? extends TensorFile> files) {
        Map<String, Entry> all = new TreeMap<>();
        for (TensorFile f : files) {
            for (String name : f.names()) {
                if (all.put(name, new Stored(f, name)) != null) {
                    throw new ModelFormatException(description, "tensor " + name + " is in two files");
                }
            }
        }
        return new WeightFiles(description, all);
    }

    /** What these weights are called in messages. */
    public String description() {
        return description;
    }

    /**
     * The same weights under other names.
     *
     * @throws ModelFormatException if two would have one name
     */
    public WeightFiles renamed(UnaryOperator<String> rename) {
        Map<String, Entry> all = new TreeMap<>();
        entries.forEach((name, where) -> {
            boolean companion = isScale(name);
            String base = companion ? name.substring(0, name.length() - Conversions.SCALE_SUFFIX.length()) : name;
            String renamed = rename.apply(base) + (companion ? Conversions.SCALE_SUFFIX : "");
            if (all.put(renamed, where) != null) {
                throw new ModelFormatException(description, "two tensors would be named " + renamed);
            }
        });
        return new WeightFiles(description, all);
    }

    /** Those weights whose names are accepted. */
    public WeightFiles filtered(Predicate<String> accepted) {
        Map<String, Entry> all = new TreeMap<>();
        entries.forEach((name, where) -> {
            String base = isScale(name) ? name.substring(0, name.length() - Conversions.SCALE_SUFFIX.length()) : name;
            if (accepted.test(base)) {
                all.put(name, where);
            }
        });
        return new WeightFiles(description, all);
    }

    /**
     * These weights with low-rank changes added to them. The sums are made when a weight is asked for and have the type
     * in which it is stored (fp32 for narrow ones).
     *
     * @throws ModelFormatException if a changed weight is not here or has another shape
     */
    public WeightFiles with(LoraWeights lora) {
        Map<String, Entry> all = new TreeMap<>(entries);
        for (String name : lora.names()) {
            Entry base = entries.get(name);
            if (base == null) {
                throw new ModelFormatException(
                        lora.description(), "changes weight " + name + ", which " + description + " lacks");
            }
            all.put(name, lora.merged(name, base, () -> get(name)));
            all.remove(name + Conversions.SCALE_SUFFIX);
        }
        return new WeightFiles(description + " with " + lora.description(), all);
    }

    /** These weights, of which one is cut to its last rows. */
    public WeightFiles withLastRows(String name, long rows) {
        Entry whole = entry(name);
        long[] shape = whole.shape();
        if (shape.length == 0 || rows < 0 || rows > shape[0]) {
            throw new IllegalArgumentException(
                    name + " is " + Arrays.toString(shape) + "; it has no last " + rows + " rows");
        }
        shape[0] = rows;
        Map<String, Entry> all = new TreeMap<>(entries);
        all.put(name, new Entry() {
            @Override
            public DType dtype() {
                return whole.dtype();
            }

            @Override
            public long[] shape() {
                return shape.clone();
            }

            @Override
            public HostTensor read() {
                ByteBuffer b = whole.read().hostBuffer();
                int bytes = Math.toIntExact(HostTensor.elementCount(shape) * dtype().byteSize());
                return HostTensor.wrap(dtype(), b.position(b.limit() - bytes), shape);
            }
        });
        return new WeightFiles(description, all);
    }

    @Override
    public Set<String> names() {
        Set<String> names = new TreeSet<>(entries.keySet());
        names.removeIf(this::isScale);
        return names;
    }

    /** Whether a tensor is the companion of a narrow one and no weight of its own. */
    private boolean isScale(String name) {
        if (!name.endsWith(Conversions.SCALE_SUFFIX)) {
            return false;
        }
        Entry of = entries.get(name.substring(0, name.length() - Conversions.SCALE_SUFFIX.length()));
        return of != null && isNarrow(of);
    }

    private static boolean isNarrow(Entry e) {
        DType t = e.dtype();
        return t == DType.I8 || t == DType.F8_E4M3;
    }

    /**
     * The extents of a weight.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public long[] shape(String name) {
        return entry(name).shape();
    }

    /** The number of weights' elements, companions of narrow ones aside. */
    public long parameters() {
        return names().stream()
                .mapToLong(n -> HostTensor.elementCount(shape(n)))
                .sum();
    }

    /** Bytes of all weights as {@link #get} gives them. */
    public long bytes() {
        return names().stream()
                .mapToLong(n -> {
                    DType stored = entry(n).dtype();
                    int size = stored == DType.F16 || stored == DType.BF16 ? 2 : 4;
                    return HostTensor.elementCount(shape(n)) * size;
                })
                .sum();
    }

    private Entry entry(String name) {
        Entry e = entries.get(name);
        if (e == null) {
            throw new IllegalArgumentException(description + " has no weight " + name);
        }
        return e;
    }

    @Override
    public HostTensor get(String name) {
        Entry where = entry(name);
        HostTensor stored = where.read();
        if (isNarrow(where)) {
            Entry scale = entries.get(name + Conversions.SCALE_SUFFIX);
            if (scale == null && stored.dtype() == DType.I8) {
                throw new ModelFormatException(
                        description, "weight " + name + " is I8 but there is no " + name + Conversions.SCALE_SUFFIX);
            }
            return scale == null
                    ? Conversions.convert(stored, DType.F32)
                    : Conversions.dequantise(stored, scale.read());
        }
        return switch (stored.dtype()) {
            case F32, F16, BF16 -> stored;
            case F64 -> Conversions.convert(stored, DType.F32);
            default ->
                throw new ModelFormatException(
                        description,
                        "weight " + name + " is " + stored.dtype() + "; only floating point and I8 are weights");
        };
    }

    @Override
    public TensorType type(String name) {
        Entry e = entry(name);
        DType given = isNarrow(e) || e.dtype() == DType.F64 ? DType.F32 : e.dtype();
        return new TensorType(given, Shape.of(e.shape()));
    }

    /**
     * One row of a weight, without reading the others where the file allows it.
     *
     * @throws IllegalArgumentException if there is no such weight or row
     * @throws ModelFormatException if it is stored in a format whose rows cannot be read by themselves
     */
    public float[] row(String name, long index) {
        Entry where = entry(name);
        long[] shape = where.shape();
        if (shape.length == 0 || index < 0 || index >= shape[0]) {
            throw new IllegalArgumentException(name + " is " + Arrays.toString(shape) + "; it has no row " + index);
        }
        if (isNarrow(where)) {
            throw new ModelFormatException(
                    description, "weight " + name + " is " + where.dtype() + "; allowed are F32, F16, BF16 and F64");
        }
        return Conversions.convert(where.row(index), DType.F32).toFloatArray();
    }

    /** How these weights differ from those that some graphs want. */
    public KeyReport compare(Graph... graphs) {
        Map<String, long[]> wanted = new LinkedHashMap<>();
        for (Graph g : graphs) {
            g.parameters().forEach((n, v) -> wanted.put(n, v.shape().known()));
        }
        Set<String> there = names();
        List<String> missing =
                wanted.keySet().stream().filter(n -> !there.contains(n)).toList();
        List<String> unexpected = there.stream()
                .filter(n -> !wanted.containsKey(n) && !ActivationRange.isRange(n, wanted.keySet()))
                .toList();
        List<String> otherShape = there.stream()
                .filter(n -> wanted.containsKey(n) && !Arrays.equals(shape(n), wanted.get(n)))
                .map(n -> n + " is " + Arrays.toString(shape(n)) + " instead of " + Arrays.toString(wanted.get(n)))
                .toList();
        long parameters =
                wanted.values().stream().mapToLong(HostTensor::elementCount).sum();
        return new KeyReport(missing, unexpected, otherShape, parameters(), parameters);
    }

    /**
     * Checks that these are exactly the weights of some graphs, with their shapes.
     *
     * @throws ModelFormatException listing what is missing, what is unexpected and which shapes differ
     */
    public void requireExactly(Graph... graphs) {
        KeyReport report = compare(graphs);
        if (!report.isExact()) {
            throw new ModelFormatException(description, report.summary());
        }
    }

    /**
     * Reads every weight once and refuses any that holds NaN or an infinity.
     *
     * @throws ModelFormatException naming weight and element
     */
    public void requireFinite() {
        for (String name : names()) {
            HostTensor t = get(name);
            ByteBuffer b = t.hostBuffer();
            int n = Math.toIntExact(t.elementCount());
            for (int i = 0; i < n; i++) {
                float v = Conversions.read(t.dtype(), b, i);
                if (!Float.isFinite(v)) {
                    throw new ModelFormatException(description, "weight " + name + ", element " + i + " is " + v);
                }
            }
        }
    }

    @Override
    public String toString() {
        return description + ", " + names().size() + " weights";
    }
}
