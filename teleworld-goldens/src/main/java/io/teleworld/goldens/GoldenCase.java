package io.teleworld.goldens;

import io.teleworld.core.weights.Safetensors;
import io.teleworld.error.ModelFormatException;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One golden case: {@code NAME.json} and the tensors of {@code NAME.safetensors}, {@code NAME-*-of-*.safetensors} and
 * {@code NAME.original.safetensors} beside it, whose names do not overlap. Immutable and thread-safe.
 */
final class GoldenCase {

    private final String name;
    private final JsonNode json;
    private final Map<String, Safetensors> tensors;

    private GoldenCase(String name, JsonNode json, Map<String, Safetensors> tensors) {
        this.name = name;
        this.json = json;
        this.tensors = tensors;
    }

    /** The names of all cases in a folder, sorted. */
    static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(f -> f.getFileName().toString())
                    .filter(f -> f.endsWith(".json"))
                    .map(f -> f.substring(0, f.length() - ".json".length()))
                    .sorted()
                    .toList();
        }
    }

    /**
     * Reads a case.
     *
     * @throws ModelFormatException if a file contradicts the format, or two files hold a tensor of one name
     */
    static GoldenCase open(Path folder, String name) throws IOException {
        Path file = folder.resolve(name + ".json");
        JsonNode json;
        try {
            json = JsonMapper.shared().readTree(Files.readAllBytes(file));
        } catch (JacksonException e) {
            throw new ModelFormatException(file.toString(), "is not JSON: " + e.getOriginalMessage(), e);
        }
        if (!json.isObject()) {
            throw new ModelFormatException(file.toString(), "is not a JSON object");
        }
        Pattern own = Pattern.compile(Pattern.quote(name) + "(-\\d+-of-\\d+|\\.original)?\\.safetensors");
        Map<String, Safetensors> tensors = new TreeMap<>();
        List<Path> parts;
        try (Stream<Path> files = Files.list(folder)) {
            parts = files.filter(f -> own.matcher(f.getFileName().toString()).matches())
                    .sorted()
                    .toList();
        }
        for (Path part : parts) {
            Safetensors s = Safetensors.open(part);
            for (String tensor : s.names()) {
                if (tensors.put(tensor, s) != null) {
                    throw new ModelFormatException(part.toString(), "tensor " + tensor + " is in another file too");
                }
            }
        }
        for (JsonNode listed : json.path("files")) {
            for (String tensor : listed.path("tensors").propertyNames()) {
                if (!tensors.containsKey(tensor)) {
                    throw new ModelFormatException(file.toString(), "lists tensor " + tensor + ", which no file holds");
                }
            }
        }
        return new GoldenCase(name, json, tensors);
    }

    String name() {
        return name;
    }

    JsonNode json() {
        return json;
    }

    /** A node of the JSON by its keys; a missing node where there is none. */
    JsonNode at(String... path) {
        JsonNode n = json;
        for (String key : path) {
            n = n.path(key);
        }
        return n;
    }

    boolean has(String... path) {
        return !at(path).isMissingNode();
    }

    boolean hasTensor(String tensor) {
        return tensors.containsKey(tensor);
    }

    /** The names of the tensors that start so, sorted. */
    List<String> tensorNames(String prefix) {
        return tensors.keySet().stream().filter(n -> n.startsWith(prefix)).toList();
    }

    HostTensor tensor(String tensor) {
        @Nullable Safetensors s = tensors.get(tensor);
        if (s == null) {
            throw new ModelFormatException(name, "there is no tensor " + tensor);
        }
        return s.tensor(tensor);
    }

    long[] shape(String tensor) {
        return tensor(tensor).shape();
    }

    /** One extent of a tensor. */
    int extent(String tensor, int axis) {
        return Math.toIntExact(shape(tensor)[axis]);
    }

    float[] floats(String tensor) {
        return tensor(tensor).toFloatArray();
    }

    /** The elements of a tensor of any number type. */
    double[] numbers(String tensor) {
        HostTensor t = tensor(tensor);
        ByteBuffer b = t.hostBuffer();
        double[] out = new double[Math.toIntExact(t.elementCount())];
        for (int i = 0; i < out.length; i++) {
            out[i] = number(t.dtype(), b, i);
        }
        return out;
    }

    private double number(DType type, ByteBuffer b, int i) {
        return switch (type) {
            case F32 -> b.getFloat(4 * i);
            case F64 -> b.getDouble(8 * i);
            case I64 -> b.getLong(8 * i);
            case I32 -> b.getInt(4 * i);
            case U8, BOOL -> b.get(i) & 0xFF;
            case I8 -> b.get(i);
            default -> throw new ModelFormatException(name, "element type " + type + " is not expected here");
        };
    }

    /** The tensors whose names start so, without that prefix, as weights under names that are changed so. */
    Weights weights(String prefix, UnaryOperator<String> rename) {
        Map<String, HostTensor> w = new HashMap<>();
        for (String n : tensorNames(prefix)) {
            w.put(rename.apply(n.substring(prefix.length())), tensor(n));
        }
        return Weights.of(w);
    }

    Weights weights(String prefix) {
        return weights(prefix, n -> n);
    }

    static double[] doubles(JsonNode list) {
        double[] out = new double[list.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = list.get(i).asDouble();
        }
        return out;
    }

    /** All numbers of nested lists, one after another. */
    static double[] flat(JsonNode nested) {
        List<Double> out = new ArrayList<>();
        collect(nested, out);
        return out.stream().mapToDouble(Double::doubleValue).toArray();
    }

    private static void collect(JsonNode n, List<Double> out) {
        if (n.isArray()) {
            n.forEach(e -> collect(e, out));
        } else {
            out.add(n.asDouble());
        }
    }

    static List<Integer> integers(JsonNode list) {
        List<Integer> out = new ArrayList<>();
        list.forEach(e -> out.add(e.asInt()));
        return out;
    }

    static double[] widened(float[] values) {
        double[] out = new double[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = values[i];
        }
        return out;
    }
}
