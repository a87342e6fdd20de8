package io.teleworld.core.model;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.json.StrictJson;
import io.teleworld.core.network.FlopCounter;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WindowTransformer.Attention;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.TensorFile;
import io.teleworld.core.weights.TorchFile;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;

/**
 * A model package in Diffusers layout: {@code model_index.json}, {@code teleworld.json}, {@code transformer/},
 * {@code vae/}, {@code geometry/} (each a {@code config.json} and safetensors files, sharded or not) and
 * {@code scheduler/scheduler_config.json}; optionally {@code start_geometry/}, a geometry network for the picture that a
 * session starts from, and {@code super_resolution/}.
 *
 * <p>Immutable and thread-safe. Opening it checks that the parts fit each other and that the weight files hold exactly
 * the networks' weights; the weights themselves are read when they are asked for.
 */
public final class ModelPackage {

    private static final String START_GEOMETRY = "start_geometry";
    private static final String SUPER_RESOLUTION = "super_resolution";

    private static final List<String> WEIGHT_FILES =
            List.of("diffusion_pytorch_model.safetensors", "model.safetensors", "model.pt", "model.pth", "model.ckpt");

    private final TeleWorldConfig world;
    private final VideoTransformerConfig transformer;
    private final VideoAutoencoderConfig vae;
    private final GeometryNetConfig geometry;
    private final SchedulerConfig scheduler;
    private final WeightFiles transformerWeights;
    private final WeightFiles vaeWeights;
    private final WeightFiles geometryWeights;
    private final Optional<Part<GeometryNetConfig>> startGeometry;
    private final Optional<Part<SuperResolutionConfig>> superResolution;

    /** A network that packages need not have. */
    private record Part<C>(C config, WeightFiles weights) {}

    private ModelPackage(ModelFiles files) {
        requireComponents(files, Set.of("transformer", "vae", "geometry", "scheduler"));
        world = config(files, "teleworld.json", TeleWorldConfig.NANO);
        transformer = config(files, "transformer/config.json", VideoTransformerConfig.nano());
        vae = config(files, "vae/config.json", VideoAutoencoderConfig.nano());
        geometry = config(files, "geometry/config.json", GeometryNetConfig.nano());
        scheduler = config(files, "scheduler/scheduler_config.json", SchedulerConfig.FEW_STEP);
        requireFit(files.description());
        transformerWeights = transformerWeights(files, "transformer");
        vaeWeights = weights(files, "vae");
        geometryWeights = weights(files, "geometry");
        transformerWeights.requireExactly(transformerGraph());
        vaeWeights.requireExactly(encoderGraph(), decoderGraph());
        geometryWeights.requireExactly(geometryGraph());
        startGeometry = part(files, START_GEOMETRY, GeometryNetConfig.nano(), this::startGeometryGraph);
        superResolution = part(files, SUPER_RESOLUTION, SuperResolutionConfig.nano(), this::superResolutionGraph);
    }

    private static <C> Optional<Part<C>> part(ModelFiles files, String folder, C defaults, Function<C, Graph> graph) {
        if (!json(files, "model_index.json").has(folder)) {
            return Optional.empty();
        }
        C config = config(files, folder + "/config.json", defaults);
        WeightFiles stored = weights(files, folder);
        try {
            stored.requireExactly(graph.apply(config));
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(
                    files.description() + "/" + folder + "/config.json",
                    "does not fit the model: " + e.getMessage(),
                    e);
        }
        return Optional.of(new Part<>(config, stored));
    }

    /**
     * Opens a package.
     *
     * @throws ModelFormatException if a file is missing, malformed or contradicts another; names it
     */
    public static ModelPackage open(ModelFiles files) {
        return new ModelPackage(files);
    }

    /**
     * The weights of a video transformer under Diffusers names, from a folder with either naming; see {@link Checkpoint}.
     *
     * @param folder within the package, such as {@code transformer}
     */
    public static WeightFiles transformerWeights(ModelFiles files, String folder) {
        return Checkpoint.of(weights(files, folder), null).weights();
    }

