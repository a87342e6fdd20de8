package io.teleworld.training;

import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Objective;
import io.teleworld.training.recipe.TrainingLoop;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchNative;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Options of every command that trains. */
final class LoopArguments {

    enum PrecisionChoice {
        FP32,
        BF16
    }

    /**
     * What training changed.
     *
     * @param before figures before the first step; empty where a run was resumed
     * @param after figures of the averaged weights at the end
     */
    record Figures(Map<String, Double> before, Map<String, Double> after) {}

    /** A network to begin with. */
    record Start<C>(C config, Map<String, float[]> weights) {}

    private static final Logger LOG = LoggerFactory.getLogger(LoopArguments.class);

    private static final double DEFAULT_MINUTES = 60;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Weights, checkpoint, curves and pictures go here; target/training/COMMAND by default.")
    @Nullable
    Path out;

    @Option(names = "--minutes", paramLabel = "M", description = "Time limit; 60 where --steps is not given either.")
    @Nullable
    Double minutes;

    @Option(names = "--steps", paramLabel = "N", description = "Step limit.")
    @Nullable
    Long steps;

    @Option(names = "--batch", paramLabel = "N", description = "Samples of a step.")
    @Nullable
    Integer batch;

    @Option(names = "--lr", paramLabel = "X", description = "Peak learning rate.")
    @Nullable
    Double learningRate;

    @Option(names = "--device", paramLabel = "ID", description = "cpu (the default) or cuda:0.")
    String device = "cpu";

    @Option(names = "--precision", description = "Arithmetic of products: bf16 (the default) or fp32.")
    private PrecisionChoice precision = PrecisionChoice.BF16;

    @Option(names = "--seed", paramLabel = "N", description = "Seed of all randomness; ${DEFAULT-VALUE} by default.")
    long seed = 3;

    @Option(names = "--threads", paramLabel = "N", description = "Host threads; all processors by default.")
    int threads;

    @Option(names = "--evaluate-minutes", paramLabel = "M", description = "Time between evaluations; 5 by default.")
    double evaluateMinutes = 5;

    @Option(names = "--resume", description = "Go on from the checkpoint in the folder.")
    boolean resume;

    @Option(names = "--weights", paramLabel = "FILE", description = "Start from the weights of an earlier run.")
    @Nullable
    Path weights;

    /** The folder of a command's run. */
    Path folder(String command) {
        Path chosen = out;
        return chosen != null ? chosen : Path.of("target", "training", command);
    }

    /**
     * The network that {@code --weights} names, or else a new one.
     *
     * @param sizes of a new one
     * @param initialise draws its weights from a seed
     * @param read as {@link NetworkFile#read}
     */
    <C> Start<C> start(
            C sizes, BiFunction<C, Long, Map<String, float[]>> initialise, BiFunction<Path, C, NetworkFile<C>> read) {
        Path from = weights;
        if (from == null) {
            return new Start<>(sizes, initialise.apply(sizes, seed));
        }
        NetworkFile<C> file = read.apply(from, sizes);
        return new Start<>(file.config(), file.arrays());
    }

    int batch(int defaultBatch) {
        Integer chosen = batch;
        return chosen != null ? chosen : defaultBatch;
    }

    /** The arithmetic; {@code narrow} lets activations be narrow too, which convolutions bear well. */
    Arithmetic arithmetic(boolean narrow) {
        return switch (precision) {
            case FP32 -> Arithmetic.FP32;
            case BF16 -> narrow ? Arithmetic.BF16_NARROW : Arithmetic.BF16;
        };
    }

    /** Checks what does not depend on the command and loads LibTorch. */
    void prepare(CommandSpec spec, String command) {
        Double m = minutes;
        Long s = steps;
        Integer b = batch;
        Double r = learningRate;
        if (m != null && !(m > 0 && m < 1e6)) {
            throw Cli.badArgument(spec, "--minutes is " + m + "; it must be positive");
        }
        if (s != null && s < 1) {
            throw Cli.badArgument(spec, "--steps is " + s + "; at least 1");
        }
        if (b != null && b < 1) {
            throw Cli.badArgument(spec, "--batch is " + b + "; at least 1");
        }
        if (r != null && !(r > 0 && r < 10)) {
            throw Cli.badArgument(spec, "--lr is " + r + "; it must lie in (0, 10)");
        }
        if (threads < 0 || !(evaluateMinutes > 0)) {
            throw Cli.badArgument(
                    spec,
                    "--threads is " + threads + ", --evaluate-minutes " + evaluateMinutes
                            + "; at least 0 and positive are allowed");
        }
        if (resume && !Files.exists(folder(command).resolve(TrainingLoop.CHECKPOINT))) {
            throw Cli.badArgument(
                    spec, "--resume: there is no " + folder(command).resolve(TrainingLoop.CHECKPOINT));
        }
        TorchNative.load();
        TorchNative.setThreads(threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
    }

    /**
     * Trains and writes the averaged weights at every evaluation.
     *
     * @param config what the weights file names as the network's sizes
     * @return the figures before the first step and after the last one
     */
    Figures train(
            String command,
            Object config,
            Objective objective,
            Function<Map<String, Tensor>, Optimizer> optimizers,
            double defaultRate,
            int warmupSteps) {
        Path folder = folder(command);
        Long s = steps;
        Double m = minutes == null && s == null ? Double.valueOf(DEFAULT_MINUTES) : minutes;
        Double r = learningRate;
        TrainingLoop.Settings settings = new TrainingLoop.Settings(
                folder,
                s == null ? TrainingLoop.UNLIMITED : s,
                m == null ? Duration.ofDays(10_000) : Duration.ofMillis(Math.max(1, Math.round(60_000 * m))),
                r == null ? defaultRate : r,
                s == null ? warmupSteps : (int) Math.min(warmupSteps, 1 + s / 10),
                1.0,
                0.997,
                Duration.ofMillis(Math.max(1, Math.round(60_000 * evaluateMinutes))),
                seed);
        Map<String, Double> before = new TreeMap<>();
        if (!resume) {
            try (AutoGradMode off = new AutoGradMode(false)) {
                Files.createDirectories(folder);
                before.putAll(objective.evaluate(folder, 0));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            LOG.info("{} before training: {}", command, before);
        }
        Map<String, Double> last = new TreeMap<>();
        TrainingLoop loop = new TrainingLoop(settings, objective, optimizers, System::nanoTime);
        TrainingLoop.Checkpoint save = (step, tensors, figures) -> {
            Map<String, String> notes = new TreeMap<>();
            notes.put("step", Long.toString(step));
            figures.forEach((n, v) -> notes.put(n, String.format(Locale.ROOT, "%.5g", v)));
            new NetworkFile<>(config, tensors).write(folder.resolve(NetworkFile.NAME), notes);
            last.putAll(figures);
        };
        if (resume) {
            loop.resume(folder.resolve(TrainingLoop.CHECKPOINT), save);
        } else {
            loop.run(save);
        }
        return new Figures(before, last);
    }
}
