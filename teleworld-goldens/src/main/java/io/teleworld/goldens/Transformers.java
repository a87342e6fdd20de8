package io.teleworld.goldens;

import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.tensor.HostTensor;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** What the cases of the video transformer share. Stateless. */
final class Transformers {

    private Transformers() {}

    static boolean isTransformer(JsonNode config) {
        return config.path("_class_name").asString("").equals("WanTransformer3DModel");
    }

    /** The sizes that a case states, with the length of its text. */
    static VideoTransformerConfig config(GoldenCase c, JsonNode stated, String text) {
        if (!(stated instanceof ObjectNode fields)) {
            throw new ModelFormatException(c.name(), "config is not an object");
        }
        ObjectNode merged = fields.deepCopy();
        merged.put("text_len", c.extent(text, 1));
        return JsonConfig.read(
                c.name() + ".json",
                new ByteArrayInputStream(merged.toString().getBytes(StandardCharsets.UTF_8)),
                VideoTransformerConfig.wan13b());
    }

    /**
     * One run of a cached program on frames in the order [F,C,h,w].
     *
     * @param frames their true indices
     * @param cached learns what the run writes
     * @return the velocity in the same order
     */
    static float[] call(
            CheckContext context,
            Program program,
            ProgramState state,
            RunOptions options,
            float[] x,
            List<Integer> frames,
            double timestep,
            HostTensor text,
            CacheMirror cached) {
        int n = frames.size();
        VideoTransformerSize size = VideoTransformerSize.of(program);
        Map<String, HostTensor> in = new HashMap<>();
        in.put(
                "latents",
                HostTensor.ofFloats(
                        Latents.swapped(x, 1, n, size.inChannels()), 1, size.inChannels(), n, size.h(), size.w()));
        in.put("timestep", HostTensor.ofFloats(Latents.filled(n, timestep), 1, n));
        in.put("positions", Latents.positions(frames));
        in.put("text", text);
        Map<String, float[]> out = context.runAll(program, state, options, in);
        cached.accept(ids(options), out);
        return Latents.swapped(Objects.requireNonNull(out.get("velocity")), 1, size.outChannels(), n);
    }

    private static List<Integer> ids(RunOptions options) {
        return options.written().getOrDefault(VideoTransformer.CACHE_GROUP, List.of());
    }

    /** What runs offer to the caches, and the keys and values of the text, as outputs. */
    static Map<String, Value> caches(Graph graph, int layers) {
        Map<String, Value> probes = TransformerProbes.of(graph, layers);
        probes.keySet().removeIf(n -> !n.startsWith("cache.") && !n.startsWith(CacheMirror.TEXT));
        return probes;
    }

    /** Visible and, if wanted, written frames of the self-attention cache. */
    static RunOptions options(List<Integer> visible, List<Integer> written) {
        RunOptions o = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, visible);
        return written.isEmpty() ? o : o.withWritten(VideoTransformer.CACHE_GROUP, written);
    }

    /** Item b of a batch of texts. */
    static HostTensor text(GoldenCase c, String name, int b) {
        long[] s = c.shape(name);
        return HostTensor.ofFloats(Latents.part(c.floats(name), b, (int) s[0]), 1, s[1], s[2]);
    }

    private record VideoTransformerSize(int inChannels, int outChannels, int h, int w) {

        static VideoTransformerSize of(Program p) {
            Value in = p.graph().inputs().get("latents");
            Value out = p.graph().outputs().get("velocity");
            if (in == null || out == null) {
                throw new IllegalArgumentException(
                        "graph " + p.graph().name() + " is not a video transformer; its inputs are "
                                + p.graph().inputs().keySet());
            }
            return new VideoTransformerSize(extent(in, 1), extent(out, 1), extent(in, 3), extent(in, 4));
        }

        private static int extent(Value v, int axis) {
            return Math.toIntExact(v.dim(axis).known());
        }
    }
}
