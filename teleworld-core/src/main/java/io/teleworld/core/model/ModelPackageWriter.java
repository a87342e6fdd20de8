package io.teleworld.core.model;

import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.weights.Conversions;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.error.ModelFormatException;
import io.teleworld.runtime.ActivationRange;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Writes a model package, part by part, into a folder. Confined to one thread. */
public final class ModelPackageWriter {

    /** How weights are stored. */
    public enum Storage {
        F32,
        F16,
        BF16,
        /** Matrices and kernels in int8 with a factor per row, vectors in F32. */
        INT8
    }

    private static final String INDEX = "model_index.json";
    private static final String WEIGHTS = "diffusion_pytorch_model.safetensors";
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private final Path root;
    private final Map<String, String> metadata;

    /**
     * @param root the folder, made where it is missing
     * @param metadata free text for the headers of weight files, such as where they come from
     */
    public ModelPackageWriter(Path root, Map<String, String> metadata) throws IOException {
        this(metadata, Files.createDirectories(root));
        writeText(INDEX, """
                {
                  "_class_name": "TeleWorldModel",
                  "transformer": ["teleworld", "VideoTransformer"],
                  "vae": ["teleworld", "VideoAutoencoder"],
                  "geometry": ["teleworld", "GeometryNet"],
                  "scheduler": ["teleworld", "FlowMatchScheduler"]
                }
                """);
    }

    private ModelPackageWriter(Map<String, String> metadata, Path root) {
        this.root = root;
        this.metadata = Map.copyOf(metadata);
    }

    /**
     * Writes into a package that is there; parts that are not written stay as they are.
     *
     * @throws ModelFormatException if the folder holds no package
     */
    public static ModelPackageWriter into(Path root, Map<String, String> metadata) {
        if (!Files.isRegularFile(root.resolve(INDEX))) {
            throw new ModelFormatException(root.toString(), "holds no model package: there is no " + INDEX);
        }
        return new ModelPackageWriter(metadata, root);
    }

    /** Writes {@code teleworld.json}. */
    public ModelPackageWriter world(TeleWorldConfig config) throws IOException {
        writeText("teleworld.json", JsonConfig.write(config));
        return this;
    }

    /** Writes {@code scheduler/}. */
    public ModelPackageWriter scheduler(SchedulerConfig config) throws IOException {
        writeText("scheduler/scheduler_config.json", JsonConfig.write(config));
        return this;
    }

    /** Writes {@code transformer/}; weights F32 by Diffusers name. */
    public ModelPackageWriter transformer(
            VideoTransformerConfig config, Map<String, HostTensor> weights, Storage storage) throws IOException {
        return network("transformer", config, weights, storage);
    }

    /** Writes {@code vae/}; weights F32, encoder and decoder. */
    public ModelPackageWriter vae(VideoAutoencoderConfig config, Map<String, HostTensor> weights, Storage storage)
            throws IOException {
        return network("vae", config, weights, storage);
    }

    /** Writes {@code geometry/}; weights F32. */
    public ModelPackageWriter geometry(GeometryNetConfig config, Map<String, HostTensor> weights, Storage storage)
            throws IOException {
        return network("geometry", config, weights, storage);
    }

    /** Writes {@code start_geometry/}, which packages need not have; weights F32. */
    public ModelPackageWriter startGeometry(GeometryNetConfig config, Map<String, HostTensor> weights, Storage storage)
            throws IOException {
        return added("start_geometry", "GeometryNet", config, weights, storage);
    }

    /** Writes {@code super_resolution/}, which packages need not have; weights F32. */
    public ModelPackageWriter superResolution(
            SuperResolutionConfig config, Map<String, HostTensor> weights, Storage storage) throws IOException {
        return added("super_resolution", "SuperResolutionNet", config, weights, storage);
    }

    /** Writes {@code prompts.safetensors}: what stands for each named style, F32 [tokens, text width]. */
    public ModelPackageWriter styles(Map<String, HostTensor> embeddings) throws IOException {
        Safetensors.write(root.resolve("prompts.safetensors"), embeddings, metadata);
        return this;
    }

    /**
     * Adds the ranges of activations to the weights of a network that is there, in place of those that it has. A package
     * that was opened before must be opened again: its weights are read when they are asked for.
     *
     * @param folder such as {@code vae}
     * @param ranges by name of the weight
     */
    public ModelPackageWriter ranges(String folder, Map<String, ActivationRange.OfLayer> ranges) throws IOException {
        Path file = root.resolve(folder).resolve(WEIGHTS);
        Safetensors there = Safetensors.of(file.toString(), Files.readAllBytes(file));
        Map<String, HostTensor> all = new LinkedHashMap<>();
        for (String name : there.names()) {
            if (!ActivationRange.isRange(name, there.names())) {
                all.put(name, there.tensor(name));
            }
        }
        ranges.forEach((weight, r) -> all.putAll(r.stored(weight)));
        // Should writing fail, the old file is still there.
        Path temp = file.resolveSibling(WEIGHTS + ".tmp");
        Safetensors.write(temp, all, there.metadata());
        Files.move(temp, file, StandardCopyOption.REPLACE_EXISTING);
        return this;
    }

    private ModelPackageWriter added(
            String folder, String type, Object config, Map<String, HostTensor> weights, Storage storage)
            throws IOException {
        Path index = root.resolve(INDEX);
        ObjectNode components = (ObjectNode) JSON.readTree(Files.readAllBytes(index));
        components.putArray(folder).add("teleworld").add(type);
        writeText(INDEX, JSON.writeValueAsString(components) + "\n");
        return network(folder, config, weights, storage);
    }

    private ModelPackageWriter network(String folder, Object config, Map<String, HostTensor> weights, Storage storage)
            throws IOException {
        writeText(folder + "/config.json", JsonConfig.write(config));
        Map<String, HostTensor> stored = new LinkedHashMap<>();
        weights.forEach((name, t) -> {
            switch (storage) {
                case F32 -> stored.put(name, Conversions.convert(t, DType.F32));
                case F16 -> stored.put(name, Conversions.convert(t, DType.F16));
                case BF16 -> stored.put(name, Conversions.convert(t, DType.BF16));
                case INT8 -> {
                    if (t.shape().length < 2 || name.endsWith("scale_shift_table")) {
                        stored.put(name, Conversions.convert(t, DType.F32));
                    } else {
                        Conversions.Int8 q = Conversions.quantise(t);
                        stored.put(name, q.values());
                        stored.put(name + Conversions.SCALE_SUFFIX, q.scale());
                    }
                }
            }
        });
        Safetensors.write(root.resolve(folder).resolve(WEIGHTS), stored, metadata);
        return this;
    }

    private void writeText(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Path folder = file.getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        Files.writeString(file, text);
    }
}
