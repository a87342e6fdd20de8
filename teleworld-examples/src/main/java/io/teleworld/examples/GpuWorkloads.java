package io.teleworld.examples;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.diffusion.FlowMatchScheduler;
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
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WindowTransformer;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.cuda.CudaProfiler;
import io.teleworld.cuda.RunTimes;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.runtime.PreparedSequence;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RunSequence;
import io.teleworld.runtime.Scope;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The workloads of {@link GpuReport} on one runtime in one precision, beside a baseline if there is one. The same weights
 * and inputs on both. Confined to one thread.
 */
final class GpuWorkloads {

    /** All names, in the order in which they are run. */
    static final List<String> NAMES = List.of("product", "block", "decode", "upscale", "groups", "18B");

    /** Names of entries that {@link SchedulePrediction} looks for. */
    static final String DECODE_ONE = "TAEHV decoder, 1 latent frames";

    static final String UPSCALE = "super-resolution, 4 pictures";
    static final String STAGE_OF_18B = "18B, ";
    static final String PLAIN = "no guidance";
    static final String ONCE = "guidance K/V once";
    static final String EACH = "guidance in each pass";

    private static final int BLOCK = 3;
    private static final int STEPS = 4;
    private static final int PIXELS_PER_LATENT = 8;
    private static final int PICTURES_PER_LATENT = 4;
    private static final int PRODUCTS = 8;
    private static final int PROFILED = 3;

    /** Layers of the 18B shape: 14B's width of 5120 with 51 layers has 17.9 billion weights in its layers. */
    private static final int LAYERS_18B = 51;

    private final Report report;
    private final GpuSide own;
    private final @Nullable GpuSide baseline;
    private final GpuRuns runs;
    private final List<Integer> contexts;
    private final boolean tiny;
    private final List<Map<String, Object>> entries;
    private final boolean profile;
    /** The highest rate of a matrix product that was profiled in this session, in operations per second. */
    private double peak;

    GpuWorkloads(
            Report report,
            GpuSide own,
            @Nullable GpuSide baseline,
            GpuRuns runs,
            List<Integer> contexts,
            boolean tiny,
            boolean profile,
            List<Map<String, Object>> entries) {
        this.report = report;
        this.own = own;
        this.baseline = baseline;
        this.runs = runs;
        this.contexts = List.copyOf(contexts);
        this.tiny = tiny;
        this.profile = profile;
        this.entries = entries;
    }

    /** Device time of the first lane by class of kernels, step by step; only programs of the CUDA runtime tell it. */
    private void profile(String name, List<Program> programs, GpuRuns.Work lane) {
        if (!profile) {
            return;
        }
        List<CudaProfiler> profilers = new ArrayList<>();
        programs.forEach(p -> CudaProfiler.attach(p).ifPresent(profilers::add));
        Map<CudaProfiler.Kind, CudaProfiler.Sum> sums = new EnumMap<>(CudaProfiler.Kind.class);
        try {
            if (profilers.isEmpty()) {
                report.line("%s: %s has no times of kernels", name, own.label());
                return;
            }
            runs.once(lane);
            profilers.forEach(CudaProfiler::take);
            for (int i = 0; i < PROFILED; i++) {
                runs.once(lane);
            }
            profilers.forEach(p -> p.take().forEach((kind, s) -> sums.merge(kind, s, GpuWorkloads::plus)));
        } finally {
            profilers.forEach(CudaProfiler::close);
        }
        double total =
                sums.values().stream().mapToDouble(CudaProfiler.Sum::millis).sum();
        CudaProfiler.Sum products = sums.get(CudaProfiler.Kind.PRODUCT);
        if (products != null) {
            peak = Math.max(peak, products.fastest());
        }
        List<List<String>> rows = new ArrayList<>();
        sums.forEach((kind, s) -> {
            double seconds = s.millis() / 1e3;
            rows.add(List.of(
                    kind.name().toLowerCase(Locale.ROOT),
                    Long.toString(s.steps() / PROFILED),
                    Report.text(s.millis() / PROFILED),
                    Report.text(100 * s.millis() / total),
                    s.flops() == 0 ? "–" : Report.text(s.flops() / seconds / 1e12),
                    s.flops() == 0 || peak == 0 ? "–" : Report.text(100 * s.flops() / seconds / peak),
                    Report.text(s.bytes() / seconds / 1e9)));
            Map<String, Object> entry = entry(name + ", " + kind, own);
            entry.put("steps", s.steps() / PROFILED);
            entry.put("deviceMillis", Stages.round(s.millis() / PROFILED));
            entry.put("share", Stages.round(s.millis() / total));
            entry.put("teraflopsPerSecond", Stages.round(s.flops() / seconds / 1e12));
            entry.put("shareOfProductPeak", peak == 0 ? Double.NaN : Stages.round(s.flops() / seconds / peak));
            entry.put("gigabytesPerSecond", Stages.round(s.bytes() / seconds / 1e9));
            entries.add(entry);
        });
        report.line(
                "%s: device time by class, %.2f ms, each step by itself; peak is the fastest product so far, %.1f TFLOP/s",
                name, total / PROFILED, peak / 1e12);
        report.table(List.of("class", "steps", "ms", "% of time", "TFLOP/s", "% of peak", "GB/s"), rows);
    }