    /**
     * All weights in a folder, from one file (safetensors, or one of {@code torch.save}) or from the shards that an index
     * names.
     */
    public static WeightFiles weights(ModelFiles files, String folder) {
        String inside = folder.isEmpty() ? "" : folder + "/";
        String description = files.description() + (folder.isEmpty() ? "" : "/" + folder);
        for (String name : WEIGHT_FILES) {
            String path = inside + name;
            if (files.exists(path + ".index.json")) {
                List<TensorFile> shards = new ArrayList<>();
                for (String shard : shards(files, path + ".index.json")) {
                    shards.add(tensors(files, inside + shard));
                }
                return WeightFiles.of(description, shards);
            }
            if (files.exists(path)) {
                return WeightFiles.of(description, List.of(tensors(files, path)));
            }
        }
        throw new ModelFormatException(
                description, "holds no weights; looked for " + String.join(", ", WEIGHT_FILES) + ", sharded or not");
    }

    private static Set<String> shards(ModelFiles files, String index) {
        Set<String> shards = new TreeSet<>();
        JsonNode map = json(files, index).path("weight_map");
        for (JsonNode file : map) {
            String name = file.asString("");
            if (!name.matches("[A-Za-z0-9._-]+\\.safetensors")) {
                throw new ModelFormatException(
                        files.description() + "/" + index, "weight_map names '" + name + "', which is no weight file");
            }
            shards.add(name);
        }
        if (shards.isEmpty()) {
            throw new ModelFormatException(files.description() + "/" + index, "weight_map is missing or empty");
        }
        return shards;
    }

    static TensorFile tensors(ModelFiles files, String path) {
        String name = files.description() + "/" + path;
        return files.onDisk(path)
                .map(Checkpoint::tensors)
                .orElseGet(() -> path.endsWith(".safetensors")
                        ? Safetensors.of(name, files.bytes(path))
                        : TorchFile.of(name, files.bytes(path)));
    }

    private static <T> T config(ModelFiles files, String path, T defaults) {
        return JsonConfig.read(files.description() + "/" + path, new ByteArrayInputStream(files.bytes(path)), defaults);
    }

    private static JsonNode json(ModelFiles files, String path) {
        return StrictJson.read(files.description() + "/" + path, files.bytes(path), 0);
    }

    private static void requireComponents(ModelFiles files, Set<String> needed) {
        Set<String> missing = new TreeSet<>(needed);
        json(files, "model_index.json").propertyNames().forEach(missing::remove);
        if (!missing.isEmpty()) {
            throw new ModelFormatException(
                    files.description() + "/model_index.json", "lacks the components " + missing);
        }
    }

    private void requireFit(String where) {
        int latent = vae.latentChannels();
        int masks = transformer.maskChannels();
        if (world.guidance().maskChannels() != masks) {
            throw new ModelFormatException(
                    where,
                    "guidance has " + world.guidance().maskChannels() + " mask channels, the transformer " + masks);
        }
        int inputs = world.guidance().inputChannels(latent);
        if (transformer.inChannels() != inputs || transformer.outChannels() != latent) {
            throw new ModelFormatException(
                    where,
                    "transformer takes " + transformer.inChannels() + " and gives " + transformer.outChannels()
                            + " channels; with " + latent + " latent and " + masks + " mask channels"
                            + (world.guidance().besideTarget() ? ", and guidance beside its targets," : "")
                            + " it must be " + inputs + " and " + latent);
        }
        int space = vae.spatialFactor();
        if (world.height() % space != 0 || world.width() % space != 0) {
            throw new ModelFormatException(
                    where,
                    "pictures are " + world.height() + "×" + world.width()
                            + " (height × width); both must be multiples of " + space);
        }
    }

    /** Size, rate, camera, controls and segment map. */
    public TeleWorldConfig world() {
        return world;
    }

    /** Sizes of the video transformer. */
    public VideoTransformerConfig transformer() {
        return transformer;
    }

    /** Sizes of the autoencoder. */
    public VideoAutoencoderConfig vae() {
        return vae;
    }

    /** Sizes of the geometry network. */
    public GeometryNetConfig geometry() {
        return geometry;
    }

    /** Noise schedule and steps. */
    public SchedulerConfig scheduler() {
        return scheduler;
    }

    /** Rows of a latent. */
    public int latentHeight() {
        return world.height() / vae.spatialFactor();
    }

