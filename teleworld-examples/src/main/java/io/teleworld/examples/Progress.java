package io.teleworld.examples;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * A bar with count, rate and remaining time on a terminal, and a plain line every few seconds elsewhere. Confined to one
 * thread; the caller closes it.
 */
final class Progress implements AutoCloseable {

    private static final long LINE_NANOS = Duration.ofSeconds(5).toNanos();

    private final String task;
    private final String unit;
    private final long total;
    private final PrintWriter err;
    private final @Nullable ProgressBar bar;
    private final long begun = System.nanoTime();
    private long done;
    private long lastLine = begun;

    // From JDK 22 on a console is always there; TERM then says whether somebody looks at it.
    @SuppressWarnings("SystemConsoleNull")
    Progress(String task, String unit, long total, PrintWriter err) {
        this.task = task;
        this.unit = unit;
        this.total = total;
        this.err = err;
        boolean terminal = System.console() != null && System.getenv("TERM") != null;
        this.bar = terminal
                ? new ProgressBarBuilder()
                        .setTaskName(task)
                        .setInitialMax(total)
                        .setUnit(" " + unit, 1)
                        .setStyle(ProgressBarStyle.ASCII)
                        .setUpdateIntervalMillis(250)
                        .showSpeed()
                        .build()
                : null;
    }

    void advanceTo(long count) {
        done = count;
        if (bar != null) {
            bar.stepTo(count);
            return;
        }
        long now = System.nanoTime();
        if (now - lastLine >= LINE_NANOS || count == total) {
            lastLine = now;
            double rate = done / Math.max(1e-9, (now - begun) / 1e9);
            err.println(String.format(Locale.ROOT, "%s: %d of %d %s, %.2f/s", task, done, total, unit, rate));
            err.flush();
        }
    }

    void advance() {
        advanceTo(done + 1);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
