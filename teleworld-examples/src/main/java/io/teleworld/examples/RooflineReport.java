package io.teleworld.examples;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.generate.SegmentLayout.Pass;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.network.CameraRays;
import io.teleworld.core.network.FlopCounter;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WindowTransformer;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.State;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What this machine computes at best, and what share of that each run of the model's networks reaches. */
@Command(
        name = "roofline",
        description = "Rates of matrix products and convolutions here, and the share that each network reaches.")
final class RooflineReport extends Evaluation {

    private static final int WARM_UP = 3;
    private static final int FEWEST_RUNS = 10;
    private static final int MOST_RUNS = 10_000;
    private static final List<String> PREFERRED = List.of("onnx", "djl", "torch");

    /** Rows, inputs and outputs of matrix products: large ones, and those of the shipped transformer. */
    private static final int[][] PRODUCTS = {
        {1024, 1024, 1024}, {512, 512, 2048}, {198, 256, 256}, {198, 256, 1024}, {198, 1024, 256}
    };
    /** Channels, rows and columns of 3×3 convolutions: those of the shipped autoencoder. */
    private static final int[][] CONVOLUTIONS = {{64, 96, 176}, {64, 48, 88}, {96, 24, 44}, {128, 12, 22}};

    private static final int STREAMED_FLOATS = 1 << 24;

    @Option(names = "--milliseconds", paramLabel = "N", description = "Time for each measurement; 700 by default.")
    int milliseconds = 700;

    @Option(names = "--precision", paramLabel = "P", description = "Of the networks; that of the package by default.")
    @org.jspecify.annotations.Nullable
    Precision precision;

    private record Times(double median, double low, double high) {}

    @Override
    void measure(Report report) {
        atLeastOne("--milliseconds", milliseconds);
        ModelPackage files = ModelPackage.open(ModelFiles.of(model.source()));
        RuntimeRegistry registry = RuntimeRegistry.load(RooflineReport.class.getClassLoader());
        List<String> names = model.options().runtimes();
        try (TensorRuntime runtime = registry.firstAvailable(names.isEmpty() ? PREFERRED : names)
                        .create(new RuntimeOptions(model.options().device(), model.threads));
                Scope scope = Scope.root("roofline")) {
            report.line("%s; times are medians (10th to 90th percentile)", runtime);
            double best = primitives(report, runtime, scope);
            networks(report, runtime, scope, files, best);
        }
    }

    // ------------------------------------------------------------------------------------------ primitives

    private double primitives(Report report, TensorRuntime runtime, Scope scope) {
        List<List<String>> rows = new ArrayList<>();
        List<Map<String, Object>> entries = new ArrayList<>();
        double best = 0;
        for (int[] p : PRODUCTS) {
            GraphBuilder g = new GraphBuilder("product");
            Value x = g.input("x", DType.F32, Dim.of(1), Dim.of(p[0]), Dim.of(p[1]));
            g.output("y", g.linear(x, g.parameter("w", p[2], p[1]), g.parameter("b", p[2])));
            Graph graph = g.build();
            Map<String, HostTensor> in = Map.of("x", random(1, p[0], p[1]));
            Weights weights = Weights.of(Map.of("w", random(p[2], p[1]), "b", random(p[2])));
            for (Precision kind : List.of(Precision.FP32, Precision.INT8_LINEAR)) {
                String name = String.format(
                        Locale.ROOT,
                        "product %d×%d×%d %s",
                        p[0],
                        p[1],
                        p[2],
                        kind.name().toLowerCase(Locale.ROOT));
                double flops = 2.0 * p[0] * p[1] * p[2];
                double rate = primitive(name, flops, graph, weights, in, kind, runtime, scope, rows, entries);
                best = kind == Precision.FP32 ? Math.max(best, rate) : best;
            }
        }
        for (int[] c : CONVOLUTIONS) {
            GraphBuilder g = new GraphBuilder("convolution");
            Value x = g.input("x", DType.F32, Dim.of(1), Dim.of(c[0]), Dim.of(c[1]), Dim.of(c[2]));
            g.output(
                    "y",
                    g.conv(
                            x,
                            g.parameter("w", c[0], c[0], 3, 3),
                            g.parameter("b", c[0]),
                            List.of(1, 1),
                            List.of(1, 1, 1, 1),
                            List.of(1, 1),
                            1));
            Weights weights = Weights.of(Map.of("w", random(c[0], c[0], 3, 3), "b", random(c[0])));
            double flops = 2.0 * 9 * c[0] * c[0] * c[1] * c[2];
            String name = String.format(Locale.ROOT, "convolution 3×3, %d channels, %d×%d", c[0], c[1], c[2]);
            Map<String, HostTensor> in = Map.of("x", random(1, c[0], c[1], c[2]));
            best = Math.max(
                    best,
                    primitive(name, flops, g.build(), weights, in, Precision.FP32, runtime, scope, rows, entries));
        }
        GraphBuilder g = new GraphBuilder("sum");
        Value x = g.input("x", DType.F32, Dim.of(STREAMED_FLOATS));
        Value y = g.input("y", DType.F32, Dim.of(STREAMED_FLOATS));
        g.output("z", g.add(x, y));
        Map<String, HostTensor> in = Map.of("x", random(STREAMED_FLOATS), "y", random(STREAMED_FLOATS));
        try (Program program = runtime.compile(g.build(), Weights.of(Map.of()), Precision.FP32)) {
            Times t = time(program, in, program.newState(scope), RunOptions.DEFAULT, scope);
            double rate = 3.0 * 4 * STREAMED_FLOATS / t.median() / 1e6;
            rows.add(List.of("sum of two arrays of 64 MiB", text(t), Report.text(rate) + " GB/s"));
            report.put("gigabytesPerSecond", Stages.round(rate));
        }
        report.table(List.of("", "ms", "rate"), rows);
        report.line("taken as the peak: %.0f GFLOP/s, the best rate in fp32", best);
        report.put("primitives", entries);
        report.put("peakGigaflops", Stages.round(best));
        return best;
    }

