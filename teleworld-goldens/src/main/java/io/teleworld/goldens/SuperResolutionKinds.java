package io.teleworld.goldens;

import io.teleworld.core.network.ColourCorrection;
import io.teleworld.core.network.ConditionalDecoder;
import io.teleworld.core.network.LowQualityProjection;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.WindowTransformer;
import io.teleworld.core.network.WindowTransformer.Attention;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Op;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** Streaming super-resolution (FlashVSR): projection, window transformer, conditional decoder, colour correction. */
final class SuperResolutionKinds {

    private static final int GROUP = SuperResolutionConfig.GROUP;

    private SuperResolutionKinds() {}

    /** [1,3,T,H,W] to [T,3,H,W], or back with the two counts exchanged. */
    private static float[] swapped(float[] values, int first, int second) {
        return Latents.swapped(values, 1, first, second);
    }

    /** Planes [T,3,…] with the first picture so many times more in front. */
    private static float[] ledIn(float[] pictures, int frames, int more) {
        int size = pictures.length / frames;
        float[] out = new float[(frames + more) * size];
        for (int t = 0; t < frames + more; t++) {
            System.arraycopy(pictures, Math.max(0, t - more) * size, out, t * size, size);
        }
        return out;
    }

    private static String kind(GoldenCase c) {
        return c.at("spec", "kind").asString("");
    }

    /** The low-quality projection, whole and streamed. */
    static final class ProjectionKind implements GoldenKind {

        @Override
        public String title() {
            return "low-quality projection";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return kind(c).equals("lq");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            JsonNode config = c.at("config");
            int outputs = config.path("layer_num").asInt();
            SuperResolutionConfig.Projection p = new SuperResolutionConfig.Projection(
                    16, GoldenCase.integers(config.path("hidden")), outputs, false);
            int frames = c.extent("in.video", 2);
            int h = c.extent("in.video", 3);
            int w = c.extent("in.video", 4);
            float[] video = swapped(c.floats("in.video"), 3, frames);
            Program program = context.compile(
                    LowQualityProjection.graph(p, config.path("out_dim").asInt(), h, w), c.weights("weights."));
            // The first group only fills the public code's cache and gives nothing.
            float[] rest = Arrays.copyOfRange(video, video.length / frames, video.length);
            Map<String, float[]> whole = context.runAll(
                    program,
                    context.newState(program),
                    RunOptions.DEFAULT,
                    Map.of("frames", HostTensor.ofFloats(rest, frames - 1L, 3, h, w)));
            ProgramState state = context.newState(program);
            for (int i = 0; i < outputs; i++) {
                report.compare("out.whole." + i, get(whole, "tokens." + i), c.numbers("out.whole." + i));
            }
            int group = rest.length / (frames - 1) * GROUP;
            for (int k = 1; k <= (frames - 1) / GROUP; k++) {
                float[] some = Arrays.copyOfRange(rest, (k - 1) * group, k * group);
                Map<String, float[]> one = context.runAll(
                        program,
                        state,
                        RunOptions.DEFAULT,
                        Map.of("frames", HostTensor.ofFloats(some, GROUP, 3, h, w)));
                for (int i = 0; i < outputs; i++) {
                    String name = "out.stream." + k + "." + i;
                    report.compare(name, get(one, "tokens." + i), c.numbers(name));
                }
            }
        }
    }

    private static float[] get(Map<String, float[]> values, String name) {
        return Objects.requireNonNull(values.get(name), name);
    }

    /** The conditional decoder: two calls, and everything in one. */
    static final class DecoderKind implements GoldenKind {

        private static final int CONDITION = 8;

        @Override
        public String title() {
            return "conditional tiny decoder";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return kind(c).equals("tcd");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            List<Integer> widths = GoldenCase.integers(c.at("config", "channels"));
            List<Stage> stages = List.of(
                    new Stage(widths.get(0), 3, 2, 1),
                    new Stage(widths.get(1), 3, 2, 2),
                    new Stage(widths.get(2), 3, 2, 2));
            SuperResolutionConfig.Decoder config =
                    new SuperResolutionConfig.Decoder(CONDITION, stages, widths.get(3), true, 1, null);
            int channels = c.extent("in.call.0.latents", 2);
            int h = c.extent("in.call.0.latents", 3);
            int w = c.extent("in.call.0.latents", 4);
            Graph graph = ConditionalDecoder.graph(config, channels, h, w);
            unshuffled(c, context, report, graph, h, w);
            Program program = context.compile(graph, c.weights("weights."));
            ProgramState state = context.newState(program);
            float[] all = new float[0];
            float[] latents = new float[0];
            float[] frames = new float[0];
            for (int call = 0; c.hasTensor("in.call." + call + ".latents"); call++) {
                float[] z = c.floats("in.call." + call + ".latents");
                float[] f = frames(c, call);
                float[] out = decode(context, program, state, z, f, channels, h, w);
                float[] shown = call == 0 ? trimmed(out, frames(c, 0).length / picture(h, w)) : out;
                report.compare("out.call." + call + ".frames", shown, c.numbers("out.call." + call + ".frames"));
                all = joined(all, shown);
                latents = joined(latents, z);
                frames = joined(frames, f);
            }
            float[] whole = trimmed(
                    decode(context, program, context.newState(program), latents, frames, channels, h, w),
                    frames.length / picture(h, w));
            report.compare("out.whole.frames", whole, c.numbers("out.whole.frames"));
            report.compare("out.whole.frames_parallel", whole, c.numbers("out.whole.frames_parallel"));
            report.compare(
                    "calls against whole",
                    GoldenCase.widened(all),
                    GoldenCase.widened(whole),
                    CaseReport.maxRel(c.at("tolerance", "fp32_calls_equal_whole", "out.*", "max_rel")
                            .asDouble(1e-5)));
        }

