package io.teleworld.training;

import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What the commands share that train a network. */
abstract class TrainingCommand implements Callable<Integer> {

    @Spec
    @Nullable
    CommandSpec spec;

    @Mixin
    LoopArguments loop = new LoopArguments();

    @Option(names = "--size", description = "nano (the default, as shipped) or tiny.")
    ModelSize size = ModelSize.NANO;

    @Override
    public Integer call() {
        train();
        return Cli.OK;
    }

    /** Trains and tells what changed. */
    abstract LoopArguments.Figures train();

    CommandSpec command() {
        return Objects.requireNonNull(spec, "command specification");
    }
}
