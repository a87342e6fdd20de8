package io.teleworld.examples;

import io.teleworld.error.TeleWorldException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Folders and reports. Thread-safe. */
final class Output {

    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private Output() {}

    /** Makes a folder and finds out now, not after minutes of work, whether files can be written there. */
    static Path folder(Path folder) {
        try {
            Files.createDirectories(folder);
            Files.delete(Files.createTempFile(folder, "write", ".tmp"));
            return folder;
        } catch (IOException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER, folder + ": the output folder cannot be written to", e);
        }
    }

    /**
     * Writes a report; one that is there is replaced once the new one is complete. Numbers that are NaN or infinite,
     * which JSON does not have, become null.
     */
    static void json(Path file, Map<String, ?> report) {
        Path part = file.resolveSibling(file.getFileName() + ".part");
        JsonNode tree = JSON.valueToTree(report);
        removeNonFinite(tree);
        try {
            Files.write(part, JSON.writeValueAsBytes(tree));
            Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new TeleWorldException(TeleWorldException.Category.USER, file + ": cannot be written", e);
        }
    }

    private static void removeNonFinite(JsonNode node) {
        if (node instanceof ObjectNode object) {
            object.propertyNames().stream()
                    .filter(name -> isNonFinite(object.get(name)))
                    .toList()
                    .forEach(object::putNull);
        } else if (node instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                if (isNonFinite(array.get(i))) {
                    array.setNull(i);
                }
            }
        }
        node.forEach(Output::removeNonFinite);
    }

    private static boolean isNonFinite(JsonNode node) {
        return node.isFloatingPointNumber() && !Double.isFinite(node.doubleValue());
    }
}