    private double primitive(
            String name,
            double flops,
            Graph graph,
            Weights weights,
            Map<String, HostTensor> in,
            Precision kind,
            TensorRuntime runtime,
            Scope scope,
            List<List<String>> rows,
            List<Map<String, Object>> entries) {
        try (Program program = runtime.compile(graph, weights, kind)) {
            Times t = time(program, in, program.newState(scope), RunOptions.DEFAULT, scope);
            double rate = flops / t.median() / 1e6;
            rows.add(List.of(name, text(t), Report.text(rate) + " GFLOP/s"));
            entries.add(entry(name, flops, t, rate));
            return rate;
        }
    }

    // ------------------------------------------------------------------------------------------ networks

    private void networks(Report report, TensorRuntime runtime, Scope scope, ModelPackage files, double best) {
        List<List<String>> rows = new ArrayList<>();
        List<Map<String, Object>> entries = new ArrayList<>();
        int newFrames =
                files.world().segments().plan(ChainingPolicy.MAX_THROUGHPUT).emittedPixelFrames();
        double perFrame = 0;
        for (Run run : runs(files, runtime, scope)) {
            Times t = time(run.program(), run.inputs(), run.state(), run.options(), scope);
            double rate = run.flops() / t.median() / 1e6;
            double cost = run.perSegment() * t.median() / newFrames;
            perFrame += cost;
            rows.add(List.of(
                    run.name(),
                    Integer.toString(run.perSegment()),
                    Report.text(run.flops() / 1e9),
                    text(t),
                    Report.text(rate),
                    String.format(Locale.ROOT, "%.0f %%", 100 * rate / best),
                    Report.text(cost)));
            Map<String, Object> entry = entry(run.name(), run.flops(), t, rate);
            entry.put("runsPerSegment", run.perSegment());
            entry.put("shareOfPeak", Stages.round(rate / best));
            entry.put("millisPerFrame", Stages.round(cost));
            entries.add(entry);
        }
        report.table(List.of("network", "per segment", "GFLOP", "ms", "GFLOP/s", "of the peak", "ms per frame"), rows);
        report.line(
                "networks alone: %.2f ms per frame, %.1f frames/s; a segment brings %d frames",
                perFrame, 1000 / perFrame, newFrames);
        report.put("networks", entries);
        report.put("millisPerFrame", Stages.round(perFrame));
    }

    private record Run(
            String name,
            int perSegment,
            double flops,
            Program program,
            ProgramState state,
            Map<String, HostTensor> inputs,
            RunOptions options) {}

