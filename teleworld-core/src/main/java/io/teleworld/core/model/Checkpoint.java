package io.teleworld.core.model;

import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.TextEncoderConfig;
import io.teleworld.core.network.TextEncoderKeys;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WanAutoencoderConfig;
import io.teleworld.core.network.WanAutoencoderKeys;
import io.teleworld.core.weights.LoraWeights;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.TensorFile;
import io.teleworld.core.weights.TorchFile;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A published checkpoint of one network, under the names that the SDK's networks use, whatever it was called and wrapped
 * in when it was saved. Immutable and thread-safe.
 *
 * <p>Recognised are video transformers of the Wan 2.1 family with original or Diffusers names (Wan 2.1 text- and
 * image-to-video, Self-Forcing, CausVid, LongLive, MMPL, Krea, Matrix-Game 2, ReCamMaster), its autoencoder, the tiny
 * autoencoder TAEHV, and the UMT5 encoder of prompts.
 * A file may hold several networks, as those of distillation do; one part is chosen, by default the first that is there of
 * {@code generator_ema}, {@code generator} and the only network of the file.
 */
public final class Checkpoint {

    /** What network a checkpoint holds. */
    public enum Kind {
        VIDEO_TRANSFORMER,
        /** The autoencoder of Wan 2.1, {@link io.teleworld.core.network.WanAutoencoder}. */
        WAN_AUTOENCODER,
        /** The tiny autoencoder for latents of Wan 2.1, {@link VideoAutoencoder}. */
        TAEHV,
        /** The encoder of prompts, {@link io.teleworld.core.network.TextEncoder}. */
        TEXT_ENCODER
    }

    private static final List<String> PREFERRED = List.of("generator_ema", "generator");
    private static final String WRAPPERS = "(_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod)\\.";
    private static final String TAEHV = "decoder.3.conv.0.weight";
    private static final String WAN_VAE = "decoder.upsamples.0.residual.0.gamma";
    private static final String WAN_VAE_DIFFUSERS = "decoder.up_blocks.0.resnets.0.norm1.gamma";
    private static final String TEXT_ORIGINAL = "blocks.0.attn.q.weight";
    private static final String TEXT_TRANSFORMERS = "encoder.block.0.layer.0.SelfAttention.q.weight";
    /** The name of one weight of each network, which is enough to recognise it. */
    private static final List<String> MARKERS = List.of(
            "blocks.0.self_attn.q.weight",
            "blocks.0.attn1.to_q.weight",
            TAEHV,
            WAN_VAE,
            WAN_VAE_DIFFUSERS,
            TEXT_ORIGINAL,
            TEXT_TRANSFORMERS);

    private static final Pattern BLOCK = Pattern.compile("blocks\\.(\\d+)\\..*");
    private static final Pattern TEXT_BLOCK = Pattern.compile("encoder\\.block\\.(\\d{1,6})\\..*");

    private final Kind kind;
    private final KeyLayouts.@Nullable Layout layout;
    private final String part;
    private final WeightFiles weights;
    private final WeightFiles added;
    private final List<String> otherParts;

    private Checkpoint(
            Kind kind,
            KeyLayouts.@Nullable Layout layout,
            String part,
            WeightFiles weights,
            WeightFiles added,
            List<String> otherParts) {
        this.kind = kind;
        this.layout = layout;
        this.part = part;
        this.weights = weights;
        this.added = added;
        this.otherParts = List.copyOf(otherParts);
    }

    /**
     * Opens the files of one checkpoint: a single one, or all shards.
     *
     * @param files {@code .safetensors}, {@code .pt}, {@code .pth}, {@code .ckpt} or {@code .bin}
     * @throws ModelFormatException if a file is malformed, or together they are nothing that is known
     */
    public static Checkpoint open(Path... files) {
        if (files.length == 0) {
            throw new IllegalArgumentException("no files are given; at least one is needed");
        }
        List<TensorFile> open = new ArrayList<>();
        for (Path f : files) {
            open.add(tensors(f));
        }
        return of(WeightFiles.of(Arrays.toString(files), open), null);
    }

