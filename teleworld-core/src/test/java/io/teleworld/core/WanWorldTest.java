package io.teleworld.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.teleworld.FrameChunk;
import io.teleworld.Key;
import io.teleworld.Keys;
import io.teleworld.ModelOptions;
import io.teleworld.ModelSource;
import io.teleworld.Prompt;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.TextEncoder;
import io.teleworld.core.network.TextEncoderConfig;
import io.teleworld.core.network.TextEncoderKeys;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WanAutoencoder;
import io.teleworld.core.network.WanAutoencoderConfig;
import io.teleworld.core.network.WanAutoencoderKeys;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.TorchWriter;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sessions of causal Wan checkpoints in both layouts, with random weights of toy size, on the plain-Java runtime. */
@Timeout(120)
class WanWorldTest {

    private static final int TEXT = 6;

    private static final ModelOptions REFERENCE = ModelOptions.DEFAULT.withRuntimes("reference");

    private static final String SESSION = """
            {"name": "toy", "height": 16, "width": 32, "blocks": 2, "denoising_steps": %s}
            """;

    private static final String UNIPC = """
            {"_class_name": "UniPCMultistepScheduler", "flow_shift": 3.0, "num_train_timesteps": 1000}
            """;

    @TempDir
    Path dir = Path.of("");

    private static VideoTransformerConfig transformer() {
        return new VideoTransformerConfig(
                List.of(1, 2, 2),
                2,
                12,
                16,
                16,
                TEXT,
                8,
                16,
                2,
                true,
                VideoTransformerConfig.RMS_ACROSS_HEADS,
                1e-6,
                null,
                null,
                1024,
                null,
                512,
                0);
    }

    private static Map<String, HostTensor> transformerWeights(long seed) {
        return TinyModel.randomWeights(seed, VideoTransformer.plainGraph(transformer(), 2, 2, TimestepPer.SAMPLE));
    }

    /** As published, but for the width. */
    private static WanAutoencoderConfig vae() {
        WanAutoencoderConfig d = WanAutoencoderConfig.wan21();
        return new WanAutoencoderConfig(
                2,
                d.zDim(),
                d.dimMult(),
                d.numResBlocks(),
                d.attnScales(),
                d.temperalDownsample(),
                d.dropout(),
                d.latentsMean(),
                d.latentsStd());
    }

    private static Map<String, HostTensor> vaeWeights() {
        return TinyModel.randomWeights(
                5, WanAutoencoder.encoderGraph(vae(), 8, 8, false), WanAutoencoder.decoderGraph(vae(), 1, 1, false));
    }

    /** Diffusers layout: weights of the base model, its scheduler, and settings. */
    private Path diffusers(String steps) throws IOException {
        Path root = dir.resolve("diffusers");
        Files.createDirectories(root.resolve("transformer"));
        Files.createDirectories(root.resolve("vae"));
        Files.createDirectories(root.resolve("scheduler"));
        Files.writeString(root.resolve("transformer/config.json"), """
                {"_class_name": "WanTransformer3DModel", "attention_head_dim": 12, "ffn_dim": 16, "freq_dim": 8,
                 "num_attention_heads": 2, "num_layers": 2, "text_dim": 6}
                """);
        Safetensors.write(
                root.resolve("transformer/diffusion_pytorch_model.safetensors"), transformerWeights(1), Map.of());
        Files.writeString(root.resolve("vae/config.json"), JsonConfig.write(vae()));
        Safetensors.write(root.resolve("vae/diffusion_pytorch_model.safetensors"), vaeWeights(), Map.of());
        Files.writeString(root.resolve("scheduler/scheduler_config.json"), UNIPC);
        Files.writeString(root.resolve("session.json"), SESSION.formatted(steps));
        return root;
    }

    private static void generator(Path file, long seed) throws IOException {
        Map<String, HostTensor> named = new TreeMap<>();
        transformerWeights(seed).forEach((n, t) -> named.put("model." + KeyLayouts.toOriginal(n), t));
        TorchWriter.write(file, Map.of("generator_ema", named));
    }

    private static RgbImage picture() {
        byte[] rgb = new byte[3 * 40 * 30];
        new Random(3).nextBytes(rgb);
        return new RgbImage(40, 30, rgb);
    }

    private static List<WorldFrame> play(WorldModel model, WorldStart start, int count) {
        List<WorldFrame> frames = new ArrayList<>();
        try (WorldSession session = model.start(start)) {
            session.control(Keys.of(Key.W));
            Iterator<FrameChunk> chunks = session.frames().iterator();
            while (frames.size() < count) {
                frames.addAll(chunks.next().frames());
            }
        }
        return frames;
    }

    private static List<RgbImage> images(List<WorldFrame> frames) {
        return frames.stream().map(WorldFrame::image).toList();
    }

