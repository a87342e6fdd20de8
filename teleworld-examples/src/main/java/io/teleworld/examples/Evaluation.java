package io.teleworld.examples;

import io.teleworld.ModelDescription;
import io.teleworld.WorldModel;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What the evaluation programs share: their arguments, and a report that is printed and written. */
abstract class Evaluation implements Callable<Integer> {

    /** Where PSNR stops to grow, so that equal pictures have a mean. */
    static final double MAX_PSNR = 60;

    @Spec
    @Nullable
    CommandSpec spec;

    @Mixin
    ModelArguments model = new ModelArguments();

    @Option(names = "--out", paramLabel = "DIR", description = "Where the JSON file is put; target/eval by default.")
    Path out = Path.of("target", "eval");

    @Option(names = "--seed", paramLabel = "N", description = "Seed of cases, noise and resampling; 0 by default.")
    long seed;

    @Override
    public final Integer call() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        Output.folder(out);
        PrintWriter writer = command.commandLine().getOut();
        Report report = new Report(command.name(), writer);
        report.put("seed", seed);
        measure(report);
        report.write(out, fileName(command.name()));
        return Cli.OK;
    }

    /** The name of the JSON file, without its extension. */
    String fileName(String command) {
        return command;
    }

    /** Measures, and says what it found. */
    abstract void measure(Report report);

    /** Opens the model and describes it in the report; the caller closes it. */
    final WorldModel open(Report report) {
        long begun = System.nanoTime();
        WorldModel opened = model.open();
        double seconds = (System.nanoTime() - begun) / 1e9;
        report.line("loaded in %.1f s", seconds);
        report.put("loadSeconds", Stages.round(seconds));
        describe(report, opened);
        return opened;
    }

    /** Says in the report what was opened. */
    final void describe(Report report, WorldModel opened) {
        ModelDescription d = opened.description();
        String text = String.format(
                Locale.ROOT,
                "%s (%s), %,d weights, %d×%d at %.0f frames/s, %s, %d threads",
                d.name(),
                model.source(),
                d.parameters(),
                d.intrinsics().width(),
                d.intrinsics().height(),
                d.framesPerSecond(),
                d.runtime(),
                model.effectiveThreads());
        report.line("model %s", text);
        report.put("model", text);
    }

    /** A bar for cases, on the error stream. */
    final Progress progress(long total, String unit) {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        return new Progress(command.name(), unit, total, command.commandLine().getErr());
    }

    /** An argument that must be at least 1. */
    final int atLeastOne(String option, int value) {
        if (value < 1) {
            throw Cli.badArgument(
                    Objects.requireNonNull(spec, "command specification"),
                    option + " is " + value + "; it must be at least 1");
        }
        return value;
    }
}
