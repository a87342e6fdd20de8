package io.teleworld.training.recipe;

import io.teleworld.ModelSource;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.weights.Conversions;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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
    private static final String PACKAGED_CONFIG = "config.json";

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
     * Reads a file, or {@value #NAME} of a run's folder, or a network's folder of a model package, whose sizes are in
     * {@value #PACKAGED_CONFIG}.
     *
     * @param defaults a configuration of the kind that is expected
     * @throws ModelFormatException if it is missing, damaged or holds another kind of network
     */
    public static <C> NetworkFile<C> read(Path fileOrFolder, C defaults) {
        Path packaged = fileOrFolder.resolve(PACKAGED_CONFIG);
        if (Files.exists(packaged)) {
            return packaged(fileOrFolder, packaged, defaults);
        }
        Path file = Files.isDirectory(fileOrFolder) ? fileOrFolder.resolve(NAME) : fileOrFolder;
        Safetensors source = Safetensors.open(file);
        String json = source.metadata().get(CONFIG);
        if (json == null) {
            throw new ModelFormatException(
                    file.toString(),
                    "has no network configuration in its header; of a model package, name the network's folder");
        }
        C config = JsonConfig.read(
                file + " (" + CONFIG + ")", new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)), defaults);
        Map<String, HostTensor> weights = new TreeMap<>();
        source.names().forEach(n -> weights.put(n, source.tensor(n)));
        return new NetworkFile<>(config, weights);
    }

    /** Reads an autoencoder as {@link #read} does, without the latents' statistics that a model package adds. */
    public static NetworkFile<VideoAutoencoderConfig> autoencoder(Path fileOrFolder, VideoAutoencoderConfig defaults) {
        NetworkFile<VideoAutoencoderConfig> file = read(fileOrFolder, defaults);
        return new NetworkFile<>(file.config().withLatentStatistics(List.of(), List.of()), file.weights());
    }

    private static <C> NetworkFile<C> packaged(Path folder, Path file, C defaults) {
        Path absolute = folder.toAbsolutePath();
        Path root = Objects.requireNonNull(absolute.getParent(), "folder of the package");
        WeightFiles stored = ModelPackage.weights(
                ModelFiles.of(ModelSource.directory(root)), String.valueOf(absolute.getFileName()));
        C config;
        try {
            config = JsonConfig.read(file.toString(), new ByteArrayInputStream(Files.readAllBytes(file)), defaults);
        } catch (IOException e) {
            throw new ModelFormatException(file.toString(), "cannot be read: " + e.getMessage(), e);
        }
        Map<String, HostTensor> weights = new TreeMap<>();
        stored.names().forEach(n -> weights.put(n, Conversions.convert(stored.get(n), DType.F32)));
        return new NetworkFile<>(config, weights);
    }

    /**
     * The weighted mean of networks that were trained from the same beginning, whose weights therefore mean the same.
     *
     * @param files at least one, of equal sizes
     * @param shares one positive number per file; they are divided by their sum
     * @throws IllegalArgumentException if the sizes, the weights' names or their shapes differ, or a share is not positive
     */
    public static <C> NetworkFile<C> average(List<NetworkFile<C>> files, List<Double> shares) {
        if (files.isEmpty() || files.size() != shares.size() || shares.stream().anyMatch(s -> !(s > 0))) {
            throw new IllegalArgumentException(
                    files.size() + " networks with the shares " + shares + "; each needs a positive share");
        }
        double sum = shares.stream().mapToDouble(Double::doubleValue).sum();
        NetworkFile<C> first = files.get(0);
        Map<String, HostTensor> out = new TreeMap<>();
        for (int i = 1; i < files.size(); i++) {
            requireAlike(first, files.get(i), i);
        }
        first.weights().forEach((name, w) -> {
            float[] mean = new float[Math.toIntExact(w.elementCount())];
            for (int i = 0; i < files.size(); i++) {
                float[] own = Objects.requireNonNull(files.get(i).weights().get(name), name)
                        .toFloatArray();
                float share = (float) (shares.get(i) / sum);
                for (int k = 0; k < mean.length; k++) {
                    mean[k] += share * own[k];
                }
            }
            out.put(name, HostTensor.ofFloats(mean, w.shape()));
        });
        return new NetworkFile<>(first.config(), out);
    }

    private static void requireAlike(NetworkFile<?> first, NetworkFile<?> other, int index) {
        if (!first.config().equals(other.config())) {
            throw new IllegalArgumentException(
                    "network " + index + " has the sizes " + other.config() + "; network 0 has " + first.config());
        }
        if (!first.weights().keySet().equals(other.weights().keySet())) {
            throw new IllegalArgumentException("network " + index + " has other weights than network 0");
        }
        first.weights().forEach((name, w) -> {
            long[] shape =
                    Objects.requireNonNull(other.weights().get(name), name).shape();
            if (!Arrays.equals(w.shape(), shape)) {
                throw new IllegalArgumentException(name + " of network " + index + " has the shape "
                        + Arrays.toString(shape) + "; of network 0 " + Arrays.toString(w.shape()));
            }
        });
    }

    /** The weights as arrays, row-major. */
    public Map<String, float[]> arrays() {
        Map<String, float[]> out = new LinkedHashMap<>();
        weights.forEach((n, t) -> out.put(n, t.toFloatArray()));
        return out;
    }
}
