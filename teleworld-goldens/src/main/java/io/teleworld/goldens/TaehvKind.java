package io.teleworld.goldens;

import io.teleworld.core.network.StreamingDecoder;
import io.teleworld.core.network.StreamingEncoder;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The tiny autoencoder: whole clips and streams, weights from a file or from a formula. */
final class TaehvKind implements GoldenKind {

    private static final int BLOCKS = 3;

    @Override
    public String title() {
        return "tiny autoencoder";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return c.has("config", "encoder_time_downscale") && c.has("config", "decoder_time_upscale");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        VideoAutoencoderConfig config = config(c.at("config"));
        int batch = c.extent("in.video", 0);
        for (int item = 0; item < batch; item++) {
            new Run(c, context, report, config, item, batch).run();
        }
    }

    private static VideoAutoencoderConfig config(JsonNode c) {
        int width = c.path("encoder_width").asInt();
        List<Stage> encoder = new ArrayList<>();
        for (JsonNode down : c.path("encoder_time_downscale")) {
            encoder.add(new Stage(width, BLOCKS, 2, down.asBoolean() ? 2 : 1));
        }
        List<Integer> widths = GoldenCase.integers(c.path("decoder_widths"));
        List<Stage> decoder = new ArrayList<>();
        JsonNode up = c.path("decoder_time_upscale");
        for (int i = 0; i < up.size(); i++) {
            boolean larger = c.path("decoder_space_upscale").get(i).asBoolean();
            decoder.add(
                    new Stage(widths.get(i), BLOCKS, larger ? 2 : 1, up.get(i).asBoolean() ? 2 : 1));
        }
        return new VideoAutoencoderConfig(
                c.path("image_channels").asInt(3),
                c.path("latent_channels").asInt(),
                c.path("patch_size").asInt(1),
                width,
                encoder,
                decoder,
                widths.get(widths.size() - 1),
                true,
                Grouping.TAEHV,
                List.of(),
                List.of());
    }

    private static final class Run {

        private final GoldenCase c;
        private final CheckContext context;
        private final CaseReport report;
        private final VideoAutoencoderConfig config;
        private final int item;
        private final int batch;
        private final int group;

        Run(GoldenCase c, CheckContext context, CaseReport report, VideoAutoencoderConfig config, int item, int batch) {
            this.c = c;
            this.context = context;
            this.report = report;
            this.config = config;
            this.item = item;
            this.batch = batch;
            this.group = config.temporalFactor();
        }

        void run() {
            encode();
            decode();
        }

        private void encode() {
            long[] s = c.shape("in.video");
            int frames = (int) s[1];
            int size = (int) (s[2] * s[3] * s[4]);
            float[] video = Latents.part(c.floats("in.video"), item, batch);
            int whole = (frames + group - 1) / group * group;
            float[] padded = Arrays.copyOf(video, whole * size);
            for (int f = frames; f < whole; f++) {
                System.arraycopy(video, (frames - 1) * size, padded, f * size, size);
            }
            Graph graph = VideoAutoencoder.encoderGraph(config, (int) s[3], (int) s[4]);
            inside(graph, "encoder.", "frames", HostTensor.ofFloats(padded, whole, s[2], s[3], s[4]));
            Program p = context.compile(graph, weights(graph));
            try (Scope scope = context.scope().child("encoder");
                    StreamingEncoder e = new StreamingEncoder(config, p, scope)) {
                float[] parallel = e.encode(HostTensor.ofFloats(padded, whole, s[2], s[3], s[4]), scope)
                        .toFloatArray();
                compare("out.encode.latents", parallel);
                e.reset();
                List<float[]> parts = new ArrayList<>();
                double[] emitted = new double[frames];
                for (int f = 0; f < whole; f += group) {
                    float[] some = Arrays.copyOfRange(padded, f * size, (f + group) * size);
                    parts.add(e.encode(HostTensor.ofFloats(some, group, s[2], s[3], s[4]), scope)
                            .toFloatArray());
                    if (f + group <= frames) {
                        emitted[f + group - 1] = 1;
                    }
                }
                float[] streamed = Latents.concat(parts.toArray(float[][]::new));
                compare("out.encode.latents_sequential", streamed);
                compare("out.encode.latents_streaming", streamed);
                agree("encode, streamed against whole", streamed, parallel);
                String name = "out.encode.latent_emitted_after_frame";
                if (c.hasTensor(name)) {
                    report.compare(name, emitted, c.numbers(name));
                }
            }
        }

