package io.teleworld.examples;

import io.teleworld.ModelSource;
import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.model.MemoryEstimate;
import io.teleworld.core.model.WanRelease;
import io.teleworld.core.network.FlopCounter;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.tensor.HostTensor;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * One block of a causal few-step generator at the sizes of a published model: what it takes in seconds and memory. The
 * weights are random; they come from files in the layout of a release, which are made first.
 */
@Command(
        name = "block",
        description = "Seconds and memory of one few-step block at the size of a published Wan model, random weights.")
final class BlockReport implements Callable<Integer> {

    private static final int FRAMES = 3;
    private static final int PIXELS_PER_LATENT = 8;
    private static final double GIB = 1L << 30;
    /** Where two runtimes count as equal: ‖a−b‖/‖b‖. */
    private static final double AGREE_FP32 = 1e-3;

    private static final Map<String, VideoTransformerConfig> SHAPES = Map.of(
            "1.3B", VideoTransformerConfig.wan13b(),
            "14B", VideoTransformerConfig.wan14b(),
            "tiny", RandomRelease.tiny());

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(names = "--model-shape", paramLabel = "NAME", description = "1.3B, the default, 14B or tiny.")
    String shape = "1.3B";

    @Option(names = "--runtime", paramLabel = "NAME", description = "onnx, the default, or djl.")
    String runtimeName = "onnx";

    @Option(names = "--precision", paramLabel = "P", description = "fp32, the default, fp16, bf16 or int8_linear.")
    Precision precision = Precision.FP32;

    @Option(
            names = "--layers",
            paramLabel = "N",
            description = "Blocks of the transformer; those of the model by default.")
    int layers;

    @Option(names = "--height", paramLabel = "PIXELS", description = "Height of the video; 480 by default.")
    int height = 480;

    @Option(names = "--width", paramLabel = "PIXELS", description = "Width of the video; 832 by default.")
    int width = 832;

    @Option(
            names = "--blocks",
            paramLabel = "N",
            description = "Blocks of 3 latent frames, one after the other; 1 by default.")
    int blocks = 1;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads of one operator; 0, the default, takes all cores.")
    int threads;

    @Option(names = "--seed", paramLabel = "N", description = "Seed of weights, text and noise; 0 by default.")
    long seed;

    @Option(names = "--limit", paramLabel = "GIB", description = "Memory that may be used at most; 20 GiB by default.")
    double limit = 20;

    @Option(
            names = "--release",
            paramLabel = "DIR",
            description =
                    "Where the random weights lie. They are written if they are missing, and kept. By default they"
                            + " go to a temporary folder and are deleted at the end.")
    @Nullable
    Path release;

    @Option(names = "--save", paramLabel = "FILE", description = "Writes the result, for --compare.")
    @Nullable
    Path save;

    @Option(names = "--compare", paramLabel = "FILE", description = "Compares the result with one that --save wrote.")
    @Nullable
    Path compare;

    @Option(names = "--out", paramLabel = "DIR", description = "Where the JSON file is put; target/eval by default.")
    Path out = Path.of("target", "eval");

