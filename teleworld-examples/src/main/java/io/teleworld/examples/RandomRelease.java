package io.teleworld.examples;

import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.ParameterInit;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Value;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;

/**
 * A release of a Wan model in Diffusers' layout whose weights are random: sharded safetensors with an index. Equal seeds
 * give equal weights. Immutable.
 *
 * @param config the sizes
 * @param seed of weights, text and noise
 */
record RandomRelease(VideoTransformerConfig config, long seed) {

    private static final String INDEX = "diffusion_pytorch_model.safetensors.index.json";
    private static final String CONFIG = "config.json";
    /** Small, because a shard is in memory while it is written. */
    private static final long SHARD_BYTES = 256L << 20;

    /** Velocities of about 1, and gates large enough that every block matters. */
    private static final ParameterInit WEIGHTS = ParameterInit.empty()
            .with("(.*\\.)?scale_shift_table", new ParameterInit.Rule.Normal(0.2))
            .with(".*norm[^.]*\\.weight", new ParameterInit.Rule.Constant(1))
            .with(".*\\.bias", new ParameterInit.Rule.Normal(0.02))
            .with("condition_embedder\\.time_proj\\.weight", new ParameterInit.Rule.XavierUniform(3))
            .with(".*\\.weight", new ParameterInit.Rule.XavierUniform(1));

    /** Sizes for a test. */
    static VideoTransformerConfig tiny() {
        return new VideoTransformerConfig(
                List.of(1, 2, 2),
                2,
                12,
                16,
                16,
                12,
                8,
                48,
                2,
                true,
                VideoTransformerConfig.RMS_ACROSS_HEADS,
                1e-6,
                null,
                null,
                1024,
                null,
                16,
                0);
    }

    /**
     * Writes the files unless they are there. What is there must be of this seed and these sizes; an interrupted writing
     * is begun again.
     *
     * @return what was done
     */
    String writeIfMissing(Path folder) {
        Path transformer = folder.resolve("transformer");
        String description = description();
        Path index = transformer.resolve(INDEX);
        try {
            if (Files.exists(index)) {
                String there = JsonMapper.shared()
                        .readTree(index)
                        .at("/metadata/description")
                        .asString("unknown");
                if (!there.equals(description)) {
                    throw new TeleWorldException(
                            Category.USER, folder + " holds other weights (" + there + "); name another folder");
                }
                return "were there";
            }
            Files.createDirectories(transformer);
            Files.writeString(folder.resolve("model_index.json"), "{\"_class_name\": \"WanPipeline\"}\n");
            Files.writeString(transformer.resolve(CONFIG), JsonConfig.write(config));
            return write(transformer, description);
        } catch (FileSystemException e) {
            throw new TeleWorldException(Category.RESOURCE, e.getFile() + " cannot be written: " + e.getReason(), e);
        } catch (IOException e) {
            throw new TeleWorldException(Category.RESOURCE, folder + " cannot be written: " + e.getMessage(), e);
        }
    }

    private String description() {
        return String.format(Locale.ROOT, "random, seed %d, %s", seed, config);
    }

    private String write(Path folder, String description) throws IOException {
        List<Integer> p = config.patchSize();
        Graph graph = VideoTransformer.plainGraph(config, p.get(1), p.get(2), TimestepPer.SAMPLE);
        Map<String, String> weightMap = new LinkedHashMap<>();
        Map<String, HostTensor> shard = new TreeMap<>();
        long bytes = 0;
        long all = 0;
        int shards = 0;
        for (Map.Entry<String, Value> e : graph.parameters().entrySet()) {
            long size = 4 * e.getValue().shape().elementCount().known();
            if (bytes + size > SHARD_BYTES && !shard.isEmpty()) {
                writeShard(folder, ++shards, shard, weightMap);
                bytes = 0;
            }
            float[] values = WEIGHTS.draw(e.getKey(), e.getValue().shape(), seed);
            shard.put(
                    e.getKey(), HostTensor.ofFloats(values, e.getValue().shape().known()));
            bytes += size;
            all += size;
        }
        writeShard(folder, ++shards, shard, weightMap);
        Map<String, Object> index = new LinkedHashMap<>();
        index.put("metadata", Map.of("total_size", all, "description", description));
        index.put("weight_map", weightMap);
        // Last, so that its presence says that the rest is complete.
        Files.write(folder.resolve(INDEX), JsonMapper.shared().writeValueAsBytes(index));
        return String.format(Locale.ROOT, "%.2f GiB in %d shards written", all / (double) (1L << 30), shards);
    }

    private static void writeShard(
            Path folder, int number, Map<String, HostTensor> shard, Map<String, String> weightMap) throws IOException {
        String name = String.format(Locale.ROOT, "diffusion_pytorch_model-%05d.safetensors", number);
        Safetensors.write(folder.resolve(name), shard, Map.of("format", "pt"));
        shard.keySet().forEach(n -> weightMap.put(n, name));
        shard.clear();
    }

    /** The text that the model is given: F32 [1,textLen,textDim]. */
    HostTensor text() {
        float[] values = new float[config.textLen() * config.textDim()];
        SplittableRandom random = new SplittableRandom(seed + 1);
        fill(values, random);
        return HostTensor.ofFloats(values, 1, config.textLen(), config.textDim());
    }

    /** The source of all noise. */
    SplittableRandom noise() {
        return new SplittableRandom(seed + 2);
    }

    /** Standard normal values. */
    static void fill(float[] values, SplittableRandom random) {
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
    }
}