    /** Everything that a segment runs, with random input: time does not depend on what is in it. */
    private List<Run> runs(ModelPackage files, TensorRuntime runtime, Scope scope) {
        List<Run> runs = new ArrayList<>(transformer(files, runtime, scope));
        int height = files.world().height();
        int width = files.world().width();
        int latents = files.world().segments().groups().size();
        int factor = files.vae().temporalFactor();
        Program encoder = scope.adopt(runtime.compile(files.encoderGraph(), files.vaeWeights(), vae(files)));
        runs.add(new Run(
                "encoder, guidance of a segment",
                1,
                flops(files.encoderGraph(), Map.of("frames", (long) latents)),
                encoder,
                encoder.newState(scope),
                Map.of("frames", random((long) factor * latents, 3, height, width)),
                RunOptions.DEFAULT));
        Program decoder = scope.adopt(runtime.compile(files.decoderGraph(), files.vaeWeights(), vae(files)));
        runs.add(new Run(
                "decoder, a latent frame",
                latents - 1,
                flops(files.decoderGraph(), Map.of("frames", 1L)),
                decoder,
                decoder.newState(scope),
                Map.of("latents", random(1, files.vae().latentChannels(), files.latentHeight(), files.latentWidth())),
                RunOptions.DEFAULT));
        int keyframes = files.world()
                .segments()
                .plan(ChainingPolicy.MAX_THROUGHPUT)
                .stages()
                .get(0)
                .frames()
                .size();
        Program geometry = scope.adopt(runtime.compile(
                files.geometryGraph(),
                files.geometryWeights(),
                chosen(files.world().precision().geometry())));
        boolean attends = files.geometry().attentionBlocks() > 0;
        int tokens =
                height * width / (files.geometry().multiple() * files.geometry().multiple());
        Map<String, HostTensor> picture = new HashMap<>();
        picture.put("image", random(1, files.geometry().inputChannels(), height, width));
        if (attends) {
            picture.put("rays", random(1, tokens, CameraRays.WIDTH));
        }
        runs.add(new Run(
                "geometry, a keyframe",
                keyframes,
                flops(
                        files.geometryGraph(),
                        attends ? Map.of("visible_" + GeometryNet.CACHE_GROUP, 0L) : Map.of("batch", 1L)),
                geometry,
                geometry.newState(scope),
                picture,
                RunOptions.DEFAULT));
        files.superResolution()
                .ifPresent(config -> runs.add(superResolution(files, config, latents - 1, runtime, scope)));
        return runs;
    }

    /** A group of frames that sees as many earlier ones as it may. */
    private Run superResolution(
            ModelPackage files, SuperResolutionConfig config, int groups, TensorRuntime runtime, Scope scope) {
        Graph graph = files.superResolutionGraph();
        Program program = scope.adopt(runtime.compile(graph, files.superResolutionWeights(), vae(files)));
        ProgramState state = program.newState(scope);
        Map<String, HostTensor> in = Map.of(
                "frames",
                random(
                        SuperResolutionConfig.GROUP,
                        3,
                        files.world().height(),
                        files.world().width()),
                "position",
                HostTensor.zeros(DType.F32, 1));
        List<Integer> seen = new ArrayList<>();
        for (int id = 0; id < config.transformer().cachedSlabs(); id++) {
            try (Scope once = scope.child("fill")) {
                RunOptions filling = RunOptions.DEFAULT
                        .withVisible(WindowTransformer.CACHE_GROUP, seen)
                        .withWritten(WindowTransformer.CACHE_GROUP, List.of(id));
                program.run(in, state, filling, once);
            }
            seen.add(id);
        }
        Map<String, Long> extents = seen.isEmpty() ? Map.of() : Map.of(visibleSymbol(graph), (long) seen.size());
        return new Run(
                "super-resolution, a group of 4 frames",
                groups,
                flops(graph, extents),
                program,
                state,
                in,
                RunOptions.DEFAULT.withVisible(WindowTransformer.CACHE_GROUP, seen));
    }