    /** Host and device time per block of the first lane; only sequences of the CUDA runtime tell it. */
    private void hostTime(String name, Optional<RunTimes> times) {
        if (times.isEmpty()) {
            return;
        }
        HostShare s = HostShare.of(times.get());
        report.line("%s, %s: %s", name, own.label(), s.text());
        Map<String, Object> entry = entry(name + ", host time", own);
        entry.put("deviceMillis", Stages.round(s.deviceMillis()));
        entry.put("hostMillis", Stages.round(s.hostMillis()));
        entry.put("hostShare", Stages.round(s.share()));
        entries.add(entry);
    }

    /**
     * Host time beside device time of a block.
     *
     * @param blocks how many were replayed
     * @param deviceMillis device time per block
     * @param hostMillis the runtime's own time per block, waiting not included
     */
    record HostShare(long blocks, double deviceMillis, double hostMillis) {

        /** The most that host time may be of device time. */
        private static final double TARGET = 0.02;

        static HostShare of(RunTimes t) {
            return new HostShare(t.runs(), t.deviceNanos() / 1e6 / t.runs(), t.hostNanos() / 1e6 / t.runs());
        }

        double share() {
            return hostMillis / deviceMillis;
        }

        String text() {
            if (blocks == 0 || !(deviceMillis > 0)) {
                return "host ms and device ms unknown: no run was replayed";
            }
            return String.format(
                    Locale.ROOT,
                    "host ms %.3f, device ms %.2f a block, host %.2f %% of device (target ≤ %.0f %%: %s)",
                    hostMillis,
                    deviceMillis,
                    100 * share(),
                    100 * TARGET,
                    share() <= TARGET ? "met" : "missed");
        }
    }

    private static CudaProfiler.Sum plus(CudaProfiler.Sum a, CudaProfiler.Sum b) {
        return new CudaProfiler.Sum(
                a.steps() + b.steps(),
                a.millis() + b.millis(),
                a.flops() + b.flops(),
                a.bytes() + b.bytes(),
                Math.max(a.fastest(), b.fastest()));
    }

    /** Runs one of {@link #NAMES}; a failure is reported and does not hide the figures of the others. */
    void run(String workload) {
        report.line("-- %s on %s", workload, own.label());
        try {
            switch (workload) {
                case "product" -> beside(this::product);
                case "block" -> beside(this::block);
                case "groups" -> groups("1.3B", small(VideoTransformerConfig.wan13b()), List.of(PLAIN, ONCE, EACH));
                case "decode" -> beside(this::decode);
                case "upscale" -> beside(this::upscale);
                case "18B" ->
                    groups("18B", small(VideoTransformerConfig.wan14b().withLayers(LAYERS_18B)), List.of(PLAIN, ONCE));
                default -> throw new IllegalArgumentException(workload);
            }
        } catch (TeleWorldException e) {
            failed(workload, own, e);
        } catch (GpuRuns.LaneException e) {
            failed(workload, own, e);
        }
    }

