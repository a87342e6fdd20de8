package io.teleworld.core;

import io.teleworld.ChainingPolicy;
import io.teleworld.ModelDescription;
import io.teleworld.ModelOptions;
import io.teleworld.ModelSource;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.decode.VideoCodec;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.DiffusionGenerator;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.loop.LoopSession;
import io.teleworld.core.loop.SessionFactory;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.model.MemoryEstimate;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.reconstruct.GeometryReconstructor;
import io.teleworld.error.ModelFormatException;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.error.TeleWorldException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import io.teleworld.runtime.Weights;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;

/** A model package compiled for one runtime. Thread-safe. */
final class PackagedWorldModel implements WorldModel {

    /** What users get unless they ask for something else; a runtime that is not named here comes behind. */
    private static final List<String> PREFERRED = List.of("onnx");

    private final ModelPackage files;
    private final TensorRuntime runtime;
    private final Scope scope;
    private final Program geometry;
    private final SessionFactory factory;
    private final ModelDescription description;
    private final List<LoopSession> sessions = new ArrayList<>();
    private final AtomicInteger sessionNumber = new AtomicInteger();
    private boolean closed;

    private PackagedWorldModel(ModelPackage files, TensorRuntime runtime, Scope scope, ModelOptions options) {
        this.files = files;
        this.runtime = runtime;
        this.scope = scope;
        TeleWorldConfig world = files.world();
        TeleWorldConfig.NetworkPrecision precision = world.precision();
        int capacity = cacheCapacity(world);
        Program transformer =
                compile(files.transformerGraph(capacity), files.transformerWeights(), options, precision.transformer());
        Program encoder = compile(files.encoderGraph(), files.vaeWeights(), options, precision.vae());
        Program decoder = compile(files.decoderGraph(), files.vaeWeights(), options, precision.vae());
        this.geometry = compile(files.geometryGraph(), files.geometryWeights(), options, precision.geometry());
        VideoCodec codec = new VideoCodec(files.vae(), encoder, decoder, world.width(), world.height(), scope);
        DiffusionGenerator generator = new DiffusionGenerator(
                files.transformer(),
                world.guidance(),
                steps(files.scheduler(), options).sampler(),
                files.scheduler().contextNoise(),
                transformer,
                capacity,
                files.latentHeight(),
                files.latentWidth(),
                scope);
        this.description = new ModelDescription(
                world.name(), world.intrinsics(), world.frameRate(), runtime.name(), files.parameters());
        this.factory = new SessionFactory(
                world.segments(),
                generator,
                world.guidance().holes(),
                () -> new GeometryReconstructor(geometry, scope),
                codec,
                codec,
                world.intrinsics(),
                world.frameRate(),
                world.controls(),
                MemoryOptions.DEFAULT,
                1,
                System::nanoTime,
                this::nativeBytes);
    }

    static PackagedWorldModel open(ModelSource source, ModelOptions options) {
        return open(source, options, MemoryEstimate.availableBytes());
    }