    /** Columns of a latent. */
    public int latentWidth() {
        return world.width() / vae.spatialFactor();
    }

    /** The transformer for generation, with room in its caches for a segment of the package's map. */
    public Graph transformerGraph() {
        int capacity =
                SegmentLayout.cacheCapacity(world.segments().plan(ChainingPolicy.MAX_THROUGHPUT), world.guidance());
        return transformerGraph(capacity);
    }

    /** The transformer for generation, with room for so many cached frames. */
    public Graph transformerGraph(int cacheCapacityFrames) {
        return VideoTransformer.cachedGraph(transformer, latentHeight(), latentWidth(), cacheCapacityFrames);
    }

    /** The streaming encoder. */
    public Graph encoderGraph() {
        return VideoAutoencoder.encoderGraph(vae, world.height(), world.width());
    }

    /** The streaming decoder. */
    public Graph decoderGraph() {
        return VideoAutoencoder.decoderGraph(vae, latentHeight(), latentWidth());
    }

    /** The geometry network. */
    public Graph geometryGraph() {
        return GeometryNet.graph(geometry, world.height(), world.width());
    }

    /** Weights of {@link #transformerGraph()}. */
    public WeightFiles transformerWeights() {
        return transformerWeights;
    }

    /** Weights of {@link #encoderGraph()} and {@link #decoderGraph()} together. */
    public WeightFiles vaeWeights() {
        return vaeWeights;
    }

    /** Weights of {@link #geometryGraph()}. */
    public WeightFiles geometryWeights() {
        return geometryWeights;
    }

    /** Sizes of the geometry network for start pictures, if the package has one. */
    public Optional<GeometryNetConfig> startGeometry() {
        return startGeometry.map(Part::config);
    }

    /**
     * The geometry network for start pictures, for one picture by itself: {@link GeometryNet#clipGraph} of one keyframe.
     *
     * @throws java.util.NoSuchElementException if the package has none
     */
    public Graph startGeometryGraph() {
        return startGeometryGraph(startGeometry.orElseThrow().config());
    }

    private Graph startGeometryGraph(GeometryNetConfig config) {
        return GeometryNet.clipGraph(config, 1, world.height(), world.width());
    }

    /**
     * Weights of {@link #startGeometryGraph()}.
     *
     * @throws java.util.NoSuchElementException if the package has none
     */
    public WeightFiles startGeometryWeights() {
        return startGeometry.orElseThrow().weights();
    }

    /** Sizes of the super-resolution network, if the package has one. */
    public Optional<SuperResolutionConfig> superResolution() {
        return superResolution.map(Part::config);
    }

    /**
     * The streaming super-resolution network.
     *
     * @throws java.util.NoSuchElementException if the package has none
     */
    public Graph superResolutionGraph() {
        return superResolutionGraph(superResolution.orElseThrow().config());
    }

    private Graph superResolutionGraph(SuperResolutionConfig config) {
        return SuperResolutionNet.streamGraph(config, world.height(), world.width(), Attention.NEIGHBOURS);
    }

    /**
     * Weights of {@link #superResolutionGraph()}.
     *
     * @throws java.util.NoSuchElementException if the package has none
     */
    public WeightFiles superResolutionWeights() {
        return superResolution.orElseThrow().weights();
    }

    /** The number of weights in all networks. */
    public long parameters() {
        return FlopCounter.parameters(transformerGraph())
                + FlopCounter.parameters(encoderGraph())
                + FlopCounter.parameters(decoderGraph())
                + FlopCounter.parameters(geometryGraph())
                + (startGeometry.isPresent() ? FlopCounter.parameters(startGeometryGraph()) : 0)
                + (superResolution.isPresent() ? FlopCounter.parameters(superResolutionGraph()) : 0);
    }

    /**
     * Reads all weights once and refuses NaN and infinities.
     *
     * @throws ModelFormatException naming weight and element
     */
    public void requireFinite() {
        transformerWeights.requireFinite();
        vaeWeights.requireFinite();
        geometryWeights.requireFinite();
        startGeometry.ifPresent(part -> part.weights().requireFinite());
        superResolution.ifPresent(part -> part.weights().requireFinite());
    }
}
