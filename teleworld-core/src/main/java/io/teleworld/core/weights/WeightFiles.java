package io.teleworld.core.weights;

import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/**
 * The weights of a network from one or more files. Narrow formats that a runtime does not take (int8 and fp8, with their
 * {@code name.scale} companions) are widened to fp32 when they are asked for. Thread-safe.
 */
public final class WeightFiles implements Weights {

    private record Location(TensorFile file, String storedName) {}

    private final String description;
    private final Map<String, Location> locations;

    private WeightFiles(String description, Map<String, Location> locations) {
        this.description = description;
        this.locations = Collections.unmodifiableMap(locations);
    }

    /**
     * The weights in some files.
     *
     * @param description for messages, for example {@code transformer/}
     * @throws ModelFormatException if a name occurs twice
     */
    public static WeightFiles of(String description, Collection<? extends TensorFile> files) {
        Map<String, Location> all = new TreeMap<>();
        for (TensorFile f : files) {
            for (String name : f.names()) {
                if (all.put(name, new Location(f, name)) != null) {
                    throw new ModelFormatException(description, "tensor " + name + " is in two files");
                }
            }
        }
        return new WeightFiles(description, all);
    }

    /** The same weights under other names. */
    public WeightFiles renamed(UnaryOperator<String> rename) {
        Map<String, Location> all = new TreeMap<>();
        locations.forEach((name, where) -> {
            boolean companion = isScale(name);
            String base = companion ? name.substring(0, name.length() - Conversions.SCALE_SUFFIX.length()) : name;
            String renamed = rename.apply(base) + (companion ? Conversions.SCALE_SUFFIX : "");
            if (all.put(renamed, where) != null) {
                throw new ModelFormatException(description, "two tensors would be named " + renamed);
            }
        });
        return new WeightFiles(description, all);
    }

    @Override
    public Set<String> names() {
        Set<String> names = new TreeSet<>(locations.keySet());
        names.removeIf(this::isScale);
        return names;
    }

    /** Whether a tensor is the companion of a narrow one and no weight of its own. */
    private boolean isScale(String name) {
        if (!name.endsWith(Conversions.SCALE_SUFFIX)) {
            return false;
        }
        Location of = locations.get(name.substring(0, name.length() - Conversions.SCALE_SUFFIX.length()));
        return of != null && isNarrow(of);
    }

    private static boolean isNarrow(Location l) {
        DType t = l.file().dtype(l.storedName());
        return t == DType.I8 || t == DType.F8_E4M3;
    }

    @Override
    public HostTensor get(String name) {
        Location where = locations.get(name);
        if (where == null) {
            throw new IllegalArgumentException(description + " has no weight " + name);
        }
        HostTensor stored = where.file().tensor(where.storedName());
        if (isNarrow(where)) {
            Location scale = locations.get(name + Conversions.SCALE_SUFFIX);
            if (scale == null && stored.dtype() == DType.I8) {
                throw new ModelFormatException(
                        description, "weight " + name + " is I8 but there is no " + name + Conversions.SCALE_SUFFIX);
            }
            return scale == null
                    ? Conversions.convert(stored, DType.F32)
                    : Conversions.dequantise(stored, scale.file().tensor(scale.storedName()));
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

    /**
     * Checks that these are exactly the weights of some graphs, with their shapes.
     *
     * @throws ModelFormatException listing what is missing, what is unexpected and which shapes differ
     */
    public void requireExactly(Graph... graphs) {
        Map<String, long[]> wanted = new LinkedHashMap<>();
        for (Graph g : graphs) {
            g.parameters().forEach((n, v) -> wanted.put(n, v.shape().known()));
        }
        Set<String> there = names();
        List<String> problems = new ArrayList<>();
        report(
                problems,
                "missing",
                wanted.keySet().stream().filter(n -> !there.contains(n)).toList());
        report(
                problems,
                "unexpected",
                there.stream().filter(n -> !wanted.containsKey(n)).toList());
        Map<String, String> wrong = new HashMap<>();
        wanted.forEach((n, shape) -> {
            Location where = locations.get(n);
            if (where != null && !Arrays.equals(where.file().shape(where.storedName()), shape)) {
                wrong.put(
                        n,
                        n + " is " + Arrays.toString(where.file().shape(where.storedName())) + " instead of "
                                + Arrays.toString(shape));
            }
        });
        report(problems, "of another shape", wrong.values().stream().sorted().toList());
        if (!problems.isEmpty()) {
            throw new ModelFormatException(description, String.join("; ", problems));
        }
    }

    private static void report(List<String> problems, String what, List<String> names) {
        if (!names.isEmpty()) {
            int shown = Math.min(8, names.size());
            problems.add(names.size() + " " + what + ": " + String.join(", ", names.subList(0, shown))
                    + (shown < names.size() ? ", …" : ""));
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
