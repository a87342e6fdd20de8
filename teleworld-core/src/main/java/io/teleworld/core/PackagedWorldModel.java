package io.teleworld.core;

import io.teleworld.FrameGenerator;
import io.teleworld.ModelDescription;
import io.teleworld.ModelOptions;
import io.teleworld.ModelSource;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.loop.LoopSession;
import io.teleworld.core.model.MemoryEstimate;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.error.ResourceClosedException;
import io.teleworld.runtime.MemoryFigures;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;

/** A model package compiled for one runtime. Thread-safe. */
final class PackagedWorldModel implements WorldModel {

    /** What users get unless they ask for something else; a runtime that is not named here comes behind. */
    private static final List<String> PREFERRED = List.of("onnx");

    private final WorldParts parts;
    private final TensorRuntime runtime;
    private final Scope scope;
    private final WorldParts.Loaded loaded;
    private final Program prompt;
    private final List<LoopSession> sessions = new ArrayList<>();
    private final AtomicInteger sessionNumber = new AtomicInteger();
    private boolean closed;

    private PackagedWorldModel(WorldParts parts, TensorRuntime runtime, Scope scope, ModelOptions options) {
        this.parts = parts;
        this.runtime = runtime;
        this.scope = scope;
        this.loaded = parts.load(runtime, scope, options, this::nativeBytes);
        this.prompt = scope.adopt(parts.compilePrompt(runtime, options));
    }

    static PackagedWorldModel open(ModelSource source, ModelOptions options) {
        return open(source, options, MemoryEstimate.availableBytes());
    }

    /** As {@link #open(ModelSource, ModelOptions)} where so much memory is available. */
    static PackagedWorldModel open(ModelSource source, ModelOptions options, long availableBytes) {
        ModelFiles files = ModelFiles.of(source);
        WorldParts parts = WanWorldParts.accepts(files) ? WanWorldParts.open(files) : PackageParts.open(files);
        parts.memory(options).require("model " + parts.name(), availableBytes);
        parts.requireSound();
        RuntimeRegistry registry = RuntimeRegistry.load(PackagedWorldModel.class.getClassLoader());
        TensorRuntimeProvider provider = provider(registry, options.runtimes());
        TensorRuntime runtime = provider.create(new RuntimeOptions(options.device(), options.threads()));
        Scope scope = Scope.root("model " + parts.name());
        try {
            return new PackagedWorldModel(parts, runtime, scope, options);
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

    private long nativeBytes() {
        MemoryFigures figures = runtime.memory();
        return figures.weightBytes() + figures.stateBytes();
    }

    @Override
    public ModelDescription description() {
        return loaded.description();
    }

    @Override
    public List<String> styles() {
        return parts.prompts().styles();
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
        LoopSession session = started(start, threads);
        synchronized (sessions) {
            if (!closed) {
                sessions.add(session);
                return session;
            }
        }
        session.close();
        throw new ResourceClosedException("the world model", null);
    }

    /** What the blocks see of the prompt is computed here, once for the session. */
    private LoopSession started(WorldStart start, ThreadFactory threads) {
        Scope context = scope.child("prompt");
        try {
            HostTensor text = parts.prompts().text(start.prompt(), runtime);
            Map<String, Tensor> seen =
                    prompt.run(Map.of("text", text), prompt.newState(context), RunOptions.DEFAULT, context);
            FrameGenerator generator = loaded.generator().withPrompt(seen);
            WorldStart whole = parts.completed(start);
            if (whole.frameGenerator().isEmpty()) {
                whole = whole.frameGenerator(generator);
            }
            return loaded.factory().start(whole, threads, () -> {
                scope.closeEarly(context);
                forgetClosed();
            });
        } catch (RuntimeException | Error e) {
            scope.closeEarly(context);
            throw e;
        }
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
        return "world model " + parts.name() + " on " + runtime.name();
    }
}