        private static void unshuffled(
                GoldenCase c, CheckContext context, CaseReport report, Graph graph, int h, int w) {
            Value condition = graph.nodes().stream()
                    .filter(n -> n.op() instanceof Op.Concat)
                    .findFirst()
                    .orElseThrow()
                    .inputs()
                    .get(0);
            int first = c.extent("mid.unshuffle", 2);
            Program program = context.compile(graph.withOutputs(Map.of("condition", condition)), c.weights("weights."));
            float[] f = frames(c, 0);
            int groups = f.length / picture(h, w) / GROUP;
            float[] zeros = new float[groups * c.extent("in.call.0.latents", 2) * h * w];
            float[] all = context.runAll(
                            program,
                            context.newState(program),
                            RunOptions.DEFAULT,
                            inputs(zeros, f, c.extent("in.call.0.latents", 2), h, w))
                    .getOrDefault("condition", new float[0]);
            int each = all.length / groups;
            float[] some = new float[0];
            for (int g = 0; g < groups; g++) {
                some = joined(some, Arrays.copyOfRange(all, g * each, g * each + first * h * w));
            }
            report.compare("mid.unshuffle", some, c.numbers("mid.unshuffle"));
        }

        private static int picture(int h, int w) {
            return 3 * CONDITION * CONDITION * h * w;
        }

        /** The small pictures of a call [T,3,H,W], the first one four times. */
        private static float[] frames(GoldenCase c, int call) {
            int t = c.extent("in.call." + call + ".lq", 2);
            float[] f = swapped(c.floats("in.call." + call + ".lq"), 3, t);
            return call == 0 ? ledIn(f, t, GROUP - 1) : f;
        }

        private static float[] trimmed(float[] pictures, int frames) {
            return Arrays.copyOfRange(pictures, pictures.length / frames * (GROUP - 1), pictures.length);
        }

        private static float[] decode(
                CheckContext context,
                Program program,
                ProgramState state,
                float[] latents,
                float[] frames,
                int channels,
                int h,
                int w) {
            return get(
                    context.runAll(program, state, RunOptions.DEFAULT, inputs(latents, frames, channels, h, w)),
                    "decoded");
        }

        private static Map<String, HostTensor> inputs(float[] latents, float[] frames, int channels, int h, int w) {
            long n = latents.length / (channels * h * w);
            return Map.of(
                    "latents",
                    HostTensor.ofFloats(latents, n, channels, h, w),
                    "frames",
                    HostTensor.ofFloats(frames, n * GROUP, 3, (long) CONDITION * h, (long) CONDITION * w));
        }

        private static float[] joined(float[] a, float[] b) {
            float[] out = Arrays.copyOf(a, a.length + b.length);
            System.arraycopy(b, 0, out, a.length, b.length);
            return out;
        }
    }

    /** Both forms of colour correction. */
    static final class ColourKind implements GoldenKind {

        @Override
        public String title() {
            return "colour correction";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return kind(c).equals("color");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            int frames = c.extent("in.hq", 2);
            int h = c.extent("in.hq", 3);
            int w = c.extent("in.hq", 4);
            Map<String, HostTensor> in = Map.of(
                    "frames", HostTensor.ofFloats(swapped(c.floats("in.hq"), 3, frames), frames, 3, h, w),
                    "reference", HostTensor.ofFloats(swapped(c.floats("in.lq"), 3, frames), frames, 3, h, w));
            Map<String, ColourCorrection.Method> methods = new LinkedHashMap<>();
            methods.put("out.adain", ColourCorrection.Method.STATISTICS);
            methods.put("out.adain_chunk2", ColourCorrection.Method.STATISTICS);
            methods.put("out.wavelet", ColourCorrection.Method.WAVELET);
            methods.forEach((name, method) -> {
                Program program = context.compile(ColourCorrection.graph(method, h, w), c.weights("weights."));
                float[] out = context.run(program, in, "corrected");
                report.compare(name, swapped(out, frames, 3), c.numbers(name));
            });
        }
    }

