package io.teleworld.core.model;

import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WanAutoencoder;
import io.teleworld.core.network.WanAutoencoderConfig;
import io.teleworld.core.weights.WeightFiles;
import io.teleworld.error.ModelFormatException;
import java.io.ByteArrayInputStream;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A causal few-step model of the Wan family, from the files that were published: a release of Wan 2.1 T2V in Diffusers'
 * layout or the original one, with a checkpoint of Self-Forcing, CausVid or LongLive put into its folder, or with few-step
 * weights in the place of its own. Of the release only the autoencoder is needed then, and for prompts in words the text
 * encoder and the tokenizer. Immutable and thread-safe; weights are read when they are asked for.
 */
public final class WanSessionPackage {

    private static final String SETTINGS = "session.json";
    private static final String VAE_CONFIG = "vae/config.json";
    private static final String ORIGINAL_VAE = "Wan2.1_VAE.pth";
    private static final String SCHEDULER = "scheduler/scheduler_config.json";
    private static final List<String> GENERATORS = List.of(
            "self_forcing_dmd.pt",
            "checkpoints/self_forcing_dmd.pt",
            "longlive_base.pt",
            "models/longlive_base.pt",
            "autoregressive_checkpoint/model.pt",
            "model.pt");

    private static final int HEAD_DIM = 128;

    private final ModelFiles files;
    private final WanSessionConfig settings;
    private final VideoTransformerConfig transformer;
    private final WeightFiles transformerWeights;
    private final WanAutoencoderConfig vae;
    private final WeightFiles vaeWeights;
    private final SchedulerConfig scheduler;

    private WanSessionPackage(ModelFiles files) {
        this.files = files;
        this.settings = files.exists(SETTINGS)
                ? JsonConfig.read(
                        files.description() + "/" + SETTINGS,
                        new ByteArrayInputStream(files.bytes(SETTINGS)),
                        WanSessionConfig.SELF_FORCING)
                : WanSessionConfig.SELF_FORCING;
        Optional<String> generator = generator();
        this.scheduler = scheduler(generator);
        Checkpoint c = checkpoint(generator);
        if (c.kind() != Checkpoint.Kind.VIDEO_TRANSFORMER) {
            throw new ModelFormatException(
                    c.weights().description(),
                    "is no video transformer but a " + c.kind().name().toLowerCase(Locale.ROOT));
        }
        this.transformer = transformer(c);
        this.transformerWeights = c.weights();
        List<Integer> p = transformer.patchSize();
        transformerWeights.requireExactly(
                VideoTransformer.plainGraph(transformer, p.get(1), p.get(2), TimestepPer.SAMPLE));
        requireTextToVideo(c);
        WeightFiles stored = files.exists(VAE_CONFIG) || !files.exists(ORIGINAL_VAE)
                ? ModelPackage.weights(files, "vae")
                : WeightFiles.of(
                        files.description() + "/" + ORIGINAL_VAE, List.of(ModelPackage.tensors(files, ORIGINAL_VAE)));
        Checkpoint v = Checkpoint.of(stored, null);
        if (v.kind() != Checkpoint.Kind.WAN_AUTOENCODER) {
            throw new ModelFormatException(stored.description(), "is not the autoencoder of Wan 2.1");
        }
        this.vaeWeights = v.weights();
        this.vae = vae(files, vaeWeights);
        int side = vae.spatialFactor();
        vaeWeights.requireExactly(
                WanAutoencoder.encoderGraph(vae, side, side, false), WanAutoencoder.decoderGraph(vae, 1, 1, false));
        if (vae.zDim() != transformer.latentChannels() || side != 8 || vae.temporalFactor() != 4) {
            throw new ModelFormatException(
                    stored.description(),
                    "has " + vae.zDim() + " latent channels, 1/" + side + " of the size and 1/" + vae.temporalFactor()
                            + " of the frames; the transformer takes " + transformer.latentChannels()
                            + " channels, and sessions 1/8 and 1/4");
        }
    }

    /** Whether files look like a release of Wan and not like a package of the SDK, which has {@code teleworld.json}. */
    public static boolean accepts(ModelFiles files) {
        return !files.exists("teleworld.json")
                && (files.exists("transformer/config.json")
                        || files.exists("config.json")
                        || files.exists(SETTINGS)
                        || GENERATORS.stream().anyMatch(files::exists));
    }

    /**
     * Opens a model.
     *
     * @throws ModelFormatException if a file is missing or malformed, weights are not exactly those of the networks, or the
     *     model is one that sessions cannot run, such as one that needs UniPC and guidance
     */
    public static WanSessionPackage open(ModelFiles files) {
        return new WanSessionPackage(files);
    }

    private Optional<String> generator() {
        if (settings.generator().isEmpty()) {
            return GENERATORS.stream().filter(files::exists).findFirst();
        }
        return Optional.of(named("generator", settings.generator()));
    }

    private String named(String key, String file) {
        if (file.contains("..") || file.startsWith("/") || file.contains("\\") || !files.exists(file)) {
            throw new ModelFormatException(
                    files.description() + "/" + SETTINGS, key + " is '" + file + "'; no such file is in the folder");
        }
        return file;
    }