    /** A tensor file on disk, read by what its name ends in. */
    static TensorFile tensors(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".safetensors")) {
            return Safetensors.open(file);
        }
        if (name.endsWith(".pt") || name.endsWith(".pth") || name.endsWith(".ckpt") || name.endsWith(".bin")) {
            return TorchFile.open(file);
        }
        throw new ModelFormatException(
                file.toString(), "is no weight file; known are .safetensors, .pt, .pth, .ckpt and .bin");
    }

    /**
     * Recognises weights.
     *
     * @param stored as they are in the files
     * @param wanted the part to use, such as {@code generator}; null chooses
     * @throws ModelFormatException if they are nothing that is known, or names are among them that the network lacks
     */
    public static Checkpoint of(WeightFiles stored, @Nullable String wanted) {
        Map<String, String> parts = parts(stored);
        String part = choose(stored, parts, wanted);
        String prefix = parts.getOrDefault(part, "");
        WeightFiles own = stored.filtered(n -> unwrapped(n).startsWith(prefix))
                .renamed(n -> unwrapped(n).substring(prefix.length()));
        List<String> others = stored.names().stream()
                .filter(n -> !unwrapped(n).startsWith(prefix))
                .toList();
        WeightFiles added = own.filtered(KeyLayouts::isAdded);
        WeightFiles base = own.filtered(n -> !KeyLayouts.isAdded(n));
        if (own.names().contains(TAEHV)) {
            return new Checkpoint(Kind.TAEHV, null, part, fitted(base), added, others);
        }
        if (own.names().contains(WAN_VAE) || own.names().contains(WAN_VAE_DIFFUSERS)) {
            WanAutoencoderKeys keys = new WanAutoencoderKeys(WanAutoencoderConfig.wan21());
            boolean original = WanAutoencoderKeys.isOriginal(own.names());
            return new Checkpoint(
                    Kind.WAN_AUTOENCODER,
                    original ? KeyLayouts.Layout.ORIGINAL : KeyLayouts.Layout.DIFFUSERS,
                    part,
                    translated(base, n -> keys.toDiffusers(original ? n : keys.toOriginal(n))),
                    added,
                    others);
        }
        if (own.names().contains(TEXT_ORIGINAL) || own.names().contains(TEXT_TRANSFORMERS)) {
            KeyLayouts.Layout naming = TextEncoderKeys.detect(own.names());
            boolean original = naming == KeyLayouts.Layout.ORIGINAL;
            boolean twins = base.names().contains(TextEncoderKeys.EMBEDDING_TWIN);
            WeightFiles once = twins && base.names().contains("shared.weight")
                    ? base.filtered(n -> !n.equals(TextEncoderKeys.EMBEDDING_TWIN))
                    : base.renamed(n -> n.equals(TextEncoderKeys.EMBEDDING_TWIN) ? "shared.weight" : n);
            return new Checkpoint(
                    Kind.TEXT_ENCODER,
                    naming,
                    part,
                    translated(once, n -> TextEncoderKeys.toTransformers(original ? n : TextEncoderKeys.toOriginal(n))),
                    added,
                    others);
        }
        KeyLayouts.Layout layout = KeyLayouts.detect(own.names());
        boolean original = layout == KeyLayouts.Layout.ORIGINAL;
        return new Checkpoint(
                Kind.VIDEO_TRANSFORMER,
                layout,
                part,
                translated(base, n -> KeyLayouts.toDiffusers(original ? n : KeyLayouts.toOriginal(n))),
                added,
                others);
    }

    /** Where each network of the files begins: from what is in front of its names, short and whole. */
    private static Map<String, String> parts(WeightFiles stored) {
        Map<String, String> parts = new TreeMap<>();
        for (String name : stored.names()) {
            String n = unwrapped(name);
            for (String marker : MARKERS) {
                if (n.endsWith(marker) && (n.length() == marker.length() || n.endsWith("." + marker))) {
                    String prefix = n.substring(0, n.length() - marker.length());
                    parts.put(prefix.isEmpty() ? "" : prefix.substring(0, prefix.indexOf('.')), prefix);
                }
            }
        }
        if (parts.isEmpty()) {
            throw new ModelFormatException(
                    stored.description(),
                    "is no known checkpoint: none of " + String.join(", ", MARKERS) + " is among its "
                            + stored.names().size() + " weights, with or without something in front");
        }
        return parts;
    }

    private static String choose(WeightFiles stored, Map<String, String> parts, @Nullable String wanted) {
        if (wanted != null) {
            if (!parts.containsKey(wanted)) {
                throw new ModelFormatException(
                        stored.description(), "has no part '" + wanted + "'; there are " + parts.keySet());
            }
            return wanted;
        }
        for (String p : PREFERRED) {
            if (parts.containsKey(p)) {
                return p;
            }
        }
        if (parts.size() > 1) {
            throw new ModelFormatException(
                    stored.description(), "holds the networks " + parts.keySet() + "; say which part is wanted");
        }
        return parts.keySet().iterator().next();
    }

    private static String unwrapped(String name) {
        return name.replaceAll(WRAPPERS, "");
    }

    private static WeightFiles translated(WeightFiles base, UnaryOperator<String> rename) {
        Map<String, String> names = new TreeMap<>();
        TreeSet<String> unknown = new TreeSet<>();
        for (String n : base.names()) {
            try {
                names.put(n, rename.apply(n));
            } catch (IllegalArgumentException e) {
                unknown.add(n);
            }
        }
        if (!unknown.isEmpty()) {
            throw new ModelFormatException(
                    base.description(),
                    unknown.size() + " unexpected: "
                            + String.join(", ", unknown.stream().limit(8).toList())
                            + (unknown.size() > 8 ? ", …" : ""));
        }
        return base.renamed(n -> names.getOrDefault(n, n));
    }

    /** Some releases of the tiny autoencoder grow time by more than is used; the last rows count. */
    private static WeightFiles fitted(WeightFiles base) {
        WeightFiles out = base;
        for (var p : VideoAutoencoder.decoderGraph(VideoAutoencoderConfig.taehv(), 4, 4)
                .parameters()
                .entrySet()) {
            String name = p.getKey();
            long rows = p.getValue().shape().dim(0).known();
            if (name.endsWith(".conv.weight") && base.names().contains(name)) {
                long[] there = base.shape(name);
                // Growing layers have one input axis of the same width; reduced copies of the network keep their own.
                if (there.length == 4
                        && there[0] > rows
                        && there[1] == p.getValue().shape().dim(1).known()) {
                    out = out.withLastRows(name, rows);
                }
            }
        }
        return out;
    }

    /** This checkpoint with low-rank changes added to its weights. */
    public Checkpoint with(LoraWeights lora) {
        return new Checkpoint(kind, layout, part, weights.with(lora), added, otherParts);
    }

    /**
     * The low-rank changes of a video transformer in a file, such as {@code lora.pt} of LongLive.
     *
     * @param file with names of either layout; of a file with several parts {@code generator_lora} is read
     * @throws ModelFormatException if a name is not understood
     */
    public static LoraWeights lora(Path file) {
        WeightFiles stored = WeightFiles.of(file.toString(), List.of(tensors(file)));
        String part = "generator_lora.";
        WeightFiles own = stored.names().stream().anyMatch(n -> n.startsWith(part))
                ? stored.filtered(n -> n.startsWith(part))
                : stored;
        return LoraWeights.of(own, module -> {
            String name = KeyLayouts.strip(module) + ".weight";
            boolean original =
                    !name.matches(".*\\.attn[12]\\..*|.*\\.ffn\\.net\\..*|condition_embedder\\..*|proj_out\\..*");
            String diffusers = original ? KeyLayouts.toDiffusers(name) : name;
            return diffusers.substring(0, diffusers.length() - ".weight".length());
        });
    }

    /** What network this is. */
    public Kind kind() {
        return kind;
    }

    /**
     * The naming in which it was stored.
     *
     * @throws IllegalStateException if it is of a network that has one naming only
     */
    public KeyLayouts.Layout layout() {
        if (layout == null) {
            throw new IllegalStateException("a " + kind + " has one naming only");
        }
        return layout;
    }

    /** The part of the file that was chosen, such as {@code generator_ema}; empty if the names stand alone. */
    public String part() {
        return part;
    }

    /** The weights under the names of the network: Diffusers' where there are two, else the network's own. */
    public WeightFiles weights() {
        return weights;
    }

    /** The weights of modules that {@linkplain KeyLayouts#isAdded were added} to the network; most have none. */
    public WeightFiles added() {
        return added;
    }

    /** Names of what else is in the files and was left out: critics, other averages, optimisers. */
    public List<String> otherParts() {
        return Collections.unmodifiableList(otherParts);
    }

    /** The number of weights, added modules aside. */
    public long parameters() {
        return weights.parameters();
    }

    /**
     * The sizes of a video transformer, from the shapes of its weights.
     *
     * @param attentionHeadDim width of a head, which no shape tells; 128 in all published models
     * @throws ModelFormatException if the weights lack a part that every such network has
     */
    public VideoTransformerConfig transformerConfig(int attentionHeadDim) {
        if (kind != Kind.VIDEO_TRANSFORMER) {
            throw new IllegalStateException(weights + " is no video transformer but " + kind);
        }
        String embedder = "condition_embedder.";
        long[] patch = shape("patch_embedding.weight", 5);
        long[] text = shape(embedder + "text_embedder.linear_1.weight", 2);
        long[] time = shape(embedder + "time_embedder.linear_1.weight", 2);
        long[] ffn = shape("blocks.0.ffn.net.0.proj.weight", 2);
        long[] out = shape("proj_out.weight", 2);
        String image = embedder + "image_embedder.";
        boolean hasImage = weights.names().contains(image + "norm1.weight");
        boolean hasPositions = weights.names().contains(image + "pos_embed");
        String camera = "blocks.0.cam_encoder.weight";
        int layers = 0;
        for (String n : weights.names()) {
            Matcher m = BLOCK.matcher(n);
            if (m.matches()) {
                layers = Math.max(layers, 1 + Integer.parseInt(m.group(1)));
            }
        }
        int width = small(patch[0]);
        try {
            if (attentionHeadDim < 1 || width % attentionHeadDim != 0) {
                throw new IllegalArgumentException(
                        "heads of " + attentionHeadDim + " do not divide the width " + width);
            }
            return new VideoTransformerConfig(
                    List.of(small(patch[2]), small(patch[3]), small(patch[4])),
                    width / attentionHeadDim,
                    attentionHeadDim,
                    small(patch[1]),
                    small(out[0] / Math.max(1, patch[2] * patch[3] * patch[4])),
                    small(text[1]),
                    small(time[1]),
                    small(ffn[0]),
                    layers,
                    weights.names().contains("blocks.0.norm2.weight"),
                    VideoTransformerConfig.RMS_ACROSS_HEADS,
                    1e-6,
                    hasImage ? small(shape(image + "norm1.weight", 1)[0]) : null,
                    hasImage ? width : null,
                    1024,
                    hasPositions ? small(shape(image + "pos_embed", 3)[1]) : null,
                    512,
                    0,
                    weights.names().contains(camera) ? small(shape(camera, 2)[1]) : null,
                    weights.names().contains("blocks.0.projector.weight"));
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(weights.description(), "shapes contradict each other: " + e.getMessage(), e);
        }
    }

    /**
     * The sizes of a text encoder, from the shapes of its weights; the distances that its buckets stand for, which no
     * shape tells, are those of UMT5.
     *
     * @throws ModelFormatException if the weights lack a part that every such network has
     */
    public TextEncoderConfig textEncoderConfig() {
        if (kind != Kind.TEXT_ENCODER) {
            throw new IllegalStateException(weights + " is no text encoder but " + kind);
        }
        String block = "encoder.block.0.layer.";
        long[] table = shape("shared.weight", 2);
        long[] bias = shape(block + "0.SelfAttention.relative_attention_bias.weight", 2);
        long[] q = shape(block + "0.SelfAttention.q.weight", 2);
        long[] inner = shape(block + "1.DenseReluDense.wi_0.weight", 2);
        int layers = 0;
        for (String n : weights.names()) {
            Matcher m = TEXT_BLOCK.matcher(n);
            if (m.matches()) {
                layers = Math.max(layers, 1 + Integer.parseInt(m.group(1)));
            }
        }
        TextEncoderConfig umt5 = TextEncoderConfig.umt5Xxl();
        try {
            return new TextEncoderConfig(
                    small(table[0]),
                    small(table[1]),
                    small(bias[1]),
                    small(q[0] / Math.max(1, bias[1])),
                    small(inner[0]),
                    layers,
                    small(bias[0]),
                    umt5.maxDistance(),
                    umt5.epsilon());
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(weights.description(), "shapes contradict each other: " + e.getMessage(), e);
        }
    }

    private long[] shape(String name, int rank) {
        if (!weights.names().contains(name)) {
            throw new ModelFormatException(weights.description(), "1 missing: " + name);
        }
        long[] shape = weights.shape(name);
        if (shape.length != rank) {
            throw new ModelFormatException(
                    weights.description(), name + " is " + Arrays.toString(shape) + "; its rank must be " + rank);
        }
        return shape;
    }

    private int small(long extent) {
        if (extent > Integer.MAX_VALUE) {
            throw new ModelFormatException(weights.description(), "an extent is " + extent);
        }
        return (int) extent;
    }

    @Override
    public String toString() {
        return weights + (part.isEmpty() ? "" : ", part " + part);
    }
}