    private void failed(String workload, GpuSide side, Exception e) {
        report.line("%s on %s: failed: %s", workload, side.label(), String.valueOf(e.getMessage()));
        Map<String, Object> entry = entry(workload, side);
        entry.put("failed", String.valueOf(e.getMessage()));
        entries.add(entry);
    }

    // ------------------------------------------------------------------------------------------ beside a baseline

    private interface Workload {
        void on(List<GpuSide> sides);
    }

    /** Failures of the baseline while both are there; it is then tried alone. */
    private static final class BaselineException extends RuntimeException {
        private static final long serialVersionUID = 1;

        BaselineException(Exception cause) {
            super(cause.getMessage(), cause);
        }
    }

    private void beside(Workload work) {
        GpuSide other = baseline;
        if (other == null) {
            work.on(List.of(own));
            return;
        }
        try {
            work.on(List.of(own, other));
        } catch (BaselineException e) {
            report.line(
                    "%s failed beside %s (%s); now one after the other",
                    other.label(), own.label(), String.valueOf(e.getMessage()));
            work.on(List.of(own));
            try {
                work.on(List.of(other));
            } catch (TeleWorldException | GpuRuns.LaneException alone) {
                failed("baseline", other, alone);
            }
        }
    }

    /** Makes something for each side; knows whose failure it was. */
    private <T> List<T> prepare(List<GpuSide> sides, java.util.function.Function<GpuSide, T> make) {
        List<T> out = new ArrayList<>();
        for (GpuSide side : sides) {
            try {
                out.add(make.apply(side));
            } catch (TeleWorldException e) {
                if (side.equals(own)) {
                    throw e;
                }
                throw baselineFailed(sides, e);
            }
        }
        return out;
    }

    private RuntimeException baselineFailed(List<GpuSide> sides, TeleWorldException e) {
        return sides.size() > 1 ? new BaselineException(e) : e;
    }

    private List<List<GpuTimes>> take(List<GpuRuns.Work> lanes, int parts) {
        try {
            return runs.take(lanes, parts);
        } catch (GpuRuns.LaneException e) {
            if (e.lane() > 0) {
                throw new BaselineException(e);
            }
            throw e;
        }
    }

    // ------------------------------------------------------------------------------------------ workloads

    private VideoTransformerConfig small(VideoTransformerConfig config) {
        return tiny ? RandomRelease.tiny() : config;
    }

    private int latentHeight() {
        return (tiny ? 32 : 480) / PIXELS_PER_LATENT;
    }

    private int latentWidth() {
        return (tiny ? 48 : 832) / PIXELS_PER_LATENT;
    }

    /** Large products of weights with weights, so that next to nothing is copied. */
    private void product(List<GpuSide> sides) {
        int n = tiny ? 64 : 8192;
        GraphBuilder g = new GraphBuilder("product");
        Value sum = g.input("x", DType.F32, Dim.of(n));
        Value a = g.parameter("a", 1, n, n);
        Value w = g.parameter("w", n, n);
        for (int i = 0; i < PRODUCTS; i++) {
            sum = g.add(sum, g.reduceSum(g.linear(a, w, null), false, 0, 1));
        }
        g.output("y", sum);
        Graph graph = g.build();
        try (Scope scope = Scope.root("product")) {
            List<Program> programs = prepare(sides, side -> side.compile(graph, 1, scope));
            List<GpuRuns.Work> lanes = new ArrayList<>();
            programs.forEach(p ->
                    lanes.add(simple(p, p.newState(scope), Map.of("x", GpuSide.zeros(n)), RunOptions.DEFAULT, scope)));
            profile("product " + n + "³", List.of(programs.get(0)), lanes.get(0));
            figures(
                    PRODUCTS + " products " + n + "³ with column sums",
                    sides,
                    take(lanes, 1),
                    0,
                    PRODUCTS * 2.0 * n * n * n,
                    0);
        }
    }