    @Override
    public Integer call() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        VideoTransformerConfig config = config(command);
        Output.folder(out);
        PrintWriter writer = command.commandLine().getOut();
        Report report = new Report(command.name(), writer);
        Path folder = release;
        if (folder != null) {
            measure(report, config, folder);
        } else {
            try (TemporaryFolder temporary = TemporaryFolder.create("teleworld-block")) {
                measure(report, config, temporary.path());
            }
        }
        report.write(out);
        return Cli.OK;
    }

    private VideoTransformerConfig config(CommandSpec command) {
        VideoTransformerConfig config = SHAPES.get(shape);
        if (config == null) {
            throw Cli.badArgument(command, "--model-shape is " + shape + "; known are 1.3B, 14B and tiny");
        }
        int multiple = PIXELS_PER_LATENT * config.patchSize().get(1);
        if (height < 1 || width < 1 || height % multiple != 0 || width % multiple != 0) {
            throw Cli.badArgument(
                    command,
                    "--height and --width are " + height + " and " + width + "; they must be multiples of " + multiple);
        }
        if (blocks < 1 || threads < 0 || layers < 0 || !(limit > 0)) {
            throw Cli.badArgument(
                    command,
                    "--blocks is " + blocks + ", --threads " + threads + ", --layers " + layers + ", --limit " + limit
                            + "; at least 1, 0, 0 (those of the model) and more than 0 are allowed");
        }
        return layers == 0 ? config : config.withLayers(layers);
    }

    private void measure(Report report, VideoTransformerConfig config, Path folder) {
        int rows = height / PIXELS_PER_LATENT;
        int columns = width / PIXELS_PER_LATENT;
        Graph graph = VideoTransformer.cachedGraph(config, rows, columns, FRAMES * blocks);
        describe(report, config, graph, rows, columns);
        MemoryEstimate estimate = MemoryEstimate.of(graph, precision, Map.of("frames", (long) FRAMES));
        long available = MemoryEstimate.availableBytes();
        report.line(
                "memory needed: about %.2f GiB (weights %.2f, caches %.2f, one run %.2f); available: %.2f GiB",
                estimate.totalBytes() / GIB,
                estimate.weightBytes() / GIB,
                estimate.stateBytes() / GIB,
                estimate.activationBytes() / GIB,
                available / GIB);
        report.put("estimate", estimate);
        report.put("availableBytes", available);
        estimate.require("The block", Math.min(available, (long) (limit * GIB)));

        RandomRelease random = new RandomRelease(config, seed);
        long begun = System.nanoTime();
        String written = random.writeIfMissing(folder);
        report.line("weights: %s, %s (%.1f s)", folder, written, since(begun));
        begun = System.nanoTime();
        WanRelease wan = WanRelease.open(ModelSource.directory(folder));
        RuntimeRegistry registry = RuntimeRegistry.load(BlockReport.class.getClassLoader());
        try (TensorRuntime runtime = registry.get(runtimeName).create(new RuntimeOptions(Device.CPU, threads));
                Scope scope = Scope.root("block")) {
            Program program =
                    scope.adopt(runtime.compile(graph, wan.transformer().weights(), precision));
            double loaded = since(begun);
            report.line("%s: loaded in %.1f s, %s", runtime, loaded, resident());
            report.put("runtime", runtime.toString());
            report.put("loadSeconds", Stages.round(loaded));
            HostTensor text = random.text();
            Generation generation =
                    new Generation(program, program.newState(scope), scope, text, rows, columns, report);
            finish(report, generation.run(config, blocks, random));
        }
    }

    private void describe(Report report, VideoTransformerConfig config, Graph graph, int rows, int columns) {
        int perFrame = config.tokensPerFrame(rows, columns);
        long flops = FlopCounter.count(graph, Map.of("frames", (long) FRAMES, RooflineReport.visibleSymbol(graph), 0L));
        String text = String.format(
                Locale.ROOT,
                "%s: %d layers, %d wide, %d heads of %d, feed-forward %d, text %d × %d; %,d parameters",
                shape,
                config.numLayers(),
                config.width(),
                config.numAttentionHeads(),
                config.attentionHeadDim(),
                config.ffnDim(),
                config.textLen(),
                config.textDim(),
                FlopCounter.parameters(graph));
        report.line("%s", text);
        report.line(
                "%d block(s) of %d latent frames at %d×%d pixels: %,d tokens, %.2f TFLOP per pass, %s",
                blocks, FRAMES, height, width, FRAMES * perFrame, flops / 1e12, precision);
        report.put("model", text);
        report.put("parameters", FlopCounter.parameters(graph));
        report.put("tokens", FRAMES * perFrame);
        report.put("flopsPerPass", flops);
        report.put("precision", precision);
    }

    private static double since(long begun) {
        return (System.nanoTime() - begun) / 1e9;
    }

    private static String resident() {
        OptionalLong now = Machine.residentBytes();
        OptionalLong files = Machine.residentFileBytes();
        OptionalLong peak = Machine.peakResidentBytes();
        return now.isEmpty() || files.isEmpty() || peak.isEmpty()
                ? "memory unknown"
                : String.format(
                        Locale.ROOT,
                        "resident %.2f GiB (mapped files %.2f), at most so far %.2f GiB",
                        now.getAsLong() / GIB,
                        files.getAsLong() / GIB,
                        peak.getAsLong() / GIB);
    }

    /** The loop of a causal few-step generator: noise to clean latents in a few passes, and one more to fill the cache. */
    private record Generation(
            Program program, ProgramState state, Scope scope, HostTensor text, int rows, int columns, Report report) {

        HostTensor run(VideoTransformerConfig config, int blocks, RandomRelease random) {
            FewStepSampler sampler =
                    FewStepSampler.of(new FlowMatchScheduler(1000, 5), List.of(1000, 750, 500, 250), true);
            SplittableRandom noise = random.noise();
            int block = config.latentChannels() * FRAMES * rows * columns;
            float[] all = new float[block * blocks];
            List<Double> seconds = new ArrayList<>();
            long begun = System.nanoTime();
            for (int n = 0; n < blocks; n++) {
                int first = FRAMES * n;
                List<Integer> ids = List.of(first, first + 1, first + 2);
                RunOptions see = RunOptions.DEFAULT.withVisible(
                        VideoTransformer.CACHE_GROUP, state.frames(VideoTransformer.CACHE_GROUP));
                float[] start = new float[block];
                RandomRelease.fill(start, noise);
                float[] clean = sampler.sample(
                        start,
                        (x, t, step) -> pass("step " + (step + 1), x, t, first, see, seconds),
                        fresh -> RandomRelease.fill(fresh, noise));
                RunOptions keep = see.withWritten(VideoTransformer.CACHE_GROUP, ids);
                pass("into the cache", clean, 0, first, keep, seconds);
                System.arraycopy(clean, 0, all, n * block, block);
            }
            double total = since(begun);
            report.line(
                    "%d passes in %.1f s, %.1f s per block; caches %.2f GiB",
                    seconds.size(), total, total / blocks, state.sizeBytes() / GIB);
            report.put("secondsPerPass", seconds);
            report.put("totalSeconds", Stages.round(total));
            return HostTensor.ofFloats(all, blocks, config.latentChannels(), FRAMES, rows, columns);
        }

        private float[] pass(
                String what, float[] x, double timestep, int first, RunOptions options, List<Double> seconds) {
            float[] t = new float[FRAMES];
            Arrays.fill(t, (float) timestep);
            float[] positions = {first, first + 1, first + 2};
            int channels = x.length / (FRAMES * rows * columns);
            Map<String, HostTensor> inputs = Map.of(
                    "latents", HostTensor.ofFloats(x, 1, channels, FRAMES, rows, columns),
                    "timestep", HostTensor.ofFloats(t, 1, FRAMES),
                    "positions", HostTensor.ofFloats(positions, FRAMES),
                    "text", text);
            long begun = System.nanoTime();
            try (Scope one = scope.child("pass")) {
                float[] v = Objects.requireNonNull(
                                program.run(inputs, state, options, one).get("velocity"))
                        .toFloatArray();
                seconds.add(Stages.round(since(begun)));
                report.line(
                        "frames %d to %d, %s at timestep %.1f: %.1f s, %s",
                        first, first + FRAMES - 1, what, timestep, since(begun), resident());
                return v;
            }
        }
    }

    // ------------------------------------------------------------------------------------------ result

    private void finish(Report report, HostTensor result) {
        float[] latents = result.toFloatArray();
        double sum = 0;
        boolean finite = true;
        for (float v : latents) {
            finite &= Float.isFinite(v);
            sum += (double) v * v;
        }
        report.line("result: finite %s, root mean square %.4f", Report.yesNo(finite), Math.sqrt(sum / latents.length));
        report.put("finite", finite);
        OptionalLong peak = Machine.peakResidentBytes();
        if (peak.isPresent()) {
            boolean within = peak.getAsLong() <= limit * GIB;
            report.line(
                    "peak resident memory of the process, mapped files included: %.2f GiB, within %.0f GiB: %s",
                    peak.getAsLong() / GIB, limit, Report.yesNo(within));
            report.put("peakResidentBytes", peak.getAsLong());
            report.put("withinLimit", within);
        }
        Path to = save;
        if (to != null) {
            try {
                Safetensors.write(to, new TreeMap<>(Map.of("latents", result)), Map.of("runtime", runtimeName));
            } catch (IOException e) {
                throw new TeleWorldException(Category.USER, to + ": cannot be written", e);
            }
        }
        Path with = compare;
        if (with != null) {
            compare(report, result, with);
        }
    }

    private static void compare(Report report, HostTensor result, Path with) {
        Safetensors other = Safetensors.open(with);
        if (!other.names().contains("latents") || !Arrays.equals(other.shape("latents"), result.shape())) {
            throw new TeleWorldException(
                    Category.USER, with + " holds no latents of shape " + Arrays.toString(result.shape()));
        }
        float[] a = result.toFloatArray();
        float[] b = other.tensor("latents").toFloatArray();
        double difference = 0;
        double norm = 0;
        double largest = 0;
        for (int i = 0; i < a.length; i++) {
            double d = a[i] - b[i];
            difference += d * d;
            norm += (double) b[i] * b[i];
            largest = Math.max(largest, Math.abs(d));
        }
        double relative = Math.sqrt(difference / norm);
        report.line(
                "against %s (%s): relative error %.2e, largest difference %.2e; equal in fp32 (below %.0e): %s",
                with,
                other.metadata().getOrDefault("runtime", "?"),
                relative,
                largest,
                AGREE_FP32,
                Report.yesNo(relative < AGREE_FP32));
        report.put("relativeError", relative);
        report.put("largestDifference", largest);
    }
}
