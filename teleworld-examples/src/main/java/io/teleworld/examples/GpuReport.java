package io.teleworld.examples;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.GuidanceConfig.Holes;
import io.teleworld.core.generate.GuidanceConfig.Layout;
import io.teleworld.core.generate.GuidanceConfig.Order;
import io.teleworld.core.generate.GuidanceConfig.TimestepMode;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.generate.SegmentLayout.Pass;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.network.ColourCorrection;
import io.teleworld.core.network.FlopCounter;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WindowTransformer;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Times of networks at the sizes of published models, with random weights: time does not depend on them. Every figure is
 * wall time seen by Java, from inputs in host memory to outputs in host memory.
 */
@Command(name = "gpu", description = "Times, frames/s and TFLOP/s of large models; exit code 3 without a GPU.")
final class GpuReport implements Callable<Integer> {

    /** There is no GPU, or something that it needs is missing. */
    static final int UNAVAILABLE = 3;

    private static final int BLOCK = 3;
    private static final int STEPS = 4;
    private static final int PIXELS_PER_LATENT = 8;
    private static final int PICTURES_PER_LATENT = 4;

    /** Layers of the 18B shape: 14B's width of 5120 with 51 layers has 17.9 billion weights in its layers. */
    private static final int LAYERS_18B = 51;

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(
            names = "--workloads",
            split = ",",
            paramLabel = "NAME",
            description = "Of product, block, groups, decode, upscale and 18B; all by default.")
    List<String> workloads = List.of("product", "block", "groups", "decode", "upscale", "18B");

    @Option(names = "--runtime", paramLabel = "NAME", description = "cuda, the default, or another runtime.")
    String runtimeName = "cuda";

    @Option(names = "--device", paramLabel = "ID", description = "cuda:0 by default.")
    String device = "cuda:0";

    @Option(
            names = "--precision",
            split = ",",
            paramLabel = "P",
            description = "Precisions, one run each; bf16 by default.")
    List<Precision> precisions = List.of(Precision.BF16);

    @Option(
            names = "--contexts",
            split = ",",
            paramLabel = "K",
            description = "Frames that a block sees, its own" + " 3 included; 3,9,21 by default.")
    List<Integer> contexts = List.of(3, 9, 21);

    @Option(names = "--repeats", paramLabel = "N", description = "Measured repetitions; 50 by default.")
    int repeats = 50;

    @Option(names = "--warm-up", paramLabel = "N", description = "Repetitions before; 5 by default.")
    int warmUp = 5;

    @Option(names = "--tiny", description = "Tiny sizes, to try the program itself anywhere.")
    boolean tiny;

    @Option(names = "--out", paramLabel = "DIR", description = "Where the JSON file is put; target/eval by default.")
    Path out = Path.of("target", "eval");

    private record Times(double median, double p99, double least, double most) {}