    private GpuRuns.Work simple(
            Program p, ProgramState state, Map<String, ? extends Tensor> in, RunOptions options, Scope scope) {
        return laps -> {
            try (Scope run = scope.child("run")) {
                GpuSide.finish(GpuSide.run(p, in, state, options, run));
            }
            laps.end();
        };
    }

    /** What a side needs for blocks of any context. */
    private record Blocks(
            Program program,
            Program decoder,
            ProgramState decoding,
            List<Map<String, Tensor>> passes,
            HostTensor noise) {}

    /** A block of few-step generation: four denoising steps, the pass into the cache, and the decoder. */
    private void block(List<GpuSide> sides) {
        VideoTransformerConfig config = small(VideoTransformerConfig.wan13b());
        VideoAutoencoderConfig vae = VideoAutoencoderConfig.taehv();
        int most = contexts.stream().mapToInt(Integer::intValue).max().orElse(BLOCK);
        Graph graph = Grafts.step(config, latentHeight(), latentWidth(), most);
        Graph decoderGraph = Grafts.pictures(vae, latentHeight(), latentWidth());
        int frames = BLOCK * PICTURES_PER_LATENT;
        double decoding = flops(decoderGraph, Map.of("frames", (long) BLOCK));
        try (Scope scope = Scope.root("block")) {
            List<Blocks> made = prepare(sides, side -> {
                Program decoder = side.compile(decoderGraph, 3, scope);
                List<Map<String, Tensor>> passes = passes(side, config, scope);
                HostTensor noise =
                        (HostTensor) Objects.requireNonNull(passes.get(0).get("latents"), "latents");
                return new Blocks(side.compile(graph, 2, scope), decoder, decoder.newState(scope), passes, noise);
            });
            for (int k : contexts) {
                String name = "1.3B block of 3, K = " + k;
                List<ProgramState> states = new ArrayList<>();
                List<PreparedSequence> latents = new ArrayList<>();
                List<PreparedSequence> pictures = new ArrayList<>();
                for (int i = 0; i < sides.size(); i++) {
                    Blocks b = made.get(i);
                    prepare(List.of(sides.get(i)), side -> {
                        ProgramState state = b.program().newState(scope);
                        states.add(state);
                        fill(b, state, k - BLOCK, scope);
                        latents.add(sequence(side, b, state, k, false, scope));
                        return pictures.add(sequence(side, b, state, k, true, scope));
                    });
                }
                double flops =
                        (STEPS + 1) * flops(graph, Map.of("frames", (long) BLOCK, visible(graph), (long) (k - BLOCK)));
                figures(name + ", transformer", sides, take(repetitions(latents), 1), 0, flops, frames);
                Optional<RunTimes> before = RunTimes.of(pictures.get(0));
                List<List<GpuTimes>> times = take(repetitions(pictures), 1);
                hostTime(name, RunTimes.of(pictures.get(0)).flatMap(t -> before.map(t::since)));
                figures(name + ", to RGB in host memory", sides, times, 0, flops + decoding, frames);
                profile(
                        name,
                        List.of(made.get(0).program(), made.get(0).decoder()),
                        block(made.get(0), states.get(0), k, scope));
                difference(k, sides, made, states, scope);
                latents.forEach(PreparedSequence::close);
                pictures.forEach(PreparedSequence::close);
                states.forEach(ProgramState::close);
            }
        }
    }