    /** The one-step transformer in successive calls, with both ways to compute its attention. */
    static final class TransformerKind implements GoldenKind {

        private static final List<Integer> WINDOW = List.of(2, 8, 8);

        @Override
        public String title() {
            return "one-step transformer with window attention";
        }

        @Override
        public boolean accepts(GoldenCase c) {
            return kind(c).equals("dit") && c.has("spec", "topk_ratio");
        }

        @Override
        public void check(GoldenCase c, CheckContext context, CaseReport report) {
            tables(c, report);
            for (Attention attention : Attention.values()) {
                new Run(c, context, report, attention).run();
            }
        }

        private static void tables(GoldenCase c, CaseReport report) {
            List<Integer> tokens = GoldenCase.integers(c.at("spec", "tokens"));
            double[] index = Arrays.stream(WindowTransformer.partition(WINDOW, tokens.get(0), tokens.get(1)))
                    .asDoubleStream()
                    .toArray();
            report.compare("out.partition_index", index, c.numbers("out.partition_index"));
            for (String name : c.tensorNames("out.local_mask.")) {
                String[] parts = name.substring("out.local_mask.".length()).split("\\.range|x");
                boolean[] mask = WindowTransformer.localMask(
                        Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
                report.compare(
                        name,
                        IntStream.range(0, mask.length)
                                .mapToDouble(i -> mask[i] ? 1 : 0)
                                .toArray(),
                        c.numbers(name));
            }
        }

        private static final class Run {

            private final GoldenCase c;
            private final CheckContext context;
            private final CaseReport report;
            private final Attention attention;
            private final SuperResolutionConfig.Transformer config;
            private final int windows;
            private final int h;
            private final int w;
            private final int channels;
            private final int kept;
            private final Program program;
            private final ProgramState state;
            private final CacheMirror mirror = new CacheMirror();
            private final List<Integer> held = new ArrayList<>();

            Run(GoldenCase c, CheckContext context, CaseReport report, Attention attention) {
                this.c = c;
                this.context = context;
                this.report = report;
                this.attention = attention;
                JsonNode d = c.at("config");
                JsonNode spec = c.at("spec");
                List<Integer> tokens = GoldenCase.integers(spec.path("tokens"));
                this.windows = tokens.get(0) * tokens.get(1) / (WINDOW.get(1) * WINDOW.get(2));
                this.channels = c.extent("in.noise", 1);
                this.h = c.extent("in.noise", 3);
                this.w = c.extent("in.noise", 4);
                this.kept = (int) spec.path("kv_ratio").asDouble();
                this.config = new SuperResolutionConfig.Transformer(
                        GoldenCase.integers(d.path("patch_size")).get(1),
                        d.path("num_attention_heads").asInt(),
                        d.path("attention_head_dim").asInt(),
                        channels,
                        d.path("out_channels").asInt(),
                        d.path("ffn_dim").asInt(),
                        d.path("num_layers").asInt(),
                        d.path("freq_dim").asInt(),
                        d.path("text_dim").asInt(),
                        d.path("eps").asDouble(),
                        WINDOW,
                        spec.path("local_range").asInt(),
                        windows * spec.path("topk_ratio").asDouble(),
                        kept);
                int added = c.tensorNames("in.call.0.lq.").size();
                int most = kept + c.extent("out.call.0.flow", 2) / WINDOW.get(0);
                Graph graph = WindowTransformer.graph(config, h, w, added, most, attention);
                this.program = context.compile(graph.withOutputs(probes(graph)), c.weights("weights."));
                this.state = context.newState(program);
            }

            void run() {
                int first = 0;
                for (int call = 0; c.hasTensor("in.call." + call + ".lq.0"); call++) {
                    int frames = c.extent("out.call." + call + ".flow", 2);
                    call(call, first, frames);
                    first += frames;
                }
                if (attention == Attention.EVERYTHING) {
                    mirror.compare(c, report, "mid.cache_after_last_call", "", held);
                }
            }

            private void call(int call, int first, int frames) {
                int slabs = frames / WINDOW.get(0);
                List<Integer> written = IntStream.range(0, slabs)
                        .map(i -> first / WINDOW.get(0) + i)
                        .boxed()
                        .toList();
                RunOptions options = RunOptions.DEFAULT
                        .withVisible(WindowTransformer.CACHE_GROUP, held)
                        .withWritten(WindowTransformer.CACHE_GROUP, written);
                Map<String, float[]> out = context.runAll(program, state, options, inputs(call, first, frames));
                int seen = held.size() + slabs;
                String name = "out.call." + call;
                float[] flow = get(out, "velocity");
                compare(name + ".flow", GoldenCase.widened(flow));
                float[] noise = noise(first, frames);
                double[] latents = new double[flow.length];
                for (int i = 0; i < flow.length; i++) {
                    latents[i] = noise[i] - flow[i];
                }
                compare(name + ".latents", latents);
                compare("mid.temb", GoldenCase.widened(get(out, "mid.temb")));
                compare("mid.time_proj", GoldenCase.widened(get(out, "mid.time_proj")));
                String block = "mid.call." + call + ".block.0";
                if (c.hasTensor(block)) {
                    compare(block, GoldenCase.widened(natural(get(out, "mid.block.0"), frames)));
                }
                if (attention == Attention.EVERYTHING) {
                    for (int layer = 0; layer < config.numLayers(); layer++) {
                        String mask = "mid.call." + call + ".block_mask." + layer;
                        compare(mask, mask(get(out, "kept." + layer), slabs, seen));
                    }
                }
                mirror.accept(written, out);
                held.addAll(written);
                while (held.size() > kept) {
                    state.evict(WindowTransformer.CACHE_GROUP, List.of(held.remove(0)));
                }
            }

            private Map<String, HostTensor> inputs(int call, int first, int frames) {
                Map<String, HostTensor> in = new HashMap<>();
                in.put("noise", HostTensor.ofFloats(noise(first, frames), 1, channels, frames, h, w));
                in.put(
                        "positions",
                        Latents.positions(
                                IntStream.range(first, first + frames).boxed().toList()));
                in.put("text", c.tensor("in.text"));
                List<String> added = c.tensorNames("in.call." + call + ".lq.");
                for (int i = 0; i < added.size(); i++) {
                    in.put("tokens." + i, c.tensor("in.call." + call + ".lq." + i));
                }
                return in;
            }

            private float[] noise(int first, int frames) {
                int all = c.extent("in.noise", 2);
                int plane = h * w;
                float[] from = c.floats("in.noise");
                float[] out = new float[channels * frames * plane];
                for (int ch = 0; ch < channels; ch++) {
                    System.arraycopy(from, (ch * all + first) * plane, out, ch * frames * plane, frames * plane);
                }
                return out;
            }

            /** Tokens in window order to the order of frames, rows and columns. */
            private float[] natural(float[] tokens, int frames) {
                int p = config.patch();
                long[] index = WindowTransformer.partition(WINDOW, h / p, w / p);
                int d = config.width();
                float[] out = new float[tokens.length];
                for (int s = 0; s < frames / WINDOW.get(0); s++) {
                    for (int i = 0; i < index.length; i++) {
                        int to = s * index.length + (int) index[i];
                        System.arraycopy(tokens, (s * index.length + i) * d, out, to * d, d);
                    }
                }
                return out;
            }

            /** The graph's [slabs,windows,heads,windows·visible slabs] to [heads,query windows,key windows]. */
            private double[] mask(float[] own, int slabs, int seen) {
                int heads = config.numHeads();
                double[] mask = new double[own.length];
                int at = 0;
                for (int s = 0; s < slabs; s++) {
                    for (int q = 0; q < windows; q++) {
                        for (int head = 0; head < heads; head++) {
                            int row = ((head * slabs + s) * windows + q) * seen * windows;
                            for (int k = 0; k < windows; k++) {
                                for (int t = 0; t < seen; t++) {
                                    mask[row + t * windows + k] = own[at++];
                                }
                            }
                        }
                    }
                }
                return mask;
            }

            private Map<String, Value> probes(Graph graph) {
                Map<String, Value> found = TransformerProbes.of(graph, config.numLayers());
                found.keySet().removeIf(n -> !n.startsWith("cache.") && !n.equals("mid.block.0"));
                found.put("mid.temb", user(graph, "condition_embedder.time_embedder.linear_2.weight"));
                found.put("mid.time_proj", user(graph, "condition_embedder.time_proj.weight"));
                for (int layer = 0; layer < config.numLayers(); layer++) {
                    for (Node n : graph.nodes()) {
                        if (n.name().startsWith("blocks." + layer + ".") && n.op() instanceof Op.WindowAttention) {
                            found.put("kept." + layer, n.inputs().get(3));
                        }
                    }
                }
                return found;
            }

            private static Value user(Graph graph, String parameter) {
                Value weight = Objects.requireNonNull(graph.parameters().get(parameter), parameter);
                return graph.nodes().stream()
                        .filter(n -> n.inputs().contains(weight))
                        .findFirst()
                        .orElseThrow()
                        .output();
            }

            private void compare(String name, double[] actual) {
                report.compare(
                        name + (attention == Attention.EVERYTHING ? "" : ", neighbours only"),
                        name,
                        actual,
                        c.numbers(name));
            }
        }
    }
}
