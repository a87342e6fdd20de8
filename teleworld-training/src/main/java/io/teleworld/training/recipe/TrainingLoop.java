package io.teleworld.training.recipe;

import io.teleworld.tensor.HostTensor;
import io.teleworld.training.optim.ExponentialMovingAverage;
import io.teleworld.training.optim.GradientClipping;
import io.teleworld.training.optim.Optimizer;
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
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs an objective for a number of steps or for some time. Confined to one thread. */
public final class TrainingLoop {

    private static final Logger LOG = LoggerFactory.getLogger(TrainingLoop.class);

    private static final double FINAL_RATE = 0.02;
    private static final long REPORT_NANOS = 15_000_000_000L;

    /**
     * How a run goes.
     *
     * @param folder checkpoints and pictures go here
     * @param steps the most steps
     * @param limit the most time
     * @param learningRate peak learning rate
     * @param warmupSteps steps over which the learning rate rises
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
            long seed) {}

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
        try {
            Files.createDirectories(settings.folder());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        SplittableRandom random = new SplittableRandom(settings.seed());
        Map<String, Tensor> parameters = objective.parameters();
        try (Optimizer optimizer = optimizers.apply(parameters);
                ExponentialMovingAverage average = new ExponentialMovingAverage(parameters, settings.averageDecay())) {
            return run(random, parameters, optimizer, average, checkpoint);
        }
    }

    private long run(
            SplittableRandom random,
            Map<String, Tensor> parameters,
            Optimizer optimizer,
            ExponentialMovingAverage average,
            Checkpoint checkpoint) {
        long start = nanoClock.getAsLong();
        long evaluated = start;
        long reported = start;
        long reportedStep = 0;
        Map<String, Double> smooth = new TreeMap<>();
        long step = 0;
        while (step < settings.steps()
                && nanoClock.getAsLong() - start < settings.limit().toNanos()) {
            double elapsed = (double) (nanoClock.getAsLong() - start);
            double progress = Math.min(
                    1,
                    Math.max(
                            (double) step / settings.steps(),
                            elapsed / settings.limit().toNanos()));
            double warm = Math.min(1, (step + 1.0) / settings.warmupSteps());
            double decay = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + Math.cos(Math.PI * progress));
            Map<String, Double> metrics = new TreeMap<>();
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
                metrics.put("loss", (double) loss.item_float());
                metrics.put("norm", norm);
            }
            step++;
            metrics.forEach((k, v) -> {
                if (Double.isFinite(v)) {
                    smooth.merge(k, v, (a, b) -> 0.98 * a + 0.02 * b);
                }
            });
            long now = nanoClock.getAsLong();
            if (now - reported > REPORT_NANOS) {
                double rate = (step - reportedStep) * objective.batchSize() * 1e9 / (now - reported);
                LOG.info(
                        "step {} {} · {} samples/s · {} s of {} s",
                        step,
                        format(smooth),
                        format(rate),
                        Duration.ofNanos(now - start).toSeconds(),
                        settings.limit().toSeconds());
                reported = now;
                reportedStep = step;
            }
            if (now - evaluated > settings.evaluateEvery().toNanos()) {
                evaluate(step, average, checkpoint);
                evaluated = nanoClock.getAsLong();
            }
        }
        evaluate(step, average, checkpoint);
        return step;
    }

    private void evaluate(long step, ExponentialMovingAverage average, Checkpoint checkpoint) {
        try (AutoGradMode off = new AutoGradMode(false);
                ExponentialMovingAverage.Swap averaged = average.swapIn()) {
            Map<String, Double> figures = objective.evaluate(settings.folder(), step);
            LOG.info("step {} evaluation {}", step, format(figures));
            Map<String, HostTensor> weights = new LinkedHashMap<>();
            objective.parameters().forEach((n, t) -> weights.put(n, TorchTensors.toHost(t)));
            checkpoint.save(step, weights, figures);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
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