    /** As {@link #open(ModelSource, ModelOptions)} where so much memory is available. */
    static PackagedWorldModel open(ModelSource source, ModelOptions options, long availableBytes) {
        ModelPackage files = ModelPackage.open(ModelFiles.of(source));
        if (files.scheduler().denoisingSteps().isEmpty()) {
            throw new ModelFormatException(
                    source + "/scheduler/scheduler_config.json",
                    "denoising_steps is empty; sessions need a distilled model with a list of steps");
        }
        memory(files, options).require("model " + files.world().name(), availableBytes);
        files.requireFinite();
        RuntimeRegistry registry = RuntimeRegistry.load(PackagedWorldModel.class.getClassLoader());
        TensorRuntimeProvider provider = provider(registry, options.runtimes());
        TensorRuntime runtime = provider.create(new RuntimeOptions(options.device(), options.threads()));
        Scope scope = Scope.root("model " + files.world().name());
        try {
            return new PackagedWorldModel(files, runtime, scope, options);
        } catch (RuntimeException | Error e) {
            try {
                scope.close();
                runtime.close();
            } catch (RuntimeException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    private static SchedulerConfig steps(SchedulerConfig all, ModelOptions options) {
        int count = options.denoisingSteps();
        if (count > all.denoisingSteps().size()) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    count + " denoising steps are asked for; the model has " + all.denoisingSteps());
        }
        return count == 0 ? all : all.withSteps(count);
    }

    /** What the four networks and one session's caches will take. */
    private static MemoryEstimate memory(ModelPackage files, ModelOptions options) {
        TeleWorldConfig world = files.world();
        TeleWorldConfig.NetworkPrecision packaged = world.precision();
        // A run is at most one group of the segment and its guidance.
        List<Integer> groups = world.segments().groups();
        long frames = groups.stream()
                .mapToLong(g -> 2L * Collections.frequency(groups, g))
                .max()
                .orElse(1);
        return memory(files.transformerGraph(cacheCapacity(world)), options, packaged.transformer(), frames)
                .and(memory(files.encoderGraph(), options, packaged.vae(), 1))
                .and(memory(files.decoderGraph(), options, packaged.vae(), 1))
                .and(memory(files.geometryGraph(), options, packaged.geometry(), 1));
    }

    private static MemoryEstimate memory(Graph graph, ModelOptions options, Precision packaged, long frames) {
        Map<String, Long> extents = new HashMap<>();
        graph.inputSymbols().forEach(s -> extents.put(s, s.equals("frames") ? frames : 1L));
        return MemoryEstimate.of(graph, options.precision().orElse(packaged), extents);
    }

    private static TensorRuntimeProvider provider(RuntimeRegistry registry, List<String> wanted) {
        if (wanted.size() == 1) {
            return registry.get(wanted.get(0));
        }
        List<String> preference = new ArrayList<>(wanted);
        if (preference.isEmpty()) {
            preference.addAll(PREFERRED);
            registry.names().stream().filter(n -> !PREFERRED.contains(n)).forEach(preference::add);
        }
        return registry.firstAvailable(preference);
    }

    /** Room for the model's own segments and for any planner whose segments are no longer: guidance and clean frames. */
    private static int cacheCapacity(TeleWorldConfig world) {
        int own = SegmentLayout.cacheCapacity(world.segments().plan(ChainingPolicy.MAX_THROUGHPUT), world.guidance());
        return Math.max(own, 2 * world.segments().groups().size());
    }

    private Program compile(Graph graph, Weights weights, ModelOptions options, Precision packaged) {
        return scope.adopt(runtime.compile(graph, weights, options.precision().orElse(packaged)));
    }

    private long nativeBytes() {
        MemoryFigures figures = runtime.memory();
        return figures.weightBytes() + figures.stateBytes();
    }

    @Override
    public ModelDescription description() {
        return description;
    }

    @Override
    public WorldSession start(WorldStart start) {
        requireOpen();
        int number = sessionNumber.incrementAndGet();
        AtomicInteger thread = new AtomicInteger();
        ThreadFactory threads = work -> {
            Thread t = new Thread(work, "teleworld-" + number + "-" + thread.incrementAndGet());
            t.setDaemon(true);
            return t;
        };
        LoopSession session = factory.start(start, threads, this::forgetClosed);
        synchronized (sessions) {
            if (!closed) {
                sessions.add(session);
                return session;
            }
        }
        session.close();
        throw new ResourceClosedException("the world model", null);
    }

    private void forgetClosed() {
        synchronized (sessions) {
            sessions.removeIf(LoopSession::isClosed);
        }
    }

    private void requireOpen() {
        synchronized (sessions) {
            if (closed) {
                throw new ResourceClosedException("the world model", null);
            }
        }
    }

    @Override
    public void close() {
        List<LoopSession> open;
        synchronized (sessions) {
            if (closed) {
                return;
            }
            closed = true;
            open = List.copyOf(sessions);
        }
        open.forEach(LoopSession::close);
        try {
            scope.close();
        } finally {
            runtime.close();
        }
    }

    @Override
    public String toString() {
        return "world model " + files.world().name() + " on " + runtime.name();
    }
}
