package io.teleworld.training.recipe;

import io.teleworld.CameraPath;
import io.teleworld.ChainingPolicy;
import io.teleworld.FrameGenerator;
import io.teleworld.GenerationStage;
import io.teleworld.GuidanceLatent;
import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.SegmentInput;
import io.teleworld.SegmentPlan;
import io.teleworld.SuperResolver;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.decode.VideoCodec;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.DiffusionGenerator;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.loop.SessionFactory;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.reconstruct.DepthMaps;
import io.teleworld.core.reconstruct.GeometryReconstructor;
import io.teleworld.error.TeleWorldException;
import io.teleworld.geometry.Pose;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.CoVisibility;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.data.WorldStyle;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Plays sessions along clips of ground truth and records each segment: what the video transformer was given, and what it
 * should have made. Everything but the generator is the sessions' own (memory, geometry, guidance, decoding, hand-off), so
 * the errors that sessions make are in the records.
 *
 * <p>Without a transformer the truth takes the generator's place (teacher forcing), and all of it counts. With one the
 * roll-out is its own (self-forcing, arXiv 2506.08009); then the truth counts as far as the start picture determines it.
 *
 * <p>Confined to one thread; the owner closes it.
 */
public final class RolloutRecorder implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofMinutes(5);
    private static final int MASK_CHANNELS = 2;

    /**
     * A transformer that makes its own roll-outs.
     *
     * @param network its sizes and weights
     * @param scheduler its sampling steps
     * @param statistics of the latents that it was trained on
     */
    public record Student(
            NetworkFile<VideoTransformerConfig> network, SchedulerConfig scheduler, LatentStatistics statistics) {}

    private final TeleWorldConfig world;
    private final VideoAutoencoderConfig autoencoder;
    private final Scope scope = Scope.root("roll-outs");
    private final VideoCodec codec;
    private final SessionFactory sessions;
    private final @Nullable FrameGenerator student;
    private final @Nullable LatentStatistics statistics;
    private final SegmentPlan plan;

    /**
     * A recorder.
     *
     * @param world sizes and segments
     * @param autoencoder without latent statistics
     * @param geometry the geometry network
     * @param startGeometry that for start pictures; null for none of its own
     * @param student makes the roll-outs; null for the truth
     * @param runtime runs the networks; borrowed
     */
    public RolloutRecorder(
            TeleWorldConfig world,
            NetworkFile<VideoAutoencoderConfig> autoencoder,
            NetworkFile<GeometryNetConfig> geometry,
            @Nullable NetworkFile<GeometryNetConfig> startGeometry,
            @Nullable Student student,
            TensorRuntime runtime) {
        this.world = world;
        this.statistics = student == null ? null : student.statistics();
        this.autoencoder = student == null
                ? autoencoder.config()
                : autoencoder
                        .config()
                        .withLatentStatistics(
                                student.statistics().mean(),
                                student.statistics().std());
        this.plan = world.segments().plan(ChainingPolicy.MAX_THROUGHPUT);
        int factor = this.autoencoder.spatialFactor();
        int h = world.height() / factor;
        int w = world.width() / factor;
        this.codec = new VideoCodec(
                this.autoencoder,
                compile(
                        runtime,
                        VideoAutoencoder.encoderGraph(this.autoencoder, world.height(), world.width()),
                        autoencoder.weights()),
                compile(runtime, VideoAutoencoder.decoderGraph(this.autoencoder, h, w), autoencoder.weights()),
                world.width(),
                world.height(),
                scope);
        if (student == null) {
            this.student = null;
        } else {
            int capacity = SegmentLayout.cacheCapacity(plan, world.guidance());
            VideoTransformerConfig config = student.network().config();
            this.student = new DiffusionGenerator(
                    config,
                    world.guidance(),
                    student.scheduler().sampler(),
                    student.scheduler().contextNoise(),
                    compile(
                            runtime,
                            VideoTransformer.cachedGraph(config, h, w, capacity),
                            student.network().weights()),
                    capacity,
                    h,
                    w,
                    scope);
        }
        Program depth = compile(
                runtime, GeometryNet.graph(geometry.config(), world.height(), world.width()), geometry.weights());
        Optional<GeometryReconstructor.StartNetwork> start = Optional.ofNullable(startGeometry)
                .map(net -> new GeometryReconstructor.StartNetwork(
                        compile(
                                runtime,
                                GeometryNet.clipGraph(net.config(), 1, world.height(), world.width()),
                                net.weights()),
                        net.config()));
        this.sessions = new SessionFactory(
                world.segments(),
                input -> {
                    throw new IllegalStateException("a roll-out brings its own generator");
                },
                world.guidance().holes(),
                () -> new GeometryReconstructor(depth, geometry.config(), start, scope),
                codec,
                codec,
                SuperResolver::identity,
                world.intrinsics(),
                world.frameRate(),
                world.controls(),
                MemoryOptions.DEFAULT,
                1,
                System::nanoTime,
                () -> 0);
    }

    private Program compile(TensorRuntime runtime, Graph graph, Map<String, HostTensor> weights) {
        Map<String, HostTensor> needed = new LinkedHashMap<>();
        graph.parameters().keySet().forEach(name -> {
            HostTensor t = weights.get(name);
            if (t != null) {
                needed.put(name, t);
            }
        });
        return scope.adopt(runtime.compile(graph, Weights.of(needed), Precision.FP32));
    }

    /** The shape of the records, with a segment count of 0. */
    public LatentCache.Header header() {
        int f = autoencoder.spatialFactor();
        return new LatentCache.Header(
                0, plan.length(), autoencoder.latentChannels(), world.height() / f, world.width() / f, MASK_CHANNELS);
    }

    /** Frames of a clip of so many segments. */
    public int clipFrames(int segments) {
        return 1 + segments * plan.emittedPixelFrames();
    }

    /**
     * Plays a session along a clip and appends its segments.
     *
     * @param clip its first frame is the start picture; length is {@link #clipFrames} of the segments wanted
     * @param seed of the session's noise
     * @return the share of the guidance, in [0, 1], that is not holes
     * @throws TeleWorldException if the session fails
     */
    public double record(GroundTruthClip clip, long seed, LatentCache.Writer writer) throws InterruptedException {
        int segments = (clip.frames() - 1) / plan.emittedPixelFrames();
        if (segments < 1) {
            throw new IllegalArgumentException(
                    "clip has " + clip.frames() + " frames; a segment needs " + clipFrames(1));
        }
        Recording recording = new Recording(clip, segments, writer);
        int size = 3 * clip.width() * clip.height();
        RgbImage picture = new RgbImage(clip.width(), clip.height(), Arrays.copyOf(clip.rgb(), size));
        WorldStart start =
                WorldStart.image(picture).seed(seed).frameGenerator(recording).cameraPath(path(clip));
        try (WorldSession session = sessions.start(start, RolloutRecorder::thread, () -> {})) {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (recording.recorded() < segments) {
                if (System.nanoTime() > deadline) {
                    throw new TeleWorldException(
                            TeleWorldException.Category.INTERNAL,
                            "roll-out stands still after " + recording.recorded() + " of " + segments + " segments");
                }
                // Chunks are taken so that the session goes on; each is a sign of life.
                if (session.next(Duration.ofMillis(50)).isPresent()) {
                    deadline = System.nanoTime() + PATIENCE.toNanos();
                }
            }
        }
        return recording.coverage();
    }

    private static Thread thread(Runnable work) {
        Thread t = new Thread(work, "roll-out");
        t.setDaemon(true);
        return t;
    }

    /** The clip's path from the identity, in units of the start view's median depth; it stands still at its end. */
    private static CameraPath path(GroundTruthClip clip) {
        Pose toStart = clip.poses().get(0).inverse();
        double unit = DepthMaps.median(Arrays.copyOf(clip.depth(), clip.width() * clip.height()));
        return frame -> {
            Pose p = toStart.compose(clip.poses().get((int) Math.min(frame, clip.frames() - 1)));
            return p.withTranslation(p.tx() / unit, p.ty() / unit, p.tz() / unit);
        };
    }

    @Override
    public void close() {
        scope.close();
    }

    /** Stands between a session and what generates for it. */
    private final class Recording implements FrameGenerator {

        private final GroundTruthClip clip;
        private final int segments;
        private final LatentCache.Writer writer;
        private int recorded;
        private double covered;

        Recording(GroundTruthClip clip, int segments, LatentCache.Writer writer) {
            this.clip = clip;
            this.segments = segments;
            this.writer = writer;
        }

        synchronized int recorded() {
            return recorded;
        }

        synchronized double coverage() {
            return covered / segments;
        }

        @Override
        public SegmentGeneration begin(SegmentInput input) {
            if (input.segment() >= segments) {
                // The session looks ahead, beyond the clip; nobody will see this.
                return new Still(input);
            }
            int first = input.segment() * plan.emittedPixelFrames();
            return new Recorded(input, first, truth(first));
        }

        private List<LatentFrame> truth(int first) {
            int count = SegmentPlan.lastPixelFrame(plan.length()) + 1;
            int available = Math.min(count, clip.frames() - first);
            int size = 3 * clip.width() * clip.height();
            float[] pixels = new float[count * size];
            clip.normalised(first, available, 0, 0, clip.height(), clip.width(), pixels, 0);
            for (int t = available; t < count; t++) {
                System.arraycopy(pixels, (available - 1) * size, pixels, t * size, size);
            }
            return codec.encode(pixels, count);
        }

        private synchronized void append(
                SegmentInput input, int first, List<LatentFrame> truth, Map<Integer, LatentFrame> made) {
            LatentCache.Segment record = LatentCache.Segment.of(header());
            for (int f = 1; f <= plan.length(); f++) {
                write(truth.get(f - 1), record.target(), f);
                write(made.getOrDefault(f, truth.get(f - 1)), record.context(), f);
                GuidanceLatent guidance = input.guidance().get(f - 1);
                write(guidance.latent(), record.guidance(), f);
                int area = guidance.known().length;
                System.arraycopy(guidance.known(), 0, record.mask(), (f - 1) * MASK_CHANNELS * area, area);
                System.arraycopy(guidance.dynamic(), 0, record.mask(), ((f - 1) * MASK_CHANNELS + 1) * area, area);
                float[] weight = new float[area];
                if (student == null) {
                    Arrays.fill(weight, 1);
                } else {
                    int last = clip.frames() - 1;
                    weight = CoVisibility.withStart(
                            clip,
                            Math.min(last, first + SegmentPlan.firstPixelFrame(f)),
                            Math.min(last, first + SegmentPlan.lastPixelFrame(f)),
                            autoencoder.spatialFactor());
                }
                System.arraycopy(weight, 0, record.weight(), (f - 1) * area, area);
                for (float known : guidance.known()) {
                    covered += (double) known / (area * plan.length());
                }
            }
            try {
                writer.append(
                        record,
                        WorldStyle.of(clip, first, Math.min(clip.frames() - 1, first + plan.emittedPixelFrames())));
            } catch (IOException e) {
                throw new TeleWorldException(
                        TeleWorldException.Category.RESOURCE, "roll-out cannot be written: " + e.getMessage(), e);
            }
            recorded++;
        }

        /** Latents as the autoencoder makes them, whatever the transformer's normalisation. */
        private void write(LatentFrame frame, float[] into, int number) {
            int area = frame.height() * frame.width();
            int at = (number - 1) * frame.size();
            float[] values = frame.values();
            LatentStatistics s = statistics;
            for (int i = 0; i < values.length; i++) {
                into[at + i] = s == null
                        ? values[i]
                        : (float) (values[i] * s.std().get(i / area) + s.mean().get(i / area));
            }
        }

        /** A segment whose frames are the truth, or the student's, and are recorded when they are complete. */
        private final class Recorded implements SegmentGeneration {

            private final SegmentInput input;
            private final int first;
            private final List<LatentFrame> truth;
            private final @Nullable SegmentGeneration own;
            private final Map<Integer, LatentFrame> made = new LinkedHashMap<>();

            Recorded(SegmentInput input, int first, List<LatentFrame> truth) {
                this.input = input;
                this.first = first;
                this.truth = truth;
                FrameGenerator generator = student;
                this.own = generator == null ? null : generator.begin(input);
                made.putAll(input.given());
            }

            @Override
            public Map<Integer, LatentFrame> generate(GenerationStage stage, BooleanSupplier cancelled) {
                Map<Integer, LatentFrame> frames = new LinkedHashMap<>();
                SegmentGeneration generation = own;
                if (generation != null) {
                    frames.putAll(generation.generate(stage, cancelled));
                } else {
                    stage.frames().forEach(f -> frames.put(f, truth.get(f - 1)));
                }
                made.putAll(frames);
                List<GenerationStage> stages = input.plan().stages();
                if (stage.equals(stages.get(stages.size() - 1))) {
                    append(input, first, truth, made);
                }
                return frames;
            }

            @Override
            public void close() {
                SegmentGeneration generation = own;
                if (generation != null) {
                    generation.close();
                }
            }
        }
    }

    /** A segment in which nothing changes. */
    private record Still(SegmentInput input) implements FrameGenerator.SegmentGeneration {

        @Override
        public Map<Integer, LatentFrame> generate(GenerationStage stage, BooleanSupplier cancelled) {
            Map<Integer, LatentFrame> frames = new LinkedHashMap<>();
            LatentFrame given = input.given().values().iterator().next();
            stage.frames().forEach(f -> frames.put(f, given));
            return frames;
        }

        @Override
        public void close() {}
    }
}