    /** The passes of a segment; those of equal size stand for each other. */
    private List<Run> transformer(ModelPackage files, TensorRuntime runtime, Scope scope) {
        VideoTransformerConfig config = files.transformer();
        Graph graph = files.transformerGraph();
        Program program = scope.adopt(runtime.compile(
                graph,
                files.transformerWeights(),
                chosen(files.world().precision().transformer())));
        ProgramState state = program.newState(scope);
        SegmentLayout layout = new SegmentLayout(
                files.world().segments().plan(ChainingPolicy.MAX_THROUGHPUT),
                files.world().guidance(),
                true);
        int steps = files.scheduler().sampler().timesteps().length;
        Map<String, Integer> counts = new LinkedHashMap<>();
        Map<String, Run> first = new LinkedHashMap<>();
        for (Pass pass : layout.passes()) {
            int frames = pass.frames().size();
            int seen = pass.visible().size();
            RunOptions options = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, pass.visible());
            Map<String, HostTensor> in = Map.of(
                    "latents",
                    random(1, config.inChannels(), frames, files.latentHeight(), files.latentWidth()),
                    "timestep",
                    HostTensor.zeros(DType.F32, 1, frames),
                    "positions",
                    HostTensor.zeros(DType.F32, frames),
                    "text",
                    HostTensor.zeros(DType.F32, 1, config.textLen(), config.textDim()));
            if (pass.written()) {
                // Later passes see it.
                try (Scope once = scope.child("fill")) {
                    program.run(in, state, options.withWritten(VideoTransformer.CACHE_GROUP, pass.ids()), once);
                }
            }
            String name = String.format(
                    Locale.ROOT,
                    "transformer, %d frames that see %d (%s)",
                    frames,
                    seen,
                    pass.kind() == PassKind.NOISY ? "a denoising step" : "into the cache");
            counts.merge(name, pass.kind() == PassKind.NOISY ? steps : 1, Integer::sum);
            first.putIfAbsent(
                    name,
                    new Run(
                            name,
                            1,
                            flops(graph, Map.of("frames", (long) frames, visibleSymbol(graph), (long) seen)),
                            program,
                            state,
                            in,
                            options));
        }
        List<Run> runs = new ArrayList<>();
        first.forEach((name, r) -> runs.add(new Run(
                name, counts.getOrDefault(name, 1), r.flops(), r.program(), r.state(), r.inputs(), r.options())));
        return runs;
    }

    static String visibleSymbol(Graph graph) {
        return graph.states().values().stream()
                .filter(s -> s instanceof State.FrameCache)
                .map(s -> ((State.FrameCache) s).visibleSymbol())
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("graph " + graph.name() + " has no cache"));
    }

    private Precision chosen(Precision packaged) {
        Precision p = precision;
        return p == null ? packaged : p;
    }

    private Precision vae(ModelPackage files) {
        return chosen(files.world().precision().vae());
    }

    private static double flops(Graph graph, Map<String, Long> extents) {
        Map<String, Long> all = new HashMap<>(extents);
        graph.inputSymbols().forEach(s -> all.putIfAbsent(s, 1L));
        return FlopCounter.count(graph, all);
    }

    // ------------------------------------------------------------------------------------------ measuring

    private Times time(
            Program program, Map<String, HostTensor> in, ProgramState state, RunOptions options, Scope scope) {
        double[] ms = new double[MOST_RUNS];
        int n = 0;
        long end = System.nanoTime() + milliseconds * 1_000_000L;
        for (int i = -WARM_UP; n < MOST_RUNS && (n < FEWEST_RUNS || System.nanoTime() < end); i++) {
            long begun = System.nanoTime();
            try (Scope once = scope.child("run")) {
                Map<String, Tensor> results = program.run(in, state, options, once);
                if (results.isEmpty()) {
                    throw new IllegalStateException("program " + program + " gave nothing");
                }
            }
            if (i >= 0) {
                ms[n++] = (System.nanoTime() - begun) / 1e6;
            }
        }
        double[] sorted = Arrays.copyOf(ms, n);
        Arrays.sort(sorted);
        return new Times(sorted[n / 2], sorted[n / 10], sorted[n * 9 / 10]);
    }

    private static String text(Times t) {
        return String.format(Locale.ROOT, "%.3f (%.3f to %.3f)", t.median(), t.low(), t.high());
    }

    private static Map<String, Object> entry(String name, double flops, Times t, double rate) {
        Map<String, Object> entry = new TreeMap<>();
        entry.put("name", name);
        entry.put("gigaflop", Stages.round(flops / 1e9));
        entry.put("medianMillis", Stages.round(t.median()));
        entry.put("p10Millis", Stages.round(t.low()));
        entry.put("p90Millis", Stages.round(t.high()));
        entry.put("gigaflops", Stages.round(rate));
        return entry;
    }

    private static HostTensor random(long... shape) {
        SplittableRandom random = new SplittableRandom(Shape.of(shape).hashCode());
        float[] values = new float[Math.toIntExact(HostTensor.elementCount(shape))];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (0.1 * random.nextGaussian());
        }
        return HostTensor.ofFloats(values, shape);
    }
}
