package io.teleworld.core;

import io.teleworld.ChainingPolicy;
import io.teleworld.ModelDescription;
import io.teleworld.ModelOptions;
import io.teleworld.SuperResolver;
import io.teleworld.WorldStart;
import io.teleworld.core.decode.FrameEnlarger;
import io.teleworld.core.decode.VideoCodec;
import io.teleworld.core.generate.DiffusionGenerator;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.loop.SessionFactory;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.model.MemoryEstimate;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.ModelPackage;
import io.teleworld.core.model.Prompts;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.reconstruct.GeometryReconstructor;
import io.teleworld.error.ModelFormatException;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** A model package of the SDK: transformer, autoencoder, geometry network and {@code teleworld.json}. */
record PackageParts(ModelPackage files, Prompts prompts) implements WorldParts {

    static PackageParts open(ModelFiles source) {
        ModelPackage files = ModelPackage.open(source);
        if (files.scheduler().denoisingSteps().isEmpty()) {
            throw new ModelFormatException(
                    source.description() + "/scheduler/scheduler_config.json",
                    "denoising_steps is empty; sessions need a distilled model with a list of steps");
        }
        VideoTransformerConfig t = files.transformer();
        return new PackageParts(files, new Prompts(source, t.textLen(), t.textDim()));
    }

    @Override
    public String name() {
        return files.world().name();
    }

    @Override
    public VideoTransformerConfig transformer() {
        return files.transformer();
    }

    @Override
    public Weights transformerWeights() {
        return files.transformerWeights();
    }

    @Override
    public Precision transformerPrecision() {
        return files.world().precision().transformer();
    }

    /** Room for the model's own segments and for any planner whose segments are no longer: guidance and clean frames. */
    private int cacheCapacity() {
        TeleWorldConfig world = files.world();
        int own = SegmentLayout.cacheCapacity(world.segments().plan(ChainingPolicy.MAX_THROUGHPUT), world.guidance());
        return Math.max(own, 2 * world.segments().groups().size());
    }

    private Graph transformerGraph() {
        return VideoTransformer.promptedGraph(
                files.transformer(), files.latentHeight(), files.latentWidth(), cacheCapacity());
    }

    @Override
    public MemoryEstimate memory(ModelOptions options) {
        TeleWorldConfig.NetworkPrecision packaged = files.world().precision();
        // A run is at most one group of the segment and its guidance.
        List<Integer> groups = files.world().segments().groups();
        long frames = groups.stream()
                .mapToLong(g -> 2L * Collections.frequency(groups, g))
                .max()
                .orElse(1);
        MemoryEstimate networks = WorldParts.estimate(transformerGraph(), options, packaged.transformer(), frames)
                .and(WorldParts.estimate(
                        VideoTransformer.promptGraph(files.transformer()), options, packaged.transformer(), 1))
                .and(WorldParts.estimate(files.encoderGraph(), options, packaged.vae(), 1))
                .and(WorldParts.estimate(files.decoderGraph(), options, packaged.vae(), 1))
                .and(WorldParts.estimate(files.geometryGraph(), options, packaged.geometry(), 1));
        if (files.startGeometry().isPresent()) {
            networks = networks.and(WorldParts.estimate(files.startGeometryGraph(), options, packaged.geometry(), 1));
        }
        return files.superResolution().isEmpty()
                ? networks
                : networks.and(WorldParts.estimate(files.superResolutionGraph(), options, packaged.vae(), 1));
    }

    @Override
    public void requireSound() {
        files.requireFinite();
    }

    @Override
    public Loaded load(TensorRuntime runtime, Scope scope, ModelOptions options, LongSupplier nativeBytes) {
        TeleWorldConfig world = files.world();
        TeleWorldConfig.NetworkPrecision precision = world.precision();
        Program transformer = WorldParts.compile(
                transformerGraph(), files.transformerWeights(), runtime, scope, options, precision.transformer());
        Program encoder =
                WorldParts.compile(files.encoderGraph(), files.vaeWeights(), runtime, scope, options, precision.vae());
        Program decoder =
                WorldParts.compile(files.decoderGraph(), files.vaeWeights(), runtime, scope, options, precision.vae());
        Program geometry = WorldParts.compile(
                files.geometryGraph(), files.geometryWeights(), runtime, scope, options, precision.geometry());
        Optional<GeometryReconstructor.StartNetwork> startGeometry = files.startGeometry()
                .map(config -> new GeometryReconstructor.StartNetwork(
                        WorldParts.compile(
                                files.startGeometryGraph(),
                                files.startGeometryWeights(),
                                runtime,
                                scope,
                                options,
                                precision.geometry()),
                        config));
        VideoCodec codec = new VideoCodec(files.vae(), encoder, decoder, world.width(), world.height(), scope);
        DiffusionGenerator generator = new DiffusionGenerator(
                files.transformer(),
                world.guidance(),
                WorldParts.steps(files.scheduler(), options).sampler(),
                files.scheduler().contextNoise(),
                transformer,
                cacheCapacity(),
                files.latentHeight(),
                files.latentWidth(),
                scope);
        SessionFactory factory = new SessionFactory(
                world.segments(),
                generator,
                world.guidance().holes(),
                () -> new GeometryReconstructor(geometry, files.geometry(), startGeometry, scope),
                codec,
                codec,
                superResolver(runtime, scope, options),
                world.intrinsics(),
                world.frameRate(),
                world.controls(),
                MemoryOptions.DEFAULT,
                WorldParts.tasksAtOnce(runtime.devices().get(0), options.threads()),
                System::nanoTime,
                nativeBytes);
        return new Loaded(
                new ModelDescription(
                        world.name(),
                        world.intrinsics(),
                        world.frameRate(),
                        runtime.name(),
                        files.parameters(),
                        files.superResolution()
                                .map(SuperResolutionConfig::scale)
                                .orElse(1)),
                factory,
                generator);
    }

    /** Super-resolution has the autoencoder's arithmetic: both end in pictures. */
    private Supplier<SuperResolver> superResolver(TensorRuntime runtime, Scope scope, ModelOptions options) {
        if (files.superResolution().isEmpty()) {
            return SuperResolver::identity;
        }
        TeleWorldConfig world = files.world();
        Program program = WorldParts.compile(
                files.superResolutionGraph(),
                files.superResolutionWeights(),
                runtime,
                scope,
                options,
                world.precision().vae());
        FrameEnlarger enlarger =
                new FrameEnlarger(files.superResolution().get(), program, world.width(), world.height(), scope);
        return enlarger::open;
    }

    @Override
    public WorldStart completed(WorldStart start) {
        return start;
    }
}
