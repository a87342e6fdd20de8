package io.teleworld.core;

import io.teleworld.FrameGeometry;
import io.teleworld.Guidance;
import io.teleworld.Keyframe;
import io.teleworld.ModelDescription;
import io.teleworld.ModelOptions;
import io.teleworld.SuperResolver;
import io.teleworld.WorldStart;
import io.teleworld.core.decode.WanCodec;
import io.teleworld.core.generate.DiffusionGenerator;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.loop.SessionFactory;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.model.MemoryEstimate;
import io.teleworld.core.model.ModelFiles;
import io.teleworld.core.model.Prompts;
import io.teleworld.core.model.WanSessionConfig;
import io.teleworld.core.model.WanSessionPackage;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WanAutoencoder;
import io.teleworld.core.plan.FrameChainPlanner;
import io.teleworld.core.plan.SegmentMap;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * A causal model of the Wan family. It knows neither guidance nor geometry: keys move the camera's poses, but the pictures
 * follow the start picture and the prompt alone, and the memory stays empty.
 */
record WanWorldParts(WanSessionPackage model, Prompts prompts) implements WorldParts {

    private static final int PIXELS_PER_CELL = 8;

    /** For users that bring guidance of their own; there is none by default. */
    private static final GuidanceConfig GUIDANCE = new GuidanceConfig(
            GuidanceConfig.Layout.PAIRED,
            GuidanceConfig.Order.GUIDANCE_FIRST,
            0,
            GuidanceConfig.TimestepMode.CLEAN,
            0,
            false,
            GuidanceConfig.Holes.GREY);

    static boolean accepts(ModelFiles files) {
        return WanSessionPackage.accepts(files);
    }

    static WanWorldParts open(ModelFiles files) {
        WanSessionPackage model = WanSessionPackage.open(files);
        VideoTransformerConfig t = model.transformer();
        return new WanWorldParts(model, new Prompts(files, t.textLen(), t.textDim()));
    }

    @Override
    public String name() {
        return model.settings().name();
    }

    @Override
    public VideoTransformerConfig transformer() {
        return model.transformer();
    }

    @Override
    public Weights transformerWeights() {
        return model.transformerWeights();
    }

    @Override
    public Precision transformerPrecision() {
        return Precision.FP32;
    }

    private FrameChainPlanner planner() {
        return new FrameChainPlanner(model.settings().block(), model.settings().blocks());
    }

    private int rows() {
        return model.settings().height() / PIXELS_PER_CELL;
    }

    private int columns() {
        return model.settings().width() / PIXELS_PER_CELL;
    }

    /** Without guidance, the frames that some block sees. */
    private int cacheCapacity() {
        return SegmentLayout.cacheCapacity(planner().plan(0), GUIDANCE, false);
    }

    private Graph transformerGraph() {
        return VideoTransformer.promptedGraph(transformer(), rows(), columns(), cacheCapacity());
    }

    private Graph encoder(boolean first) {
        return WanAutoencoder.encoderGraph(
                model.vae(), model.settings().height(), model.settings().width(), first);
    }

    private Graph decoder(boolean first) {
        return WanAutoencoder.decoderGraph(model.vae(), rows(), columns(), first);
    }

    @Override
    public MemoryEstimate memory(ModelOptions options) {
        MemoryEstimate all = WorldParts.estimate(
                        transformerGraph(),
                        options,
                        Precision.FP32,
                        model.settings().block())
                .and(WorldParts.estimate(VideoTransformer.promptGraph(transformer()), options, Precision.FP32, 1));
        for (boolean first : new boolean[] {true, false}) {
            all = all.and(WorldParts.estimate(encoder(first), options, Precision.FP32, 1))
                    .and(WorldParts.estimate(decoder(first), options, Precision.FP32, 1));
        }
        return all;
    }

    /** Published weights of gigabytes are taken as they are; reading them twice would double the time to start. */
    @Override
    public void requireSound() {}

    @Override
    public Loaded load(TensorRuntime runtime, Scope scope, ModelOptions options, LongSupplier nativeBytes) {
        WanSessionConfig settings = model.settings();
        Program transformer =
                WorldParts.compile(transformerGraph(), transformerWeights(), runtime, scope, options, Precision.FP32);
        WanCodec codec = new WanCodec(
                new WanCodec.Programs(
                        autoencoder(encoder(true), runtime, scope, options),
                        autoencoder(encoder(false), runtime, scope, options),
                        autoencoder(decoder(true), runtime, scope, options),
                        autoencoder(decoder(false), runtime, scope, options)),
                settings.width(),
                settings.height(),
                scope);
        DiffusionGenerator generator = new DiffusionGenerator(
                transformer(),
                GUIDANCE,
                WorldParts.steps(model.scheduler(), options).sampler(),
                model.scheduler().contextNoise(),
                transformer,
                cacheCapacity(),
                rows(),
                columns(),
                scope);
        SessionFactory factory = new SessionFactory(
                SegmentMap.MACRO_MICRO,
                generator,
                GUIDANCE.holes(),
                () -> WanWorldParts::unknown,
                codec,
                codec,
                SuperResolver::identity,
                settings.intrinsics(),
                settings.frameRate(),
                settings.controls(),
                MemoryOptions.DEFAULT,
                1,
                System::nanoTime,
                nativeBytes);
        return new Loaded(
                new ModelDescription(
                        settings.name(),
                        settings.intrinsics(),
                        settings.frameRate(),
                        runtime.name(),
                        model.transformerWeights().parameters()
                                + model.vaeWeights().parameters(),
                        1),
                factory,
                generator);
    }

    private Program autoencoder(Graph graph, TensorRuntime runtime, Scope scope, ModelOptions options) {
        return WorldParts.compile(graph, model.vaeWeights(), runtime, scope, options, Precision.FP32);
    }

    /** No geometry: depth 0 is invalid everywhere. */
    private static List<FrameGeometry> unknown(List<Keyframe> keyframes) {
        List<FrameGeometry> out = new ArrayList<>();
        for (Keyframe k : keyframes) {
            int n = k.image().width() * k.image().height();
            out.add(new FrameGeometry(new float[n], new float[n], k.intrinsics(), k.pose(), new boolean[n]));
        }
        return out;
    }

    @Override
    public WorldStart completed(WorldStart start) {
        WorldStart out = start.planner().isPresent() ? start : start.planner(planner());
        return out.guidance().isPresent() ? out : out.guidance(Guidance.off());
    }
}
