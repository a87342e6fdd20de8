package io.teleworld.training.recipe;

import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.HostTensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * A trained network as one safetensors file: fp32 weights, and its sizes as JSON in the header, so that the next recipe
 * needs no other file. Immutable.
 *
 * @param config the network's sizes
 * @param weights by name
 */
public record NetworkFile<C>(C config, Map<String, HostTensor> weights) {

    /** What the file in a run's folder is called. */
    public static final String NAME = "weights.safetensors";

    private static final String CONFIG = "config";

    public NetworkFile {
        weights = Map.copyOf(weights);
    }

    /**
     * Writes the file in one go, so that a reader sees the old or the new one.
     *
     * @param notes more entries for the header
     */
    public void write(Path file, Map<String, String> notes) throws IOException {
        Map<String, String> metadata = new TreeMap<>(notes);
        metadata.put(CONFIG, JsonConfig.write(config));
        Path folder = file.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        Safetensors.write(temporary, new TreeMap<>(weights), metadata);
        Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /**
     * Reads a file, or {@value #NAME} of a run's folder.
     *
     * @param defaults a configuration of the kind that is expected
     * @throws ModelFormatException if it is missing, damaged or holds another kind of network
     */
    public static <C> NetworkFile<C> read(Path fileOrFolder, C defaults) {
        Path file = Files.isDirectory(fileOrFolder) ? fileOrFolder.resolve(NAME) : fileOrFolder;
        Safetensors source = Safetensors.open(file);
        String json = source.metadata().get(CONFIG);
        if (json == null) {
            throw new ModelFormatException(file.toString(), "has no network configuration in its header");
        }
        C config = JsonConfig.read(
                file + " (" + CONFIG + ")", new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)), defaults);
        Map<String, HostTensor> weights = new TreeMap<>();
        source.names().forEach(n -> weights.put(n, source.tensor(n)));
        return new NetworkFile<>(config, weights);
    }

    /** The weights as arrays, row-major. */
    public Map<String, float[]> arrays() {
        Map<String, float[]> out = new LinkedHashMap<>();
        weights.forEach((n, t) -> out.put(n, t.toFloatArray()));
        return out;
    }
}
