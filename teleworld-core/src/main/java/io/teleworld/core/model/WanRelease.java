package io.teleworld.core.model;

import io.teleworld.ModelSource;
import io.teleworld.core.json.StrictJson;
import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.KeyLayouts.Layout;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WanAutoencoder;
import io.teleworld.core.network.WanAutoencoderConfig;
import io.teleworld.core.weights.LoraWeights;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import java.io.ByteArrayInputStream;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A release of the Wan 2.1 family as it was published, in Diffusers' layout ({@code model_index.json}, {@code transformer/})
 * or in the original one ({@code config.json} with {@code dim}, weights beside it). Immutable and thread-safe; weights are
 * read when they are asked for.
 */
public final class WanRelease {

    /** Widths of heads in all published models; the original configuration gives the number of heads instead. */
    private static final int HEAD_DIM = 128;

    private static final String ORIGINAL_VAE = "Wan2.1_VAE.pth";

    private final Layout layout;
    private final VideoTransformerConfig config;
    private final Checkpoint transformer;
    private final ModelFiles files;

    private WanRelease(ModelFiles files, Layout layout, VideoTransformerConfig config, Checkpoint transformer) {
        this.files = files;
        this.layout = layout;
        this.config = config;
        this.transformer = transformer;
        transformer.weights().requireExactly(graph());
    }

    /**
     * Opens a release.
     *
     * @throws ModelFormatException if a file is missing or malformed, or the weights are not exactly those of the
     *     configuration
     * @throws io.teleworld.error.TeleWorldException if files cannot be fetched
     */
    public static WanRelease open(ModelSource source) {
        return open(ModelFiles.of(source));
    }

    /** As {@link #open(ModelSource)}, for files from anywhere. */
    public static WanRelease open(ModelFiles files) {
        if (files.exists("transformer/config.json")) {
            VideoTransformerConfig config = JsonConfig.read(
                    files.description() + "/transformer/config.json",
                    new ByteArrayInputStream(files.bytes("transformer/config.json")),
                    VideoTransformerConfig.wan13b());
            Checkpoint c = Checkpoint.of(ModelPackage.weights(files, "transformer"), null);
            return new WanRelease(files, Layout.DIFFUSERS, config, c);
        }
        if (files.exists("config.json")) {
            VideoTransformerConfig config = original(files, "config.json");
            return new WanRelease(files, Layout.ORIGINAL, config, Checkpoint.of(ModelPackage.weights(files, ""), null));
        }
        throw new ModelFormatException(
                files.description(),
                "is no release of Wan: neither transformer/config.json (Diffusers) nor config.json (original) is there");
    }

    /** This release with the weights of a checkpoint of the same shape, such as one of Self-Forcing, in its place. */
    public WanRelease with(Checkpoint checkpoint) {
        return new WanRelease(files, layout, config, checkpoint);
    }

    /** This release with low-rank changes. */
    public WanRelease with(LoraWeights lora) {
        return new WanRelease(files, layout, config, transformer.with(lora));
    }

    /** The arrangement of the files. */
    public Layout layout() {
        return layout;
    }

    /** The sizes of the transformer. */
    public VideoTransformerConfig config() {
        return config;
    }

    /** The transformer's weights. */
    public Checkpoint transformer() {
        return transformer;
    }

    /**
     * The weights of the autoencoder: {@code vae/} or {@code Wan2.1_VAE.pth}.
     *
     * @throws ModelFormatException if they are missing or not exactly those of Wan 2.1
     */
    public Checkpoint autoencoder() {
        Checkpoint c = layout == Layout.DIFFUSERS
                ? Checkpoint.of(ModelPackage.weights(files, "vae"), null)
                : Checkpoint.of(
                        WeightFiles.of(
                                files.description() + "/" + ORIGINAL_VAE,
                                List.of(ModelPackage.tensors(files, ORIGINAL_VAE))),
                        null);
        WanAutoencoderConfig sizes = WanAutoencoderConfig.wan21();
        int side = 8 * sizes.spatialFactor();
        c.weights()
                .requireExactly(
                        WanAutoencoder.encoderGraph(sizes, side, side, false),
                        WanAutoencoder.decoderGraph(sizes, 8, 8, false));
        return c;
    }

    /** Any of the transformer's graphs has the same weights; this one is the smallest. */
    private Graph graph() {
        List<Integer> p = config.patchSize();
        return VideoTransformer.plainGraph(config, p.get(1), p.get(2), TimestepPer.SAMPLE);
    }

    /** The configuration of an original release, under its own keys. */
    static VideoTransformerConfig original(ModelFiles files, String path) {
        String name = files.description() + "/" + path;
        JsonNode json = StrictJson.read(name, files.bytes(path), 0);
        int dim = whole(name, json, "dim", Optional.empty());
        int heads = whole(name, json, "num_heads", Optional.of(dim / HEAD_DIM));
        int in = whole(name, json, "in_dim", Optional.of(16));
        boolean image = json.path("model_type").asString("t2v").equals("i2v");
        try {
            if (heads < 1 || dim % heads != 0) {
                throw new IllegalArgumentException("num_heads " + heads + " does not divide dim " + dim);
            }
            @Nullable Integer imageDim = image ? 1280 : null;
            return new VideoTransformerConfig(
                    List.of(1, 2, 2),
                    heads,
                    dim / heads,
                    in,
                    whole(name, json, "out_dim", Optional.of(16)),
                    whole(name, json, "text_dim", Optional.of(4096)),
                    whole(name, json, "freq_dim", Optional.of(256)),
                    whole(name, json, "ffn_dim", Optional.empty()),
                    whole(name, json, "num_layers", Optional.empty()),
                    json.path("cross_attn_norm").asBoolean(true),
                    VideoTransformerConfig.RMS_ACROSS_HEADS,
                    json.path("eps").asDouble(1e-6),
                    imageDim,
                    image ? dim : null,
                    1024,
                    null,
                    whole(name, json, "text_len", Optional.of(512)),
                    0);
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(name, String.valueOf(e.getMessage()), e);
        }
    }

    private static int whole(String file, JsonNode json, String key, Optional<Integer> otherwise) {
        JsonNode n = json.path(key);
        if (n.isMissingNode() && otherwise.isPresent()) {
            return otherwise.get();
        }
        if (!n.isIntegralNumber() || !n.canConvertToInt() || n.asInt() < 1) {
            throw new ModelFormatException(
                    file,
                    "key '" + key + "' is " + (n.isMissingNode() ? "missing" : n) + "; it must be a positive number");
        }
        return n.asInt();
    }

    @Override
    public String toString() {
        return transformer + ", " + transformer.parameters() + " parameters";
    }
}
