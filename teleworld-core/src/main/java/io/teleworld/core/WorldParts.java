package io.teleworld.core;

import io.teleworld.ModelDescription;
import io.teleworld.ModelOptions;
import io.teleworld.WorldStart;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.DiffusionGenerator;
import io.teleworld.core.loop.SessionFactory;
import io.teleworld.core.model.MemoryEstimate;
import io.teleworld.core.model.Prompts;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Device;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/** The files of a world model, checked and ready to be loaded. Immutable and thread-safe. */
interface WorldParts {

    /** What sessions are made of. */
    record Loaded(ModelDescription description, SessionFactory factory, DiffusionGenerator generator) {}

    /** What the model is called. */
    String name();

    /** What prompts it knows. */
    Prompts prompts();

    /** Sizes of its transformer. */
    VideoTransformerConfig transformer();

    /** The transformer's weights. */
    Weights transformerWeights();

    /** Its transformer's arithmetic unless the user asks for another. */
    Precision transformerPrecision();

    /** What the networks and one session's caches will take. */
    MemoryEstimate memory(ModelOptions options);

    /** Refuses weights that are damaged. */
    void requireSound();

    /** Compiles the networks; the scope owns them. */
    Loaded load(TensorRuntime runtime, Scope scope, ModelOptions options, LongSupplier nativeBytes);

    /** A start with the model's own parts where they differ from those of all sessions. */
    WorldStart completed(WorldStart start);

    /** The part of the transformer that is run once per session; the caller closes it. */
    default Program compilePrompt(TensorRuntime runtime, ModelOptions options) {
        return runtime.compile(
                VideoTransformer.promptGraph(transformer()),
                transformerWeights(),
                options.precision().orElse(transformerPrecision()));
    }

    /** The model's denoising steps, or as many of them as are asked for. */
    static SchedulerConfig steps(SchedulerConfig all, ModelOptions options) {
        int count = options.denoisingSteps();
        if (count > all.denoisingSteps().size()) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    count + " denoising steps are asked for; the model has " + all.denoisingSteps());
        }
        return count == 0 ? all : all.withSteps(count);
    }

    /** The estimate for one network. */
    static MemoryEstimate estimate(Graph graph, ModelOptions options, Precision packaged, long frames) {
        Map<String, Long> extents = new HashMap<>();
        graph.inputSymbols().forEach(s -> extents.put(s, s.equals("frames") ? frames : 1L));
        return MemoryEstimate.of(graph, options.precision().orElse(packaged), extents);
    }

    /**
     * How many tasks of a session run at once: on the host two, if there are two processors for them, because parts of
     * the networks run on one thread. What a session shows does not depend on it.
     *
     * @param device the runtime's
     * @param threads for one operator, or 0 for as many as there are processors
     */
    static int tasksAtOnce(Device device, int threads) {
        int each = threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
        return device.id().equals(Device.CPU) && each > 1 ? 2 : 1;
    }

    /** Compiles a network; the scope owns it. */
    static Program compile(
            Graph graph,
            Weights weights,
            TensorRuntime runtime,
            Scope scope,
            ModelOptions options,
            Precision packaged) {
        return scope.adopt(runtime.compile(graph, weights, options.precision().orElse(packaged)));
    }
}
