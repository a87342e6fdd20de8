package io.teleworld.core.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.ModelSource;
import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.ParameterInit;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WanAutoencoder;
import io.teleworld.core.network.WanAutoencoderConfig;
import io.teleworld.core.network.WanAutoencoderStream;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.core.weights.TorchWriter;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The code of docs/checkpoints.md, on a release and a checkpoint of toy size. */
final class SelfForcingTest {

    private static final String CONFIG = """
            {"_class_name": "WanTransformer3DModel", "attention_head_dim": 12, "ffn_dim": 16, "freq_dim": 8,
             "num_attention_heads": 1, "num_layers": 1, "text_dim": 6}
            """;

    @TempDir
    Path dir = Path.of("");

    @Test
    void blocksAreMadeFromACheckpoint() throws IOException {
        Path folder = Files.createDirectories(dir.resolve("wan/transformer"));
        Files.writeString(folder.resolve("config.json"), CONFIG);
        VideoTransformerConfig config = new VideoTransformerConfig(
                List.of(1, 2, 2),
                1,
                12,
                16,
                16,
                6,
                8,
                16,
                1,
                true,
                "rms_norm_across_heads",
                1e-6,
                null,
                null,
                1024,
                null,
                512,
                0);
        SplittableRandom random = new SplittableRandom(4);
        Map<String, HostTensor> weights = new TreeMap<>();
        VideoTransformer.plainGraph(config, 2, 2, TimestepPer.SAMPLE)
                .parameters()
                .forEach((n, v) -> {
                    float[] values = new float[(int) v.shape().elementCount().known()];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = (float) (0.3 * random.nextGaussian());
                    }
                    weights.put(n, HostTensor.ofFloats(values, v.shape().known()));
                });
        Safetensors.write(folder.resolve("diffusion_pytorch_model.safetensors"), weights, Map.of());
        Map<String, HostTensor> ema = new TreeMap<>();
        weights.forEach((n, t) -> ema.put("model." + KeyLayouts.toOriginal(n), t));
        Path checkpoint = dir.resolve("self_forcing_dmd.pt");
        TorchWriter.write(checkpoint, Map.of("generator_ema", ema));
        Path prompt = dir.resolve("prompt.safetensors");
        Safetensors.write(prompt, Map.of("prompt", HostTensor.ofFloats(new float[30], 5, 6)), Map.of());