    @Test
    void aDistilledModelInDiffusersLayoutStreamsFrames() throws IOException {
        Path root = diffusers("[1000, 500]");
        Path prompt = dir.resolve("prompt.safetensors");
        float[] rows = new float[3 * TEXT];
        java.util.Arrays.fill(rows, 0.7f);
        Safetensors.write(prompt, Map.of("prompt", HostTensor.ofFloats(rows, 3, TEXT)), Map.of());
        try (WorldModel model = WorldModel.open(ModelSource.directory(root), REFERENCE)) {
            assertThat(model.description().name()).isEqualTo("toy");
            assertThat(model.styles()).isEmpty();
            WorldStart start = WorldStart.image(picture()).seed(2);
            // Two blocks of three latents make 24 frames; the next segment goes on from the last of them.
            List<WorldFrame> frames = play(model, start, 1 + 24 + 4);
            assertThat(frames.get(0).image()).isEqualTo(picture().fit(32, 16));
            assertThat(frames.get(20).pose()).isNotEqualTo(frames.get(0).pose());
            assertThat(frames.get(28).image()).isNotEqualTo(frames.get(24).image());
            assertThat(images(play(model, start, 5))).isEqualTo(images(frames.subList(0, 5)));
            assertThat(images(play(model, start.prompt(Prompt.embeddings(prompt)), 5)))
                    .isNotEqualTo(images(frames.subList(0, 5)));
            assertThatThrownBy(() -> model.start(start.prompt(Prompt.text("a meadow"))))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("it lacks a text encoder (text_encoder/ or models_t5_umt5-xxl-enc-bf16.pth)")
                    .hasMessageContaining("and a tokenizer (tokenizer/tokenizer.json")
                    .hasMessageContaining("give it embeddings from a file");
            assertThatThrownBy(() -> model.start(start.prompt(Prompt.style("hell"))))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("no style 'hell'; it has none");
        }
    }

    @Test
    void aSelfForcingCheckpointBesideTheOriginalFilesStreamsFrames() throws IOException {
        Path root = Files.createDirectories(dir.resolve("original"));
        Files.writeString(root.resolve("config.json"), """
                {"_class_name": "WanModel", "model_type": "t2v", "dim": 24, "num_heads": 2, "ffn_dim": 16,
                 "freq_dim": 8, "in_dim": 16, "out_dim": 16, "num_layers": 2, "text_len": 512, "text_dim": 6}
                """);
        generator(root.resolve("self_forcing_dmd.pt"), 1);
        Map<String, HostTensor> original = new TreeMap<>();
        WanAutoencoderKeys keys = new WanAutoencoderKeys(vae());
        vaeWeights().forEach((n, t) -> original.put(keys.toOriginal(n), t));
        TorchWriter.write(root.resolve("Wan2.1_VAE.pth"), original);
        Files.writeString(root.resolve("session.json"), "{\"height\": 16, \"width\": 32, \"blocks\": 1}");
        try (WorldModel model = WorldModel.open(ModelSource.directory(root), REFERENCE)) {
            assertThat(play(model, WorldStart.image(picture()), 5)).hasSizeGreaterThanOrEqualTo(5);
        }
    }

    @Test
    void whatSessionsCannotRunIsRefusedWithTheReason() throws IOException {
        Path root = diffusers("[]");
        assertThatThrownBy(() -> WorldModel.open(ModelSource.directory(root), REFERENCE))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("is a bidirectional model (UniPCMultistepScheduler")
                .hasMessageContaining("self_forcing_dmd.pt")
                .hasMessageContaining("\"denoising_steps\"");
        Files.writeString(root.resolve("session.json"), "{\"generator\": \"../else.pt\"}");
        assertThatThrownBy(() -> WorldModel.open(ModelSource.directory(root), REFERENCE))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("no such file is in the folder");
        Files.writeString(root.resolve("session.json"), "{\"height\": 100}");
        assertThatThrownBy(() -> WorldModel.open(ModelSource.directory(root), REFERENCE))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("height is 100");
        // The checkpoint alone makes it causal; here it is of another size than the settings say.
        Files.writeString(root.resolve("session.json"), "{}");
        generator(root.resolve("self_forcing_dmd.pt"), 1);
        Files.delete(root.resolve("vae/diffusion_pytorch_model.safetensors"));
        assertThatThrownBy(() -> WorldModel.open(ModelSource.directory(root), REFERENCE))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("vae: holds no weights");
    }

    @Test
    void wordsAreReadWhereTheFilesCan() throws IOException {
        Path root = diffusers("[1000]");
        TextEncoderConfig c = new TextEncoderConfig(64, TEXT, 2, 4, 8, 2, 32, 128, 1e-6);
        Map<String, HostTensor> original = new TreeMap<>();
        TinyModel.randomWeights(9, TextEncoder.graph(c))
                .forEach((n, t) -> original.put(TextEncoderKeys.toOriginal(n), t));
        TorchWriter.write(root.resolve("models_t5_umt5-xxl-enc-bf16.pth"), original);
        Files.createDirectories(root.resolve("google/umt5-xxl"));
        Files.writeString(root.resolve("google/umt5-xxl/tokenizer.json"), "{}");
        try (WorldModel model = WorldModel.open(ModelSource.directory(root), REFERENCE)) {
            WorldStart start = WorldStart.image(picture()).seed(2);
            List<RgbImage> meadow = images(play(model, start.prompt(Prompt.text("a &amp;amp; meadow")), 5));
            assertThat(images(play(model, start.prompt(Prompt.text(" a &\n meadow ")), 5)))
                    .isEqualTo(meadow);
            assertThat(images(play(model, start.prompt(Prompt.text("a desert")), 5)))
                    .isNotEqualTo(meadow);
            assertThatThrownBy(() -> model.start(start.prompt(Prompt.text("x".repeat(600)))))
                    .isInstanceOf(TeleWorldException.class)
                    .hasMessageContaining("the prompt has 601 tokens")
                    .hasMessageContaining("takes up to 512");
        }
    }
}