        private void decode() {
            long[] s = c.shape("in.latents");
            int count = (int) s[1];
            float[] latents = Latents.part(c.floats("in.latents"), item, batch);
            Graph graph = VideoAutoencoder.decoderGraph(config, (int) s[3], (int) s[4]);
            Weights weights = weights(graph);
            inside(graph, "decoder.", "latents", HostTensor.ofFloats(latents, count, s[2], s[3], s[4]));
            Program p = context.compile(graph, weights);
            try (Scope scope = context.scope().child("decoder");
                    StreamingDecoder d = new StreamingDecoder(config, p, scope)) {
                float[] parallel = d.decode(HostTensor.ofFloats(latents, count, s[2], s[3], s[4]), scope)
                        .toFloatArray();
                compare("out.decode.video", parallel);
                d.reset();
                List<float[]> parts = new ArrayList<>();
                double[] frames = new double[count];
                for (int k = 0; k < count; k++) {
                    float[] one = Latents.part(latents, k, count);
                    parts.add(d.decode(HostTensor.ofFloats(one, 1, s[2], s[3], s[4]), scope)
                            .toFloatArray());
                    int pixels = config.imageChannels()
                            * (int) (s[3] * s[4])
                            * config.spatialFactor()
                            * config.spatialFactor();
                    frames[k] = (double) parts.get(k).length / pixels;
                }
                float[] streamed = Latents.concat(parts.toArray(float[][]::new));
                compare("out.decode.video_sequential", streamed);
                compare("out.decode.video_streaming", streamed);
                agree("decode, streamed against whole", streamed, parallel);
                String name = "out.decode.frames_per_latent";
                if (c.hasTensor(name)) {
                    report.compare(name, frames, c.numbers(name));
                }
            }
            if (c.hasTensor("out.decode.video_unclamped")) {
                Graph clip = VideoAutoencoder.decoderClipGraph(config, (int) s[3], (int) s[4], count);
                float[] all = context.run(
                        context.compile(clip, weights),
                        Map.of("latents", HostTensor.ofFloats(latents, 1, count, s[2], s[3], s[4])),
                        "frames");
                int frame = all.length / (count * group);
                compare("out.decode.video_unclamped", Arrays.copyOfRange(all, (group - 1) * frame, all.length));
            }
        }

        /**
         * The stored results of layers, by a run that gives them out. An enlargement and the 1×1 convolution behind it
         * are done in the other order here, which has the same result; so the value between them does not exist.
         */
        private void inside(Graph graph, String part, String input, HostTensor value) {
            String prefix = "mid." + part;
            Map<String, Value> probes = new HashMap<>();
            for (String name : batch > 1 ? List.<String>of() : c.tensorNames(prefix)) {
                int layer = Integer.parseInt(name.substring(prefix.length()));
                Node made = last(graph, part + layer + ".");
                Node before = last(graph, part + (layer - 1) + ".");
                if (made != null && made.op() instanceof Op.Resize) {
                    continue;
                }
                if (before != null && before.op() instanceof Op.Resize) {
                    made = before;
                }
                if (made != null) {
                    probes.put(name, made.output());
                }
            }
            if (!probes.isEmpty()) {
                Program p = context.compile(graph.withOutputs(probes), weights(graph));
                Map<String, float[]> values =
                        context.runAll(p, context.newState(p), RunOptions.DEFAULT, Map.of(input, value));
                probes.keySet().forEach(n -> compare(n, Objects.requireNonNull(values.get(n), n)));
            }
        }

        private static @Nullable Node last(Graph graph, String prefix) {
            Node found = null;
            for (Node n : graph.nodes()) {
                if (n.name().startsWith(prefix) && !n.outputs().isEmpty()) {
                    found = n;
                }
            }
            return found;
        }

        private Weights weights(Graph graph) {
            return c.has("formula_scales") ? drawn(graph, c.at("formula_scales")) : c.weights("weights.");
        }

        private void compare(String name, float[] actual) {
            if (c.hasTensor(name)) {
                double[] expected = GoldenCase.widened(Latents.part(c.floats(name), item, batch));
                report.compare(name, name, GoldenCase.widened(actual), expected);
            }
        }

        private void agree(String label, float[] actual, float[] expected) {
            report.compare(label, GoldenCase.widened(actual), GoldenCase.widened(expected), CaseReport.maxRel(1e-5));
        }
    }

    // ------------------------------------------------------------------------------------------ formula

    private static Weights drawn(Graph graph, JsonNode scales) {
        Map<String, HostTensor> out = new HashMap<>();
        for (Map.Entry<String, Value> p : graph.parameters().entrySet()) {
            JsonNode scale = Objects.requireNonNull(scales.get(p.getKey()), p.getKey());
            long[] shape = p.getValue().shape().known();
            float[] v = new float[Math.toIntExact(HostTensor.elementCount(shape))];
            long x0 = fnv(p.getKey());
            for (int i = 0; i < v.length; i++) {
                double u = (mixed(x0 + (i + 1) * 0x9E3779B97F4A7C15L) >>> 40) / (double) (1 << 24);
                v[i] = (float) (scale.get(1).asDouble() + scale.get(0).asDouble() * (2 * u - 1));
            }
            out.put(p.getKey(), HostTensor.ofFloats(v, shape));
        }
        return Weights.of(out);
    }

    private static long mixed(long x) {
        long y = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
        y = (y ^ (y >>> 27)) * 0x94D049BB133111EBL;
        return y ^ (y >>> 31);
    }

    private static long fnv(String s) {
        long h = 0xCBF29CE484222325L;
        for (byte b : s.getBytes(StandardCharsets.UTF_8)) {
            h = (h ^ (b & 0xFF)) * 0x100000001B3L;
        }
        return h;
    }
}
