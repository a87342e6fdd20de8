package io.teleworld.training.recipe;

import io.teleworld.tensor.HostTensor;
import io.teleworld.training.optim.ExponentialMovingAverage;
import io.teleworld.training.optim.GradientClipping;
import io.teleworld.training.optim.LossHistory;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.optim.TrainingCheckpoint;
import io.teleworld.training.plot.Curves;
import io.teleworld.training.progress.TrainingProgress;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs an objective for a number of steps or for some time: warm-up and half a cosine of the learning rate, clipped
 * gradients, averaged weights, evaluations, curves and checkpoints. Confined to one thread.
 *
 * <p>The random numbers of a step depend on the seed and the step alone. So a run that is limited by steps gives the same
 * weights whether it was interrupted or not, as long as the objective's data repeats.
 *
 * <p>The folder receives {@value #CHECKPOINT} at every evaluation, {@code curves-training.png},
 * {@code curves-evaluation.png}, and what the objective draws.
 */
public final class TrainingLoop {

    /** The file of a run's folder from which it can go on. */
    public static final String CHECKPOINT = "checkpoint.safetensors";

    /** Steps that mean that only time limits a run. */
    public static final long UNLIMITED = Long.MAX_VALUE;

    private static final Logger LOG = LoggerFactory.getLogger(TrainingLoop.class);

    private static final double FINAL_RATE = 0.02;
    private static final String EVALUATION = "evaluation.";

    /**
     * How a run goes.
     *
     * @param folder checkpoints and pictures go here; its name is the run's
     * @param steps the most steps, those before a resumption included; at least 1
     * @param limit the most time, that before a resumption included; positive
     * @param learningRate peak learning rate, positive
     * @param warmupSteps steps over which the learning rate rises, at least 1
     * @param clipNorm bound on the global gradient norm
     * @param averageDecay decay of the exponential moving average of the weights
     * @param evaluateEvery time between evaluations
     * @param seed of the run's random numbers
     */
    public record Settings(
            Path folder,
            long steps,
            Duration limit,
            double learningRate,
            int warmupSteps,
            double clipNorm,
            double averageDecay,
            Duration evaluateEvery,
            long seed) {

        public Settings {
            if (steps < 1 || limit.isNegative() || limit.isZero() || warmupSteps < 1) {
                throw new IllegalArgumentException("steps are " + steps + ", limit " + limit + ", warm-up steps "
                        + warmupSteps + "; all must be positive");
            }
            if (!(learningRate > 0) || !Double.isFinite(learningRate)) {
                throw new IllegalArgumentException("learning rate is " + learningRate + "; it must be positive");
            }
        }
    }

    private final Settings settings;
    private final Objective objective;
    private final Function<Map<String, Tensor>, Optimizer> optimizers;
    private final LongSupplier nanoClock;

    /**
     * A loop.
     *
     * @param optimizers makes the optimiser of the objective's parameters
     * @param nanoClock as {@link System#nanoTime()}
     */
    public TrainingLoop(
            Settings settings,
            Objective objective,
            Function<Map<String, Tensor>, Optimizer> optimizers,
            LongSupplier nanoClock) {
        this.settings = settings;
        this.objective = objective;
        this.optimizers = optimizers;
        this.nanoClock = nanoClock;
    }

    /** Receives the averaged weights whenever they were evaluated. */
    public interface Checkpoint {

        /** Stores weights by name, with the figures of their evaluation. */
        void save(long step, Map<String, HostTensor> weights, Map<String, Double> figures) throws IOException;
    }

    /**
     * Trains until steps or time are used up.
     *
     * @return the steps that were done
     */
    public long run(Checkpoint checkpoint) {
        return run(null, checkpoint);
    }

    /**
     * Goes on from a checkpoint, with the seed that is in it.
     *
     * @param file the {@value #CHECKPOINT} of a run of the same objective
     * @return the steps that were done, those of the interrupted run included
     * @throws io.teleworld.error.ModelFormatException if the file is damaged or belongs to another network
     */
    public long resume(Path file, Checkpoint checkpoint) {
        return run(file, checkpoint);
    }

    private long run(@Nullable Path from, Checkpoint checkpoint) {
        try {
            Files.createDirectories(settings.folder());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Map<String, Tensor> parameters = objective.parameters();
        try (Optimizer optimizer = optimizers.apply(parameters);
                ExponentialMovingAverage average = new ExponentialMovingAverage(parameters, settings.averageDecay())) {
            return new Run(parameters, optimizer, average, checkpoint).go(from);
        }
    }

    private final class Run {
        private final Map<String, Tensor> parameters;
        private final Optimizer optimizer;
        private final ExponentialMovingAverage average;
        private final Checkpoint checkpoint;
        private final LossHistory history = new LossHistory();
        private final TrainingCheckpoint state;
        private long step;
        private double secondsBefore;
        private long seed = settings.seed();
        private long start;

        Run(
                Map<String, Tensor> parameters,
                Optimizer optimizer,
                ExponentialMovingAverage average,
                Checkpoint checkpoint) {
            this.parameters = parameters;
            this.optimizer = optimizer;
            this.average = average;
            this.checkpoint = checkpoint;
            this.state = new TrainingCheckpoint(parameters, optimizer, average, history);
        }

        long go(@Nullable Path from) {
            if (from != null) {
                TrainingCheckpoint.Position position = state.resume(from);
                step = position.step();
                secondsBefore = position.seconds();
                seed = position.seed();
                LOG.info("resumed at step {}", step);
            }
            start = nanoClock.getAsLong();
            long evaluated = start;
            double limit = settings.limit().toNanos() / 1e9;
            String name = String.valueOf(settings.folder().getFileName());
            try (TrainingProgress progress = settings.steps() < UNLIMITED
                    ? TrainingProgress.start(name, step, settings.steps())
                    : TrainingProgress.startTimed(name, step, secondsBefore, settings.limit())) {
                while (step < settings.steps() && seconds() < limit) {
                    double loss = step(limit);
                    progress.step(objective.batchSize(), loss);
                    if (nanoClock.getAsLong() - evaluated
                            > settings.evaluateEvery().toNanos()) {
                        evaluate();
                        evaluated = nanoClock.getAsLong();
                    }
                }
            }
            evaluate();
            return step;
        }

        private double seconds() {
            return secondsBefore + (nanoClock.getAsLong() - start) / 1e9;
        }

        private double step(double limit) {
            double progress = Math.min(1, Math.max((double) step / settings.steps(), seconds() / limit));
            double warm = Math.min(1, (step + 1.0) / settings.warmupSteps());
            double decay = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + Math.cos(Math.PI * progress));
            // Hashed, because neighbouring seeds of a SplittableRandom would give overlapping numbers.
            SplittableRandom random = new SplittableRandom(new SplittableRandom(seed * 0x5DEECE66DL + step).nextLong());
            Map<String, Double> metrics = new TreeMap<>();
            double value;
            try (PointerScope scope = new PointerScope()) {
                Tensor loss = objective.loss(random, metrics);
                loss.backward();
                double norm = GradientClipping.globalNorm(parameters.values(), settings.clipNorm());
                if (Double.isFinite(norm)) {
                    optimizer.step(settings.learningRate() * warm * decay);
                    average.update();
                } else {
                    LOG.warn("step {} skipped: gradient norm is {}", step, norm);
                }
                parameters.values().forEach(p -> p.mutable_grad().reset());
                value = loss.item_float();
            }
            metrics.put("loss", value);
            long now = step;
            metrics.forEach((k, v) -> history.add(k, now, v));
            step++;
            return value;
        }

        private void evaluate() {
            Map<String, Double> recent = new TreeMap<>();
            for (String series : history.names()) {
                if (!series.startsWith(EVALUATION)) {
                    recent.put(series, history.recentMean(series, 50));
                }
            }
            try (AutoGradMode off = new AutoGradMode(false);
                    ExponentialMovingAverage.Swap averaged = average.swapIn()) {
                Map<String, Double> figures = objective.evaluate(settings.folder(), step);
                figures.forEach((k, v) -> history.add(EVALUATION + k, step, v));
                LOG.info("step {}: {}; evaluation: {}", step, format(recent), format(figures));
                Map<String, HostTensor> weights = new LinkedHashMap<>();
                parameters.forEach((n, t) -> weights.put(n, TorchTensors.toHost(t)));
                checkpoint.save(step, objective.network(weights), figures);
                draw("curves-training.png", n -> !n.startsWith(EVALUATION), true);
                draw("curves-evaluation.png", n -> n.startsWith(EVALUATION), false);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            state.save(
                    settings.folder().resolve(CHECKPOINT),
                    new TrainingCheckpoint.Position(step, step * objective.batchSize(), seconds(), seed, "{}"));
        }

        private void draw(String file, Predicate<String> series, boolean logarithmic) throws IOException {
            LossHistory shown = new LossHistory();
            history.names().stream()
                    .filter(series)
                    .forEach(n -> history.points(n).forEach(p -> shown.add(n, p.step(), p.value())));
            Path folder = settings.folder();
            Curves.write(folder.resolve(file), String.valueOf(folder.getFileName()), shown, logarithmic);
        }
    }

    private static String format(double v) {
        return String.format(Locale.ROOT, "%.4g", v);
    }

    private static String format(Map<String, Double> m) {
        StringBuilder sb = new StringBuilder();
        m.forEach((k, v) -> sb.append(k).append(' ').append(format(v)).append(' '));
        return sb.toString().trim();
    }
}
