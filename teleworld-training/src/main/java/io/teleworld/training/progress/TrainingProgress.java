package io.teleworld.training.progress;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Shows how far a run is, how fast it goes and how long it will take: a bar on a terminal, a log line every 30 seconds
 * elsewhere. Confined to one thread; the owner closes it.
 */
public final class TrainingProgress implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(TrainingProgress.class);
    private static final Duration LOG_INTERVAL = Duration.ofSeconds(30);

    private final String name;
    private final long steps;
    private final Clock clock;
    private final Instant start;
    private final long firstStep;
    private final @Nullable Duration limit;
    private final Duration before;
    private final @Nullable ProgressBar bar;
    private Instant lastLine;
    private long samples;
    private long step;
    private double smoothed = Double.NaN;

    private TrainingProgress(
            String name,
            long firstStep,
            long steps,
            @Nullable Duration limit,
            Duration before,
            Clock clock,
            @Nullable ProgressBar bar) {
        this.name = name;
        this.limit = limit;
        this.before = before;
        this.firstStep = firstStep;
        this.step = firstStep;
        this.steps = steps;
        this.clock = clock;
        this.start = clock.instant();
        this.lastLine = start;
        this.bar = bar;
    }

    /**
     * Starts to show a run.
     *
     * @param name what is trained
     * @param firstStep steps made before, 0 unless resumed
     * @param steps all steps of the run
     */
    public static TrainingProgress start(String name, long firstStep, long steps) {
        if (!hasTerminal()) {
            return logging(name, firstStep, steps, Clock.systemUTC());
        }
        ProgressBar bar = new ProgressBarBuilder()
                .setTaskName(name)
                .setInitialMax(steps)
                .startsFrom(firstStep, Duration.ZERO)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(500)
                .build();
        return new TrainingProgress(name, firstStep, steps, null, Duration.ZERO, Clock.systemUTC(), bar);
    }

    /**
     * Starts to show a run that ends after some time.
     *
     * @param name what is trained
     * @param firstStep steps made before, 0 unless resumed
     * @param secondsBefore time spent before, 0 unless resumed
     * @param limit the time of the whole run
     */
    public static TrainingProgress startTimed(String name, long firstStep, double secondsBefore, Duration limit) {
        Duration before = Duration.ofMillis(Math.round(1000 * secondsBefore));
        if (!hasTerminal()) {
            return loggingTimed(name, firstStep, before, limit, Clock.systemUTC());
        }
        ProgressBar bar = new ProgressBarBuilder()
                .setTaskName(name)
                .setUnit(" s", 1)
                .setInitialMax(limit.toSeconds())
                .startsFrom(before.toSeconds(), Duration.ZERO)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(500)
                .build();
        return new TrainingProgress(name, firstStep, Long.MAX_VALUE, limit, before, Clock.systemUTC(), bar);
    }

    /** As {@link #startTimed} where there is no terminal, with a clock. */
    public static TrainingProgress loggingTimed(
            String name, long firstStep, Duration before, Duration limit, Clock clock) {
        return new TrainingProgress(name, firstStep, Long.MAX_VALUE, limit, before, clock, null);
    }

    /** Before Java 22 there is no console without a terminal; since then one that has none still has no TERM. */
    @SuppressWarnings("SystemConsoleNull")
    private static boolean hasTerminal() {
        String terminal = System.getenv("TERM");
        return System.console() != null && terminal != null && !terminal.equals("dumb");
    }

    /** As {@link #start} where there is no terminal, with a clock. */
    public static TrainingProgress logging(String name, long firstStep, long steps, Clock clock) {
        return new TrainingProgress(name, firstStep, steps, null, Duration.ZERO, clock, null);
    }

    /**
     * Counts one step.
     *
     * @param batch samples of the step
     * @param loss its loss; shown as a running mean
     */
    public void step(int batch, double loss) {
        step++;
        samples += batch;
        smoothed = Double.isNaN(smoothed) ? loss : 0.95 * smoothed + 0.05 * loss;
        if (bar != null) {
            bar.stepTo(limit == null ? step : Math.round(before.toMillis() / 1000.0 + seconds()));
            bar.setExtraMessage(String.format(Locale.ROOT, "loss %.4f, %.1f samples/s", smoothed, samplesPerSecond()));
            return;
        }
        Instant now = clock.instant();
        if (step == steps || !now.isBefore(lastLine.plus(LOG_INTERVAL))) {
            lastLine = now;
            LOG.info("{}", line());
        }
    }

    /** What the log shows: name, step, loss, speed and the remaining time. */
    public String line() {
        return String.format(
                Locale.ROOT,
                "%s: step %s, loss %.4f, %.1f samples/s, %s left",
                name,
                limit == null ? step + "/" + steps : step,
                smoothed,
                samplesPerSecond(),
                remaining());
    }

    /** Samples per second since the start of this object. */
    public double samplesPerSecond() {
        double seconds = seconds();
        return seconds > 0 ? samples / seconds : 0;
    }

    /** Seconds since the start of this object. */
    public double seconds() {
        return Duration.between(start, clock.instant()).toMillis() / 1000.0;
    }

    private String remaining() {
        long done = step - firstStep;
        if (done == 0) {
            return "unknown time";
        }
        Duration all = limit;
        double left = all == null
                ? seconds() / done * (steps - step)
                : Math.max(0, (all.toMillis() - before.toMillis()) / 1000.0 - seconds());
        long s = Math.round(left);
        return String.format(Locale.ROOT, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