    /**
     * A block as one sequence: the denoising steps, the pass into the cache, and, if pictures are wanted, the decoder.
     * Latents and noise come from the host each time.
     */
    private PreparedSequence sequence(
            GpuSide side, Blocks b, ProgramState state, int k, boolean pictures, Scope scope) {
        RunOptions step = RunOptions.DEFAULT.withVisible(
                VideoTransformer.CACHE_GROUP,
                IntStream.range(0, k - BLOCK).boxed().toList());
        RunOptions write = step.withWritten(
                VideoTransformer.CACHE_GROUP,
                IntStream.range(k - BLOCK, k).boxed().toList());
        Shape shape = Shape.of(b.noise().shape());
        List<RunSequence.Run> runs = new ArrayList<>();
        RunSequence.Source x = new RunSequence.Given("latents", DType.F32, shape);
        for (int i = 0; i <= STEPS; i++) {
            Map<String, RunSequence.Source> in = new HashMap<>();
            b.passes().get(i).forEach((input, value) -> in.put(input, new RunSequence.Fixed(value)));
            in.put("latents", x);
            in.put("noise", new RunSequence.Given("noise " + i, DType.F32, shape));
            runs.add(new RunSequence.Run(b.program(), state, i < STEPS ? step : write, in));
            if (i < STEPS) {
                x = new RunSequence.Result(i, "latents");
            }
        }
        RunSequence.Result output = (RunSequence.Result) x;
        if (pictures) {
            runs.add(new RunSequence.Run(b.decoder(), b.decoding(), RunOptions.DEFAULT, Map.of("latents", x)));
            output = new RunSequence.Result(STEPS + 1, "pixels");
        }
        PreparedSequence s = side.runtime().prepare(new RunSequence(runs, Map.of("output", output)), scope);
        put(s.input("latents"), b.noise());
        for (int i = 0; i <= STEPS; i++) {
            put(s.input("noise " + i), Objects.requireNonNull(b.passes().get(i).get("noise"), "noise"));
        }
        return s;
    }

    private static void put(HostTensor to, Tensor from) {
        to.mutableBuffer().put(0, from.hostBuffer(), 0, to.mutableBuffer().capacity());
    }

    private static List<GpuRuns.Work> repetitions(List<PreparedSequence> sequences) {
        List<GpuRuns.Work> out = new ArrayList<>();
        for (PreparedSequence s : sequences) {
            out.add(laps -> {
                s.run();
                laps.end();
            });
        }
        return out;
    }

