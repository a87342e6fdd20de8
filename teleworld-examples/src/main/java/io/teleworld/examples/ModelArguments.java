package io.teleworld.examples;

import io.teleworld.ModelOptions;
import io.teleworld.ModelSource;
import io.teleworld.WorldModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Which model a program opens, and how. */
final class ModelArguments {

    private static final String SHIPPED = "nano";

    @Spec(Spec.Target.MIXEE)
    @Nullable
    CommandSpec spec;

    @Option(
            names = "--model",
            paramLabel = "DIR",
            description = "Folder of a model package; the shipped model nano by default.")
    @Nullable
    Path model;

    @Option(
            names = "--runtime",
            paramLabel = "NAME",
            split = ",",
            description = "Runtimes, the preferred one first, such as onnx; any by default.")
    List<String> runtimes = new ArrayList<>();

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads of one operator; 0, the default, takes all cores.")
    int threads;

    ModelSource source() {
        Path folder = model;
        return folder == null ? ModelSource.bundled(SHIPPED) : ModelSource.directory(folder);
    }

    ModelOptions options() {
        CommandSpec command = spec;
        if (threads < 0 && command != null) {
            throw Cli.badArgument(command, "--threads is " + threads + "; it must be at least 0");
        }
        return ModelOptions.DEFAULT.withThreads(threads).withRuntimes(runtimes.toArray(String[]::new));
    }

    int effectiveThreads() {
        return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    }

    WorldModel open() {
        return WorldModel.open(source(), options());
    }
}