    @Override
    public Integer call() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        if (repeats < 1 || warmUp < 0 || contexts.stream().anyMatch(k -> k < BLOCK)) {
            throw Cli.badArgument(command, "--repeats must be at least 1, --warm-up 0 and --contexts " + BLOCK);
        }
        Output.folder(out);
        Report report = new Report(command.name(), command.commandLine().getOut());
        TensorRuntimeProvider provider =
                RuntimeRegistry.load(GpuReport.class.getClassLoader()).get(runtimeName);
        if (provider.probe() instanceof Availability.Unavailable missing) {
            report.line("Unavailable(%s)", missing.reason());
            report.put("unavailable", missing.reason());
            report.write(out);
            return UNAVAILABLE;
        }
        try (TensorRuntime runtime = provider.create(new RuntimeOptions(device, 0))) {
            report.line("device: %s", runtime.devices().get(0).description());
            report.put("runtime", runtimeName);
            report.put("device", runtime.devices().get(0));
            report.put("started", Instant.now().toString());
            report.put("repeats", repeats);
            report.put("tiny", tiny);
            List<Map<String, Object>> entries = new ArrayList<>();
            for (Precision precision : precisions) {
                for (String workload : workloads) {
                    new Session(report, runtime, precision, entries).run(workload, command);
                }
            }
            report.put("figures", entries);
        }
        report.write(out);
        return Cli.OK;
    }

    /** One precision of one workload. */
    private final class Session {

        private final Report report;
        private final TensorRuntime runtime;
        private final Precision precision;
        private final List<Map<String, Object>> entries;

        Session(Report report, TensorRuntime runtime, Precision precision, List<Map<String, Object>> entries) {
            this.report = report;
            this.runtime = runtime;
            this.precision = precision;
            this.entries = entries;
        }

        void run(String workload, CommandSpec command) {
            try {
                switch (workload) {
                    case "product" -> product();
                    case "block" -> block();
                    case "groups" -> groups("1.3B", small(VideoTransformerConfig.wan13b()), true);
                    case "decode" -> decode();
                    case "upscale" -> upscale();
                    case "18B" ->
                        groups("18B", small(VideoTransformerConfig.wan14b().withLayers(LAYERS_18B)), false);
                    default ->
                        throw Cli.badArgument(
                                command,
                                "workload " + workload
                                        + " is unknown; there are product, block, groups, decode, upscale and 18B");
                }
            } catch (TeleWorldException e) {
                // One that does not fit must not hide the figures of the others.
                report.line("%s in %s: failed: %s", workload, precision, String.valueOf(e.getMessage()));
                Map<String, Object> entry = new LinkedHashMap<>();
                entry.put("name", workload);
                entry.put("precision", precision.name());
                entry.put("failed", String.valueOf(e.getMessage()));
                entries.add(entry);
            }
        }

        private VideoTransformerConfig small(VideoTransformerConfig config) {
            return tiny ? RandomRelease.tiny() : config;
        }

        private int latentHeight() {
            return (tiny ? 32 : 480) / PIXELS_PER_LATENT;
        }

        private int latentWidth() {
            return (tiny ? 48 : 832) / PIXELS_PER_LATENT;
        }

        /** The rate of one large product, as the peak that shares refer to. */
        private void product() {
            int n = tiny ? 64 : 8192;
            GraphBuilder g = new GraphBuilder("product");
            Value x = g.input("x", DType.F32, Dim.of(1), Dim.of(n), Dim.of(n));
            // The result is summed up, so that time is not spent on copying it.
            g.output("y", g.reduceSum(g.linear(x, g.parameter("w", n, n), null), false, 1));
            Graph graph = g.build();
            try (Scope scope = Scope.root("product")) {
                Program p = scope.adopt(runtime.compile(graph, new RandomWeights(graph, 1), precision));
                ProgramState state = p.newState(scope);
                Map<String, HostTensor> in = Map.of("x", random(1, n, n));
                Times t = time(() -> once(p, in, state, RunOptions.DEFAULT, scope));
                entry("product " + n + "³, copies included", t, 2.0 * n * n * n, 0);
            }
        }

        /** A block of few-step generation: four denoising steps and the pass into the cache. */
        private void block() {
            VideoTransformerConfig config = small(VideoTransformerConfig.wan13b());
            VideoAutoencoderConfig vae = VideoAutoencoderConfig.taehv();
            int most = contexts.stream().mapToInt(Integer::intValue).max().orElse(BLOCK);
            Graph graph = VideoTransformer.cachedGraph(config, latentHeight(), latentWidth(), most);
            Graph decoderGraph = VideoAutoencoder.decoderGraph(vae, latentHeight(), latentWidth());
            try (Scope scope = Scope.root("block")) {
                Program program = scope.adopt(runtime.compile(graph, new RandomWeights(graph, 2), precision));
                Program decoder =
                        scope.adopt(runtime.compile(decoderGraph, new RandomWeights(decoderGraph, 3), precision));
                ProgramState decoding = decoder.newState(scope);
                Map<String, HostTensor> in = transformerInputs(config, BLOCK);
                Map<String, HostTensor> latents =
                        Map.of("latents", random(BLOCK, vae.latentChannels(), latentHeight(), latentWidth()));
                for (int k : contexts) {
                    ProgramState state = program.newState(scope);
                    List<Integer> visible = fill(program, state, config, k - BLOCK, scope);
                    RunOptions step = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, visible);
                    List<Integer> own = IntStream.range(k - BLOCK, k).boxed().toList();
                    RunOptions write = step.withWritten(VideoTransformer.CACHE_GROUP, own);
                    Runnable denoise = () -> {
                        for (int i = 0; i < STEPS; i++) {
                            once(program, in, state, step, scope);
                        }
                        once(program, in, state, write, scope);
                    };
                    double flops = (STEPS + 1)
                            * flops(graph, Map.of("frames", (long) BLOCK, visible(graph), (long) visible.size()));
                    int frames = BLOCK * PICTURES_PER_LATENT;
                    entry("1.3B block of 3, K = " + k + ", transformer", time(denoise), flops, frames);
                    double decoding3 = flops(decoderGraph, Map.of("frames", (long) BLOCK));
                    entry(
                            "1.3B block of 3, K = " + k + ", with decoder",
                            time(() -> {
                                denoise.run();
                                once(decoder, latents, decoding, RunOptions.DEFAULT, scope);
                            }),
                            flops + decoding3,
                            frames);
                    state.close();
                }
            }
        }

        /** All passes of a segment of ten, with guidance tokens. */
        private void groups(String name, VideoTransformerConfig plain, boolean bothModes) {
            for (TimestepMode mode :
                    bothModes ? List.of(TimestepMode.CLEAN, TimestepMode.SAME) : List.of(TimestepMode.CLEAN)) {
                GuidanceConfig guidance =
                        new GuidanceConfig(Layout.PAIRED, Order.GUIDANCE_FIRST, 0, mode, 0, false, Holes.GREY);
                VideoTransformerConfig config = plain;
                SegmentLayout layout =
                        new SegmentLayout(new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0), guidance, true);
                int capacity = layout.passes().stream()
                        .filter(Pass::written)
                        .mapToInt(p -> p.frames().size())
                        .sum();
                Graph graph =
                        VideoTransformer.cachedGraph(config, latentHeight(), latentWidth(), Math.max(1, capacity));
                String how = mode == TimestepMode.CLEAN ? "guidance K/V once" : "guidance in each pass";
                try (Scope scope = Scope.root("groups")) {
                    Program program = scope.adopt(runtime.compile(graph, new RandomWeights(graph, 4), precision));
                    passes(name + ", " + how, program, config, layout, scope);
                }
            }
        }

        private void passes(
                String name, Program program, VideoTransformerConfig config, SegmentLayout layout, Scope scope) {
            ProgramState state = program.newState(scope);
            Map<Integer, Double> stageMillis = new LinkedHashMap<>();
            for (Pass pass : layout.passes()) {
                int frames = pass.frames().size();
                RunOptions options = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, pass.visible());
                RunOptions all =
                        pass.written() ? options.withWritten(VideoTransformer.CACHE_GROUP, pass.ids()) : options;
                Map<String, HostTensor> in = transformerInputs(config, frames);
                int runs = pass.kind() == PassKind.NOISY ? STEPS : 1;
                Times t = time(() -> {
                    for (int i = 0; i < runs; i++) {
                        once(program, in, state, all, scope);
                    }
                });
                double flops = runs
                        * flops(program.graph(), Map.of("frames", (long) frames, visible(program.graph()), (long)
                                pass.visible().size()));
                entry(
                        name + ": " + pass.kind() + " of stage " + pass.stage() + ", " + frames + " frames see "
                                + pass.visible().size(),
                        t,
                        flops,
                        0);
                stageMillis.merge(pass.stage(), t.median(), Double::sum);
            }
            stageMillis.forEach((stage, ms) -> {
                report.line("%s: stage %s takes %.2f ms", name, stage < 0 ? "before" : stage.toString(), ms);
                Map<String, Object> entry = new LinkedHashMap<>();
                entry.put("name", name + ": stage " + stage);
                entry.put("precision", precision.name());
                entry.put("stageMillis", Stages.round(ms));
                entries.add(entry);
            });
        }

        private void decode() {
            VideoAutoencoderConfig vae = VideoAutoencoderConfig.taehv();
            Graph graph = VideoAutoencoder.decoderGraph(vae, latentHeight(), latentWidth());
            try (Scope scope = Scope.root("decode")) {
                Program p = scope.adopt(runtime.compile(graph, new RandomWeights(graph, 5), precision));
                ProgramState state = p.newState(scope);
                for (int n : List.of(1, BLOCK)) {
                    Map<String, HostTensor> in =
                            Map.of("latents", random(n, vae.latentChannels(), latentHeight(), latentWidth()));
                    entry(
                            "TAEHV decoder, " + n + " latent frames",
                            time(() -> once(p, in, state, RunOptions.DEFAULT, scope)),
                            flops(graph, Map.of("frames", (long) n)),
                            n * PICTURES_PER_LATENT);
                }
            }
        }

        /** To 1024×1792, of which 960×1760 are shown. */
        private void upscale() {
            SuperResolutionConfig config = tiny ? SuperResolutionConfig.nano() : superResolution();
            int height = tiny ? 32 : 512;
            int width = tiny ? 32 : 896;
            Graph graph = SuperResolutionNet.streamGraph(config, height, width, WindowTransformer.Attention.NEIGHBOURS);
            try (Scope scope = Scope.root("upscale")) {
                Program p = scope.adopt(runtime.compile(graph, new RandomWeights(graph, 6), precision));
                ProgramState state = p.newState(scope);
                Map<String, HostTensor> in = Map.of(
                        "frames",
                        random(SuperResolutionConfig.GROUP, 3, height, width),
                        "position",
                        HostTensor.zeros(DType.F32, 1));
                List<Integer> seen = new ArrayList<>();
                for (int id = 0; id < config.transformer().cachedSlabs(); id++) {
                    once(
                            p,
                            in,
                            state,
                            RunOptions.DEFAULT
                                    .withVisible(WindowTransformer.CACHE_GROUP, seen)
                                    .withWritten(WindowTransformer.CACHE_GROUP, List.of(id)),
                            scope);
                    seen.add(id);
                }
                RunOptions options = RunOptions.DEFAULT.withVisible(WindowTransformer.CACHE_GROUP, seen);
                entry(
                        "super-resolution to " + config.scale() * height + "×" + config.scale() * width,
                        time(() -> once(p, in, state, options, scope)),
                        flops(graph, seen.isEmpty() ? Map.of() : Map.of(visible(graph), (long) seen.size())),
                        SuperResolutionConfig.GROUP);
            }
        }

        // -------------------------------------------------------------------------------------- running

        private Map<String, HostTensor> transformerInputs(VideoTransformerConfig config, int frames) {
            Map<String, HostTensor> in = new HashMap<>();
            in.put("latents", random(1, config.inChannels(), frames, latentHeight(), latentWidth()));
            in.put("timestep", HostTensor.zeros(DType.F32, 1, frames));
            in.put("positions", HostTensor.zeros(DType.F32, frames));
            in.put("text", random(1, config.textLen(), config.textDim()));
            return in;
        }

        /** Puts frames 0 to count − 1 into the cache. */
        private List<Integer> fill(
                Program program, ProgramState state, VideoTransformerConfig config, int count, Scope scope) {
            List<Integer> held = new ArrayList<>();
            Map<String, HostTensor> one = transformerInputs(config, 1);
            for (int id = 0; id < count; id++) {
                RunOptions options = RunOptions.DEFAULT
                        .withVisible(VideoTransformer.CACHE_GROUP, List.of())
                        .withWritten(VideoTransformer.CACHE_GROUP, List.of(id));
                once(program, one, state, options, scope);
                held.add(id);
            }
            return held;
        }

        private void once(
                Program program, Map<String, HostTensor> in, ProgramState state, RunOptions options, Scope scope) {
            try (Scope run = scope.child("run")) {
                if (program.run(in, state, options, run).isEmpty()) {
                    throw new IllegalStateException("program " + program + " gave nothing");
                }
            }
        }

        private Times time(Runnable work) {
            double[] ms = new double[repeats];
            for (int i = -warmUp; i < repeats; i++) {
                long begun = System.nanoTime();
                work.run();
                if (i >= 0) {
                    ms[i] = (System.nanoTime() - begun) / 1e6;
                }
            }
            Arrays.sort(ms);
            return new Times(ms[repeats / 2], ms[(int) Math.ceil(0.99 * repeats) - 1], ms[0], ms[repeats - 1]);
        }

        private void entry(String name, Times t, double flops, int frames) {
            double rate = flops / t.median() / 1e9;
            report.line(
                    "%s, %s: p50 %.2f ms, p99 %.2f ms (p99/p50 %.3f, %.2f to %.2f), %.1f TFLOP/s%s",
                    name,
                    precision,
                    t.median(),
                    t.p99(),
                    t.p99() / t.median(),
                    t.least(),
                    t.most(),
                    rate,
                    frames == 0 ? "" : ", " + Report.text(1e3 * frames / t.median()) + " frames/s");
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("name", name);
            entry.put("precision", precision.name());
            entry.put("p50Millis", Stages.round(t.median()));
            entry.put("p99Millis", Stages.round(t.p99()));
            entry.put("leastMillis", Stages.round(t.least()));
            entry.put("mostMillis", Stages.round(t.most()));
            entry.put("teraflop", Stages.round(flops / 1e12));
            entry.put("teraflopsPerSecond", Stages.round(rate));
            if (frames > 0) {
                entry.put("framesPerSecond", Stages.round(1e3 * frames / t.median()));
            }
            entries.add(entry);
        }
    }

    /** FlashVSR's sizes on Wan 2.1 1.3B, without cross-attention and one latent frame at a time. */
    private static SuperResolutionConfig superResolution() {
        return new SuperResolutionConfig(
                2,
                new SuperResolutionConfig.Projection(8, List.of(2048, 3072), 1, true),
                new SuperResolutionConfig.Transformer(
                        2, 12, 128, null, 16, 8960, 30, 256, null, 1e-6, List.of(1, 8, 8), 9, 240, 3),
                new SuperResolutionConfig.Decoder(
                        4,
                        List.of(
                                new VideoAutoencoderConfig.Stage(512, 3, 2, 1),
                                new VideoAutoencoderConfig.Stage(256, 3, 2, 2),
                                new VideoAutoencoderConfig.Stage(128, 3, 2, 2)),
                        128,
                        true,
                        1,
                        null),
                true,
                ColourCorrection.Method.NONE);
    }

    private static String visible(Graph graph) {
        return RooflineReport.visibleSymbol(graph);
    }

    private static double flops(Graph graph, Map<String, Long> extents) {
        Map<String, Long> all = new HashMap<>(extents);
        graph.inputSymbols().forEach(s -> all.putIfAbsent(s, 1L));
        return FlopCounter.count(graph, all);
    }

    private static HostTensor random(long... shape) {
        SplittableRandom r = new SplittableRandom(7);
        float[] values = new float[Math.toIntExact(HostTensor.elementCount(shape))];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) r.nextDouble(-1, 1);
        }
        return HostTensor.ofFloats(values, shape);
    }
}