    /** How far apart the velocities of two sides are, from the same noise with the same cache. */
    private void difference(int k, List<GpuSide> sides, List<Blocks> made, List<ProgramState> states, Scope scope) {
        if (sides.size() < 2) {
            return;
        }
        RunOptions step = RunOptions.DEFAULT.withVisible(
                VideoTransformer.CACHE_GROUP,
                IntStream.range(0, k - BLOCK).boxed().toList());
        List<float[]> results = new ArrayList<>();
        try (Scope run = scope.child("difference")) {
            for (int i = 0; i < sides.size(); i++) {
                Blocks b = made.get(i);
                Map<String, Tensor> in = GpuSide.changeable(b.passes().get(0));
                in.put("latents", b.noise());
                results.add(
                        GpuSide.run(b.program(), in, states.get(i), step, run).toFloatArray());
            }
        }
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < results.get(0).length; i++) {
            double e = results.get(1)[i];
            difference += Math.pow(results.get(0)[i] - e, 2);
            norm += e * e;
        }
        double relative = Math.sqrt(difference / norm);
        report.line(
                "K = %d: velocities differ by %.1e of their norm between %s and %s",
                k, relative, sides.get(0).label(), sides.get(1).label());
        Map<String, Object> entry = entry("1.3B block of 3, K = " + k + ", agreement", sides.get(0));
        entry.put("baseline", sides.get(1).label());
        entry.put("relativeDifference", relative);
        entries.add(entry);
    }

    /** Inputs of the passes of a block; what never changes is kept by the runtime. */
    private List<Map<String, Tensor>> passes(GpuSide side, VideoTransformerConfig config, Scope scope) {
        double[] timesteps = new FlowMatchScheduler(1000, 5).warp(List.of(1000, 750, 500, 250));
        SplittableRandom random = new SplittableRandom(7);
        Tensor text = side.resident(GpuSide.random(random, 1, config.textLen(), config.textDim()), scope);
        float[] positions = new float[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            positions[i] = i;
        }
        List<Map<String, Tensor>> out = new ArrayList<>();
        for (int i = 0; i <= STEPS; i++) {
            float[] t = new float[BLOCK];
            double now = i < STEPS ? timesteps[i] : 0;
            double next = i + 1 < STEPS ? timesteps[i + 1] : 0;
            java.util.Arrays.fill(t, (float) now);
            Map<String, Tensor> in = new HashMap<>();
            in.put("latents", GpuSide.random(random, 1, config.inChannels(), BLOCK, latentHeight(), latentWidth()));
            in.put("noise", GpuSide.random(random, 1, config.inChannels(), BLOCK, latentHeight(), latentWidth()));
            in.put("timestep", HostTensor.ofFloats(t, 1, BLOCK));
            in.put("positions", HostTensor.ofFloats(positions, BLOCK));
            in.put("text", text);
            in.put("sigma", GpuSide.scalar(now / 1000));
            in.put("next", GpuSide.scalar(next / 1000));
            out.add(in);
        }
        return out;
    }

    /** The same as {@link #sequence}, run by run, so that its steps can be timed. */
    private GpuRuns.Work block(Blocks b, ProgramState state, int k, Scope scope) {
        RunOptions step = RunOptions.DEFAULT.withVisible(
                VideoTransformer.CACHE_GROUP,
                IntStream.range(0, k - BLOCK).boxed().toList());
        RunOptions write = step.withWritten(
                VideoTransformer.CACHE_GROUP,
                IntStream.range(k - BLOCK, k).boxed().toList());
        return laps -> {
            try (Scope run = scope.child("block")) {
                Tensor x = b.noise();
                for (int i = 0; i < STEPS; i++) {
                    Map<String, Tensor> in = b.passes().get(i);
                    in.put("latents", x);
                    x = GpuSide.run(b.program(), in, state, step, run);
                }
                Map<String, Tensor> last = b.passes().get(STEPS);
                last.put("latents", x);
                GpuSide.finish(GpuSide.run(b.program(), last, state, write, run));
                GpuSide.finish(GpuSide.run(b.decoder(), Map.of("latents", x), b.decoding(), RunOptions.DEFAULT, run));
                laps.end();
            }
        };
    }

    /** Puts frames 0 to count − 1 into the cache, a block at a time. */
    private static void fill(Blocks b, ProgramState state, int count, Scope scope) {
        List<Integer> held = new ArrayList<>();
        Map<String, Tensor> in = GpuSide.changeable(b.passes().get(STEPS));
        in.put("latents", b.noise());
        while (held.size() < count) {
            List<Integer> ids =
                    IntStream.range(held.size(), held.size() + BLOCK).boxed().toList();
            try (Scope run = scope.child("fill")) {
                GpuSide.finish(GpuSide.run(
                        b.program(),
                        in,
                        state,
                        RunOptions.DEFAULT
                                .withVisible(VideoTransformer.CACHE_GROUP, List.of())
                                .withWritten(VideoTransformer.CACHE_GROUP, ids),
                        run));
            }
            held.addAll(ids);
        }
    }

    /** All passes of a segment of ten: one given frame, then nine in three stages. */
    private void groups(String name, VideoTransformerConfig config, List<String> modes) {
        for (String how : modes) {
            TimestepMode mode = how.equals(EACH) ? TimestepMode.SAME : TimestepMode.CLEAN;
            GuidanceConfig guidance =
                    new GuidanceConfig(Layout.PAIRED, Order.GUIDANCE_FIRST, 0, mode, 0, false, Holes.GREY);
            SegmentLayout layout = new SegmentLayout(
                    new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0), guidance, !how.equals(PLAIN));
            int capacity = layout.passes().stream()
                    .filter(Pass::written)
                    .mapToInt(p -> p.frames().size())
                    .sum();
            Graph graph = VideoTransformer.cachedGraph(config, latentHeight(), latentWidth(), Math.max(1, capacity));
            try (Scope scope = Scope.root("groups")) {
                stages(name + ", " + how, own.compile(graph, 4, scope), config, layout, scope);
            }
        }
    }

    private void stages(
            String name, Program program, VideoTransformerConfig config, SegmentLayout layout, Scope scope) {
        ProgramState state = program.newState(scope);
        SplittableRandom random = new SplittableRandom(7);
        Tensor text = own.resident(GpuSide.random(random, 1, config.textLen(), config.textDim()), scope);
        Map<Integer, Double> millis = new LinkedHashMap<>();
        for (Pass pass : layout.passes()) {
            int frames = pass.frames().size();
            RunOptions see = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, pass.visible());
            RunOptions options = pass.written() ? see.withWritten(VideoTransformer.CACHE_GROUP, pass.ids()) : see;
            Map<String, Tensor> in = new HashMap<>();
            in.put("latents", GpuSide.random(random, 1, config.inChannels(), frames, latentHeight(), latentWidth()));
            in.put("timestep", GpuSide.zeros(1, frames));
            in.put("positions", GpuSide.zeros(frames));
            in.put("text", text);
            int times = pass.kind() == PassKind.NOISY ? STEPS : 1;
            GpuTimes t = runs.take(
                            List.of(laps -> {
                                try (Scope run = scope.child("pass")) {
                                    for (int i = 0; i < times; i++) {
                                        GpuSide.finish(GpuSide.run(program, in, state, options, run));
                                    }
                                }
                                laps.end();
                            }),
                            1)
                    .get(0)
                    .get(0);
            double flops = times
                    * flops(program.graph(), Map.of("frames", (long) frames, visible(program.graph()), (long)
                            pass.visible().size()));
            figure(
                    name + ": " + pass.kind() + " of stage " + pass.stage() + ", " + frames + " frames see "
                            + pass.visible().size(),
                    own,
                    t,
                    flops,
                    0);
            // What is given is put into the cache before planning can begin.
            millis.merge(Math.max(0, pass.stage()), t.median(), Double::sum);
        }
        millis.forEach((stage, ms) -> {
            report.line("%s: stage %d takes %.2f ms", name, stage, ms);
            Map<String, Object> entry = entry(name + ": stage " + stage, own);
            entry.put("stageMillis", Stages.round(ms));
            entries.add(entry);
        });
    }

    private void decode(List<GpuSide> sides) {
        VideoAutoencoderConfig vae = VideoAutoencoderConfig.taehv();
        Graph graph = Grafts.pictures(vae, latentHeight(), latentWidth());
        try (Scope scope = Scope.root("decode")) {
            List<Program> programs = prepare(sides, side -> side.compile(graph, 5, scope));
            for (int n : List.of(1, BLOCK)) {
                HostTensor x = GpuSide.random(
                        new SplittableRandom(7), 1, vae.latentChannels(), n, latentHeight(), latentWidth());
                List<GpuRuns.Work> lanes = new ArrayList<>();
                programs.forEach(
                        p -> lanes.add(simple(p, p.newState(scope), Map.of("latents", x), RunOptions.DEFAULT, scope)));
                figures(
                        n == 1 ? DECODE_ONE : "TAEHV decoder, " + n + " latent frames",
                        sides,
                        take(lanes, 1),
                        0,
                        flops(graph, Map.of("frames", (long) n)),
                        n * PICTURES_PER_LATENT);
            }
        }
    }

    /** To 1024×1792, of which 960×1760 are shown. */
    private void upscale(List<GpuSide> sides) {
        SuperResolutionConfig config = tiny ? SuperResolutionConfig.nano() : superResolution();
        int height = tiny ? 32 : 512;
        int width = tiny ? 32 : 896;
        Graph graph = Grafts.enlarged(config, height, width, tiny ? 60 : 960, tiny ? 56 : 1760);
        Map<String, HostTensor> in = Map.of(
                "frames",
                GpuSide.random(new SplittableRandom(7), SuperResolutionConfig.GROUP, 3, height, width),
                "position",
                GpuSide.zeros(1));
        int slabs = config.transformer().cachedSlabs();
        RunOptions options = RunOptions.DEFAULT.withVisible(
                WindowTransformer.CACHE_GROUP, IntStream.range(0, slabs).boxed().toList());
        try (Scope scope = Scope.root("upscale")) {
            List<Program> programs = new ArrayList<>();
            List<GpuRuns.Work> lanes = prepare(sides, side -> {
                Program p = side.compile(graph, 6, scope);
                programs.add(p);
                ProgramState state = p.newState(scope);
                for (int id = 0; id < slabs; id++) {
                    try (Scope run = scope.child("fill")) {
                        GpuSide.finish(GpuSide.run(
                                p,
                                in,
                                state,
                                RunOptions.DEFAULT
                                        .withVisible(
                                                WindowTransformer.CACHE_GROUP,
                                                IntStream.range(0, id).boxed().toList())
                                        .withWritten(WindowTransformer.CACHE_GROUP, List.of(id)),
                                run));
                    }
                }
                return simple(p, state, in, options, scope);
            });
            profile(UPSCALE, List.of(programs.get(0)), lanes.get(0));
            figures(
                    UPSCALE,
                    sides,
                    take(lanes, 1),
                    0,
                    flops(graph, slabs == 0 ? Map.of() : Map.of(visible(graph), (long) slabs)),
                    SuperResolutionConfig.GROUP);
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

    // ------------------------------------------------------------------------------------------ figures

    private static String visible(Graph graph) {
        return RooflineReport.visibleSymbol(graph);
    }

    private static double flops(Graph graph, Map<String, Long> extents) {
        Map<String, Long> all = new HashMap<>(extents);
        graph.inputSymbols().forEach(s -> all.putIfAbsent(s, 1L));
        return FlopCounter.count(graph, all);
    }

    private static Map<String, Object> entry(String name, GpuSide side) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("name", name);
        entry.put("runtime", side.runtime().name());
        entry.put("precision", side.precision().name());
        return entry;
    }

    private void figures(
            String name, List<GpuSide> sides, List<List<GpuTimes>> times, int part, double flops, int frames) {
        for (int i = 0; i < sides.size(); i++) {
            figure(name, sides.get(i), times.get(i).get(part), flops, frames);
        }
        if (sides.size() > 1) {
            GpuTimes first = times.get(0).get(part);
            GpuTimes second = times.get(1).get(part);
            GpuTimes.Ratio r = first.slowdownOf(second);
            report.line(
                    "%s: %s takes %s times as long as %s (95 %% interval, in turns in one process)",
                    name, sides.get(1).label(), r, sides.get(0).label());
            Map<String, Object> entry = entry(name, sides.get(0));
            entry.put("baseline", sides.get(1).label());
            entry.put("timesFaster", Stages.round(r.ratio()));
            entry.put("timesFasterLower", Stages.round(r.lower()));
            entry.put("timesFasterUpper", Stages.round(r.upper()));
            entries.add(entry);
        }
    }

    private void figure(String name, GpuSide side, GpuTimes t, double flops, int frames) {
        double rate = flops / t.median() / 1e9;
        report.line(
                "%s, %s: %s, %.1f TFLOP/s%s; %,d Java bytes each",
                name,
                side.label(),
                t.text(),
                rate,
                frames == 0 ? "" : ", " + Report.text(1e3 * frames / t.median()) + " frames/s",
                t.allocatedBytes());
        Map<String, Object> entry = entry(name, side);
        entry.putAll(t.entries());
        entry.put("teraflop", Stages.round(flops / 1e12));
        entry.put("teraflopsPerSecond", Stages.round(rate));
        if (frames > 0) {
            entry.put("framesPerSecond", Stages.round(1e3 * frames / t.median()));
        }
        entries.add(entry);
    }
}
