package io.teleworld.core.network;

import io.teleworld.core.json.StrictJson;
import io.teleworld.error.ModelFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads and writes configuration records as JSON with {@code snake_case} keys.
 *
 * <p>Stateless. Keys that start with an underscore ({@code _class_name} and the like) are ignored; any other unknown
 * key is refused, because a misspelt key would silently keep its default.
 */
public final class JsonConfig {

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
            .build();

    private JsonConfig() {}

    /**
     * Reads a record; keys that the file lacks, in nested objects too, keep the value that {@code defaults} has.
     *
     * @param file the name for error messages
     * @param in the JSON text in UTF-8; not closed
     * @param defaults a complete configuration
     * @throws ModelFormatException on malformed JSON, an unknown key or a value outside its range; names the key
     */
    public static <T> T read(String file, InputStream in, T defaults) {
        try {
            JsonNode given = MAPPER.readTree(in.readAllBytes());
            if (!(given instanceof ObjectNode fields)) {
                throw new ModelFormatException(file, "is not a JSON object");
            }
            ObjectNode merged = MAPPER.valueToTree(defaults);
            merge(file, "", merged, fields);
            @SuppressWarnings("unchecked")
            Class<T> type = (Class<T>) defaults.getClass();
            return MAPPER.treeToValue(merged, type);
        } catch (IOException e) {
            throw new ModelFormatException(file, "cannot be read: " + e.getMessage(), e);
        } catch (UnrecognizedPropertyException e) {
            throw new ModelFormatException(file, "unknown key '" + path(e.getPath()) + "'", e);
        } catch (JacksonException e) {
            String where = e.getPath().isEmpty() ? StrictJson.place(e, 0) : "key '" + path(e.getPath()) + "': ";
            Throwable root = e.getCause() instanceof IllegalArgumentException ? e.getCause() : e;
            String message = root instanceof JacksonException j ? j.getOriginalMessage() : root.getMessage();
            throw new ModelFormatException(file, where + message, e);
        }
    }

    private static void merge(String file, String path, ObjectNode into, ObjectNode given) {
        for (String key : given.propertyNames()) {
            if (key.startsWith("_")) {
                continue;
            }
            if (!into.has(key)) {
                throw new ModelFormatException(
                        file, "unknown key '" + path + key + "'; known are " + String.join(", ", into.propertyNames()));
            }
            if (into.get(key) instanceof ObjectNode inner && given.get(key) instanceof ObjectNode givenInner) {
                merge(file, path + key + ".", inner, givenInner);
            } else {
                into.set(key, given.get(key));
            }
        }
    }

    /** The JSON text of a configuration. */
    public static String write(Object config) {
        return MAPPER.writeValueAsString(config) + "\n";
    }

    private static String path(List<JacksonException.Reference> path) {
        return path.stream()
                .map(r -> r.getPropertyName() != null ? r.getPropertyName() : "[" + r.getIndex() + "]")
                .collect(Collectors.joining("."));
    }
}