        List<float[]> blocks =
                generate(ModelSource.directory(dir.resolve("wan")), checkpoint, prompt, "reference", 4, 4, 2);
        assertThat(blocks).hasSize(2);
        for (float[] block : blocks) {
            assertThat(block).hasSize(16 * 3 * 4 * 4);
            for (float v : block) {
                assertThat(v).isFinite();
            }
        }
        assertThat(blocks.get(1)).isNotEqualTo(blocks.get(0));
        // What a block attends to matters: the same noise with an empty cache gives the first block.
        assertThat(generate(ModelSource.directory(dir.resolve("wan")), checkpoint, prompt, "reference", 4, 4, 1)
                        .get(0))
                .isEqualTo(blocks.get(0));
    }

    @Test
    void blocksBecomeFrames() {
        WanAutoencoderConfig small = new WanAutoencoderConfig(
                2,
                16,
                List.of(1, 2, 2, 2),
                1,
                List.of(),
                List.of(false, true, true),
                0,
                Collections.nCopies(16, 0.25),
                Collections.nCopies(16, 2.0));
        Graph graph = WanAutoencoder.decoderGraph(small, 2, 4, false);
        ParameterInit init = ParameterInit.empty().with(".*", new ParameterInit.Rule.Normal(0.3));
        Map<String, HostTensor> weights = new TreeMap<>();
        init.draw(graph, 5)
                .forEach((n, v) -> weights.put(
                        n,
                        HostTensor.ofFloats(
                                v,
                                Objects.requireNonNull(graph.parameters().get(n))
                                        .shape()
                                        .known())));
        SplittableRandom noise = new SplittableRandom(3);
        List<float[]> blocks = List.of(new float[16 * 3 * 2 * 4], new float[16 * 3 * 2 * 4]);
        blocks.forEach(b -> fill(b, noise));
        List<float[]> frames = decode(small, Weights.of(weights), blocks, "reference", 2, 4);
        // One picture for the first latent, four for every other.
        assertThat(frames.stream().mapToInt(f -> f.length / (3 * 16 * 32))).containsExactly(1, 4, 4, 4, 4, 4);
        for (float[] f : frames) {
            for (float v : f) {
                assertThat(v).isBetween(-1f, 1f);
            }
        }
        assertThat(frames.get(1)).isNotEqualTo(frames.get(2));
    }

    private static List<float[]> decode(
            WanAutoencoderConfig sizes,
            Weights weights,
            List<float[]> blocks,
            String runtimeName,
            int rows,
            int columns) {
        List<float[]> pixels = new ArrayList<>();
        RuntimeRegistry runtimes = RuntimeRegistry.load(WanRelease.class.getClassLoader());
        try (TensorRuntime runtime = runtimes.get(runtimeName).create(RuntimeOptions.cpu());
                Scope scope = Scope.root("decode")) {
            Program first = scope.adopt(
                    runtime.compile(WanAutoencoder.decoderGraph(sizes, rows, columns, true), weights, Precision.FP32));
            Program later = scope.adopt(
                    runtime.compile(WanAutoencoder.decoderGraph(sizes, rows, columns, false), weights, Precision.FP32));
            try (WanAutoencoderStream video = new WanAutoencoderStream(first, later, scope)) {
                for (float[] block : blocks) {
                    for (int f = 0; f < 3; f++) {
                        try (Scope step = scope.child("latent")) {
                            HostTensor latent = latentFrame(block, f, rows, columns);
                            Tensor frames = Objects.requireNonNull(
                                    video.next(latent, step).get("frames"));
                            pixels.add(frames.toFloatArray());
                        }
                    }
                }
            }
        }
        return pixels;
    }

    /** Frame f of a block [16,3,rows,columns] as [1,16,1,rows,columns]. */
    private static HostTensor latentFrame(float[] block, int f, int rows, int columns) {
        int area = rows * columns;
        int channels = block.length / (3 * area);
        float[] one = new float[channels * area];
        for (int c = 0; c < channels; c++) {
            System.arraycopy(block, (3 * c + f) * area, one, c * area, area);
        }
        return HostTensor.ofFloats(one, 1, channels, 1, rows, columns);
    }

    private static List<float[]> generate(
            ModelSource source, Path checkpoint, Path prompt, String runtimeName, int rows, int columns, int blocks) {
        WanRelease wan = WanRelease.open(source).with(Checkpoint.open(checkpoint));
        VideoTransformerConfig config = wan.config();
        int frames = 3;
        Graph graph = VideoTransformer.cachedGraph(config, rows, columns, frames * blocks);
        MemoryEstimate.of(graph, Precision.FP32, Map.of("frames", (long) frames))
                .require("Self-Forcing", MemoryEstimate.availableBytes());
        FlowMatchScheduler scheduler = new FlowMatchScheduler(1000, 5);
        FewStepSampler sampler = FewStepSampler.of(scheduler, List.of(1000, 750, 500, 250), true);
        SplittableRandom noise = new SplittableRandom(7);
        List<float[]> latents = new ArrayList<>();
        RuntimeRegistry runtimes = RuntimeRegistry.load(WanRelease.class.getClassLoader());
        try (TensorRuntime runtime = runtimes.get(runtimeName).create(RuntimeOptions.cpu());
                Scope scope = Scope.root("self-forcing")) {
            Program program =
                    scope.adopt(runtime.compile(graph, wan.transformer().weights(), Precision.FP32));
            ProgramState state = program.newState(scope);
            HostTensor text = PromptEmbeddings.read(prompt).text(config.textLen(), config.textDim());
            for (int block = 0; block < blocks; block++) {
                int first = frames * block;
                float[] positions = {first, first + 1, first + 2};
                List<Integer> ids = List.of(first, first + 1, first + 2);
                List<Integer> before = state.frames(VideoTransformer.CACHE_GROUP);
                RunOptions see = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, before);
                float[] start = new float[config.latentChannels() * frames * rows * columns];
                fill(start, noise);
                float[] clean = sampler.sample(
                        start,
                        (x, t, step) -> run(program, state, see, scope, x, t, positions, text, rows, columns),
                        out -> fill(out, noise));
                // Once more without noise: its keys and values are what later blocks see.
                RunOptions keep = see.withWritten(VideoTransformer.CACHE_GROUP, ids);
                run(program, state, keep, scope, clean, 0, positions, text, rows, columns);
                latents.add(clean);
            }
        }
        return latents;
    }

    private static float[] run(
            Program program,
            ProgramState state,
            RunOptions options,
            Scope parent,
            float[] x,
            double timestep,
            float[] positions,
            HostTensor text,
            int rows,
            int columns) {
        int frames = positions.length;
        float[] t = new float[frames];
        Arrays.fill(t, (float) timestep);
        Map<String, HostTensor> inputs = Map.of(
                "latents", HostTensor.ofFloats(x, 1, x.length / (frames * rows * columns), frames, rows, columns),
                "timestep", HostTensor.ofFloats(t, 1, frames),
                "positions", HostTensor.ofFloats(positions, frames),
                "text", text);
        try (Scope step = parent.child("step")) {
            return Objects.requireNonNull(
                            program.run(inputs, state, options, step).get("velocity"))
                    .toFloatArray();
        }
    }

    private static void fill(float[] out, SplittableRandom noise) {
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) noise.nextGaussian();
        }
    }
}
