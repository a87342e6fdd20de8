package io.teleworld.core.json;

import io.teleworld.error.ModelFormatException;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads JSON and refuses what is ambiguous: keys that occur twice, and text behind the end. Nesting is limited to 500
 * levels, which is what Jackson allows. Stateless.
 */
public final class StrictJson {

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private StrictJson() {}

    /**
     * The tree of a text.
     *
     * @param file the name for messages
     * @param text UTF-8
     * @param offset where the text begins in its file
     * @throws ModelFormatException if it is not JSON; says at which byte of the file
     */
    public static JsonNode read(String file, byte[] text, long offset) {
        try {
            return JSON.readTree(text);
        } catch (JacksonException e) {
            throw new ModelFormatException(file, place(e, offset) + "is not JSON: " + e.getOriginalMessage(), e);
        }
    }

    /** {@code "offset 12: "}; the beginning of the text where the parser does not say more. */
    public static String place(JacksonException e, long offset) {
        TokenStreamLocation at = e.getLocation();
        return "offset " + (offset + (at == null ? 0 : Math.max(0, at.getByteOffset()))) + ": ";
    }

    /**
     * Where a key of the outermost object stands, for messages.
     *
     * @param text JSON that {@link #read} accepts
     * @return bytes from the start of the text; 0 if there is no such key
     */
    public static long offsetOf(byte[] text, String key) {
        try (JsonParser parser = JSON.createParser(text)) {
            int depth = 0;
            for (JsonToken t = parser.nextToken(); t != null; t = parser.nextToken()) {
                depth += t.isStructStart() ? 1 : t.isStructEnd() ? -1 : 0;
                if (depth == 1 && t == JsonToken.PROPERTY_NAME && key.equals(parser.currentName())) {
                    return Math.max(0, parser.currentTokenLocation().getByteOffset());
                }
            }
            return 0;
        }
    }
}