    /** Few steps where something says so: a known checkpoint, the settings, the scheduler. */
    private SchedulerConfig scheduler(Optional<String> generator) {
        JsonNode json = JsonMapper.shared().createObjectNode();
        if (files.exists(SCHEDULER)) {
            try {
                json = JsonMapper.shared().readTree(files.bytes(SCHEDULER));
            } catch (JacksonException e) {
                throw new ModelFormatException(
                        files.description() + "/" + SCHEDULER, "is not JSON: " + e.getOriginalMessage(), e);
            }
        }
        if (!json.path("denoising_steps").isEmpty() && settings.denoisingSteps().isEmpty()) {
            return JsonConfig.read(
                    files.description() + "/" + SCHEDULER,
                    new ByteArrayInputStream(files.bytes(SCHEDULER)),
                    SchedulerConfig.FEW_STEP);
        }
        if (generator.isEmpty() && settings.denoisingSteps().isEmpty()) {
            String kind = json.path("_class_name").asString("UniPCMultistepScheduler");
            throw new ModelFormatException(
                    files.description(),
                    "is a bidirectional model (" + kind + ": some 50 steps, each twice for guidance), which sessions "
                            + "cannot run; put a causal few-step checkpoint into the folder (" + GENERATORS.get(0)
                            + "), name one in " + SETTINGS + " (\"generator\"), or, if these weights are distilled, "
                            + "list their \"denoising_steps\" there");
        }
        return settings.scheduler(SchedulerConfig.FEW_STEP.denoisingSteps());
    }

    private Checkpoint checkpoint(Optional<String> generator) {
        if (generator.isEmpty()) {
            return Checkpoint.of(
                    ModelPackage.weights(files, files.exists("transformer/config.json") ? "transformer" : ""), null);
        }
        String file = generator.get();
        Checkpoint c = Checkpoint.of(
                WeightFiles.of(files.description() + "/" + file, List.of(ModelPackage.tensors(files, file))), null);
        String beside = file.endsWith("longlive_base.pt") ? file.replace("longlive_base.pt", "lora.pt") : "";
        String lora = !settings.lora().isEmpty()
                ? named("lora", settings.lora())
                : !beside.isEmpty() && files.exists(beside) ? beside : "";
        if (lora.isEmpty()) {
            return c;
        }
        return c.with(Checkpoint.lora(files.onDisk(lora)
                .orElseThrow(() -> new ModelFormatException(
                        files.description() + "/" + lora, "must be a file on disk to be read"))));
    }

    private VideoTransformerConfig transformer(Checkpoint c) {
        String path = "transformer/config.json";
        if (files.exists(path)) {
            return JsonConfig.read(
                    files.description() + "/" + path,
                    new ByteArrayInputStream(files.bytes(path)),
                    VideoTransformerConfig.wan13b());
        }
        return files.exists("config.json") ? WanRelease.original(files, "config.json") : c.transformerConfig(HEAD_DIM);
    }

    private void requireTextToVideo(Checkpoint c) {
        if (!c.added().names().isEmpty()) {
            throw new ModelFormatException(
                    c.weights().description(),
                    "has modules that the network here lacks, such as "
                            + c.added().names().iterator().next());
        }
        if (transformer.imageDim() != null || transformer.inChannels() != transformer.outChannels()) {
            throw new ModelFormatException(
                    c.weights().description(),
                    "is an image-to-video model (" + transformer.inChannels()
                            + " channels in); sessions run causal text-to-video models, which continue the start picture");
        }
        if (transformer.camEncoderIn() != null) {
            throw new ModelFormatException(
                    c.weights().description(), "wants camera embeddings and a source video; sessions have none");
        }
    }

    /** The published file has no configuration beside it; its width is in its shapes. */
    private static WanAutoencoderConfig vae(ModelFiles files, WeightFiles vaeWeights) {
        WanAutoencoderConfig d = WanAutoencoderConfig.wan21();
        if (files.exists(VAE_CONFIG)) {
            return JsonConfig.read(
                    files.description() + "/" + VAE_CONFIG, new ByteArrayInputStream(files.bytes(VAE_CONFIG)), d);
        }
        String first = "encoder.conv_in.weight";
        if (!vaeWeights.names().contains(first)) {
            throw new ModelFormatException(vaeWeights.description(), "1 missing: " + first);
        }
        return new WanAutoencoderConfig(
                (int) Math.min(vaeWeights.shape(first)[0], 1 << 16),
                d.zDim(),
                d.dimMult(),
                d.numResBlocks(),
                d.attnScales(),
                d.temperalDownsample(),
                d.dropout(),
                d.latentsMean(),
                d.latentsStd());
    }

    /** Where the files are. */
    public ModelFiles files() {
        return files;
    }

    /** Picture size, blocks, camera. */
    public WanSessionConfig settings() {
        return settings;
    }

    /** Sizes of the transformer. */
    public VideoTransformerConfig transformer() {
        return transformer;
    }

    /** Weights of the transformer, under Diffusers names. */
    public WeightFiles transformerWeights() {
        return transformerWeights;
    }

    /** Sizes of the autoencoder. */
    public WanAutoencoderConfig vae() {
        return vae;
    }

    /** Weights of the autoencoder, under Diffusers names. */
    public WeightFiles vaeWeights() {
        return vaeWeights;
    }

    /** Steps and noise schedule. */
    public SchedulerConfig scheduler() {
        return scheduler;
    }

    @Override
    public String toString() {
        return "Wan model in " + files.description();
    }
}
