package io.teleworld.core.loop;

import io.teleworld.FrameChunk;
import io.teleworld.FrameGenerator.SegmentGeneration;
import io.teleworld.FrameGeometry;
import io.teleworld.GenerationStage;
import io.teleworld.GuidanceFrame;
import io.teleworld.GuidanceLatent;
import io.teleworld.Keyframe;
import io.teleworld.Keys;
import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.SegmentInput;
import io.teleworld.SegmentPlan;
import io.teleworld.StreamDecoder;
import io.teleworld.WorldFrame;
import io.teleworld.core.camera.CameraState;
import io.teleworld.core.camera.KeyboardCamera;
import io.teleworld.core.camera.SceneDepth;
import io.teleworld.core.decode.FrameEnlarger;
import io.teleworld.core.generate.Seeds;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.guide.RenderedMemory;
import io.teleworld.core.memory.MemorySnapshot;
import io.teleworld.core.memory.WorldMemory;
import io.teleworld.core.schedule.ScheduleExecutor;
import io.teleworld.core.schedule.Task;
import io.teleworld.core.schedule.TaskGraph.HandoffMode;
import io.teleworld.error.TeleWorldException;
import io.teleworld.geometry.Pose;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What the tasks of a session do (paper §3.1: generate, reconstruct, guide). In the order of a key press on its way to the
 * screen: {@link #guide}, {@link #generate}, {@link #decode}, {@link #reconstruct}, {@link #reencode}, {@link #upscale},
 * {@link #emit}.
 *
 * <p>Its methods are run by the workers of a {@link ScheduleExecutor}, several at once, but never before what they depend
 * on is complete; that is also what makes results of one task visible to the next.
 */
final class WorldLoop implements ScheduleExecutor.Runner {

    /** Radius, in units of d*, of the tube in which something ahead stops the camera. */
    private static final double TUBE = 0.05;

    private final LoopParts parts;
    private final KeyInput keys;
    private final FrameQueue queue;
    private final LongSupplier nanoClock;
    private final RenderedMemory.Renderers renderers;
    private final KeyboardCamera keyboard;
    private final Map<Integer, Segment> segments = new ConcurrentHashMap<>();
    private volatile WorldMemory memory;
    private volatile @Nullable SceneDepth depth;
    private volatile double depthNow = 1;
    private volatile double lastObserved;
    private volatile @Nullable Listener listener;

    /** Hears of frames that went out. */
    @FunctionalInterface
    interface Listener {
        void emitted(FrameChunk chunk);
    }

    /** A segment in flight. */
    private static final class Segment {
        private final int index;
        private final SegmentPlan plan;
        /** World index of the picture of latent frame 1. */
        private final long firstFrame;

        private final CameraState start;
        private CameraState end;
        private List<Pose> poses = List.of();
        private List<Keys> keys = List.of();
        private List<Long> events = List.of();
        private List<GuidanceLatent> guidance = List.of();
        private @Nullable LatentFrame first;
        private @Nullable SegmentGeneration generation;
        private StreamDecoder.@Nullable Stream stream;
        private final Map<Integer, LatentFrame> latents = new ConcurrentHashMap<>();
        private final Map<Integer, List<RgbImage>> pictures = new ConcurrentHashMap<>();
        private final Map<Integer, List<RgbImage>> enlarged = new ConcurrentHashMap<>();
        private final Map<Integer, RgbImage> planned = new ConcurrentHashMap<>();

        Segment(int index, SegmentPlan plan, long firstFrame, CameraState start) {
            this.index = index;
            this.plan = plan;
            this.firstFrame = firstFrame;
            this.start = start;
            this.end = start;
        }

        void close() {
            SegmentGeneration g = generation;
            if (g != null) {
                g.close();
            }
            StreamDecoder.Stream s = stream;
            if (s != null) {
                s.close();
            }
        }
    }

    WorldLoop(LoopParts parts, KeyInput keys, FrameQueue queue, LongSupplier nanoClock) {
        this.parts = parts;
        this.keys = keys;
        this.queue = queue;
        this.nanoClock = nanoClock;
        this.renderers = new RenderedMemory.Renderers(parts.camera());
        this.keyboard = new KeyboardCamera(parts.controls());
        this.memory = new WorldMemory(parts.memoryOptions());
    }

    void listen(Listener emission) {
        listener = emission;
    }

    RenderedMemory memory() {
        return new RenderedMemory(memory.snapshot(), renderers);
    }

    /** Begins the world: its picture is the first latent frame, its geometry the first content of the memory. */
    void start(RgbImage picture) throws InterruptedException {
        RgbImage image = picture.fit(parts.camera().width(), parts.camera().height());
        Pose pose = Pose.IDENTITY;
        GuidanceFrame nothing = memory().render(List.of(pose), List.of(0.0)).get(0);
        FrameGeometry geometry = reconstructed(List.of(new Keyframe(image, parts.camera(), pose, 0, nothing)))
                .get(0);
        remember(0, image, 0, geometry);
        double median = SceneDepth.centralMedian(
                geometry.depth(), parts.camera().width(), parts.camera().height());
        depthNow = median > 0 ? median : 1;
        depth = new SceneDepth(depthNow);
        Segment segment = new Segment(0, parts.graph().plan(0), 0, CameraState.at(pose));
        segment.first = encode(image);
        segments.put(0, segment);
        RgbImage shown = upscaled(List.of(image)).get(0);
        FrameChunk chunk = new FrameChunk(
                0, List.of(new WorldFrame(shown, pose, 0, 0, parts.script().at(0), 0)));
        put(chunk, () -> false);
    }

    @Override
    public void run(Task task, BooleanSupplier cancelled) throws InterruptedException {
        if (cancelled.getAsBoolean()) {
            throw new CancellationException("the session was closed");
        }
        Segment segment = segment(task.segment());
        switch (task.kind()) {
            case GUIDE -> guide(segment);
            case PLAN, POPULATE -> generate(segment, task.part(), cancelled);
            case REENCODE -> reencode(segment);
            case RECONSTRUCT -> reconstruct(segment);
            case DECODE -> decode(segment, task.part());
            case UPSCALE -> upscale(segment, task.part());
            case EMIT -> emit(segment, task.part(), cancelled);
        }
    }

    private Segment segment(int index) {
        Segment known = segments.get(index);
        if (known != null) {
            return known;
        }
        // Reached by GUIDE first, when the preceding segment has been guided.
        Segment before = Objects.requireNonNull(segments.get(index - 1), "preceding segment");
        return segments.computeIfAbsent(
                index,
                i -> new Segment(
                        i, parts.graph().plan(i), before.firstFrame + before.plan.emittedPixelFrames(), before.end));
    }

    /** Keys to poses to guidance: samples the keys now. */
    private void guide(Segment segment) {
        KeyInput.Sample sample = keys.sample();
        MemorySnapshot known = memory.snapshot();
        int frames = SegmentPlan.lastPixelFrame(segment.plan.length());
        int handoff = SegmentPlan.lastPixelFrame(segment.plan.handoff());
        double scale = depthNow;
        CameraState state = segment.start;
        List<Pose> poses = new ArrayList<>();
        List<Double> times = new ArrayList<>();
        List<Keys> held = new ArrayList<>();
        List<Long> events = new ArrayList<>();
        poses.add(state.pose());
        times.add(time(segment, 0));
        held.add(sample.keys());
        events.add(sample.event());
        long event = sample.event();
        long now = nanoClock.getAsLong();
        for (int i = 1; i <= frames; i++) {
            long frame = segment.firstFrame + i;
            Keys scripted = parts.script().at(frame);
            if (i <= handoff && !scripted.equals(parts.script().at(frame - 1))) {
                event = keys.event(now);
            }
            Keys acting = new Keys(sample.keys().bits() | scripted.bits());
            state = next(state, acting, frame, scale, known);
            poses.add(state.pose());
            times.add(time(segment, i));
            held.add(acting);
            events.add(event);
            if (i == handoff) {
                segment.end = state;
            }
        }
        segment.poses = List.copyOf(poses);
        segment.keys = List.copyOf(held);
        segment.events = List.copyOf(events);
        List<GuidanceFrame> guidance =
                parts.guidance().guide(segment.poses, times, new RenderedMemory(known, renderers));
        if (guidance.isEmpty()) {
            return;
        }
        if (guidance.size() != poses.size()) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    "guidance gave " + guidance.size() + " frames for " + poses.size() + " poses");
        }
        int size = 3 * parts.camera().width() * parts.camera().height();
        float[] pixels = new float[guidance.size() * size];
        for (int i = 0; i < guidance.size(); i++) {
            SegmentLayout.writeGuidancePixels(guidance.get(i), parts.holes(), pixels, i * size);
        }
        segment.guidance =
                SegmentLayout.guidanceLatents(guidance, parts.encoder().encode(pixels, guidance.size()));
    }

    private CameraState next(CameraState state, Keys acting, long frame, double scale, MemorySnapshot known) {
        if (parts.path().isPresent()) {
            return CameraState.at(parts.path().get().at(frame));
        }
        return keyboard.path(
                        state,
                        acting,
                        1,
                        parts.framesPerSecond(),
                        scale,
                        pose -> known.distanceAhead(pose, TUBE * scale))
                .end();
    }

    private double time(Segment segment, int frame) {
        return (segment.firstFrame + frame) / parts.framesPerSecond();
    }

    /** PLAN and POPULATE: denoises one stage. */
    private void generate(Segment segment, int stage, BooleanSupplier cancelled) {
        SegmentGeneration generation = segment.generation;
        if (generation == null) {
            LatentFrame first = Objects.requireNonNull(segment.first, "first latent frame");
            segment.latents.put(1, first);
            generation = parts.generator()
                    .begin(new SegmentInput(
                            segment.index,
                            segment.plan,
                            Map.of(1, first),
                            segment.guidance,
                            Seeds.of(parts.seed(), segment.index)));
            segment.generation = generation;
        }
        GenerationStage work = segment.plan.stages().get(stage);
        segment.latents.putAll(generation.generate(work, cancelled));
        if (stage == segment.plan.stages().size() - 1) {
            generation.close();
            segment.guidance = List.of();
        }
    }

    /** The next latent frame of the stream; latent frame 1 only sets the stream up, its picture was shown before. */
    private void decode(Segment segment, int frame) {
        StreamDecoder.Stream stream = segment.stream;
        if (stream == null) {
            stream = parts.decoder().open();
            segment.stream = stream;
            stream.decode(latent(segment, 1));
        }
        segment.pictures.put(frame, stream.decode(latent(segment, frame)));
        if (frame == segment.plan.handoff()) {
            stream.close();
        }
    }

    private static LatentFrame latent(Segment segment, int frame) {
        return Objects.requireNonNull(segment.latents.get(frame), () -> "latent frame " + frame);
    }

    /**
     * The last picture of a planned frame. Where there is no stream to take it from, the planned frames are decoded as a
     * clip [x¹, xᵃ, xᵃ, xᵇ, xᵇ, …] from a fresh state and the end of each second copy counts: the first copy bridges the
     * gap in time (paper §3.2.1, drift-resilient re-encoding).
     */
    private RgbImage picture(Segment segment, int frame) {
        if (parts.graph().mode() == HandoffMode.STREAM) {
            List<RgbImage> shown = segment.pictures.get(frame);
            if (shown != null) {
                return shown.get(shown.size() - 1);
            }
        }
        synchronized (segment.planned) {
            if (segment.planned.isEmpty()) {
                List<Integer> wanted = new ArrayList<>(segment.plan.keyframes());
                if (!wanted.contains(segment.plan.handoff())) {
                    wanted.add(segment.plan.handoff());
                }
                try (StreamDecoder.Stream clip = parts.decoder().open()) {
                    clip.decode(latent(segment, 1));
                    for (int f : wanted) {
                        clip.decode(latent(segment, f));
                        List<RgbImage> second = clip.decode(latent(segment, f));
                        segment.planned.put(f, second.get(second.size() - 1));
                    }
                }
            }
            return Objects.requireNonNull(segment.planned.get(frame), () -> "picture of latent frame " + frame);
        }
    }

    /** The hand-off picture as a one-frame latent: the next segment's first (paper §3.2.1). */
    private void reencode(Segment segment) {
        LatentFrame first = encode(picture(segment, segment.plan.handoff()));
        segment(segment.index + 1).first = first;
    }

    private LatentFrame encode(RgbImage image) {
        float[] pixels = new float[3 * image.width() * image.height()];
        SegmentLayout.writePixels(image, pixels, 0);
        return parts.encoder().encode(pixels, 1).get(0);
    }

    /** Keyframes to geometry to memory, at the commanded poses (paper §3.3.1). */
    private void reconstruct(Segment segment) {
        RenderedMemory before = memory();
        List<Keyframe> keyframes = new ArrayList<>();
        for (int f : segment.plan.keyframes()) {
            int pixel = SegmentPlan.lastPixelFrame(f);
            Pose pose = segment.poses.get(pixel);
            double time = time(segment, pixel);
            GuidanceFrame known = before.render(List.of(pose), List.of(time)).get(0);
            keyframes.add(new Keyframe(picture(segment, f), parts.camera(), pose, time, known));
        }
        List<FrameGeometry> geometry = reconstructed(keyframes);
        if (!parts.remembers()) {
            memory = new WorldMemory(parts.memoryOptions());
        }
        for (int i = 0; i < keyframes.size(); i++) {
            Keyframe k = keyframes.get(i);
            remember(segment.index, k.image(), k.timeSeconds(), geometry.get(i));
            observe(geometry.get(i), k.timeSeconds());
        }
    }

    private List<FrameGeometry> reconstructed(List<Keyframe> keyframes) {
        List<FrameGeometry> geometry = parts.reconstructor().reconstruct(keyframes);
        if (geometry.size() != keyframes.size()) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    "reconstructor gave " + geometry.size() + " geometries for " + keyframes.size() + " keyframes");
        }
        return geometry;
    }

    private void remember(int segment, RgbImage image, double time, FrameGeometry geometry) {
        byte[] dynamic = new byte[geometry.dynamic().length];
        for (int i = 0; i < dynamic.length; i++) {
            dynamic[i] = (byte) (geometry.dynamic()[i] ? 1 : 0);
        }
        memory.insert(new io.teleworld.core.memory.Keyframe(
                time,
                segment,
                geometry.pose(),
                geometry.intrinsics(),
                image.rgb(),
                geometry.depth(),
                geometry.confidence(),
                dynamic));
    }

    /** Scene depth, by which camera speed is scaled. */
    private void observe(FrameGeometry geometry, double time) {
        SceneDepth scene = depth;
        byte[] still = new byte[geometry.dynamic().length];
        Arrays.fill(still, (byte) 1);
        for (int i = 0; i < still.length; i++) {
            if (geometry.dynamic()[i]) {
                still[i] = 0;
            }
        }
        double median = SceneDepth.centralMedian(
                geometry.depth(),
                geometry.intrinsics().width(),
                geometry.intrinsics().height(),
                still);
        if (scene != null && median > 0 && Double.isFinite(median)) {
            depthNow = scene.observe(median, Math.max(0, time - lastObserved));
        }
        lastObserved = time;
    }

    private void upscale(Segment segment, int frame) {
        segment.enlarged.put(frame, upscaled(Objects.requireNonNull(segment.pictures.get(frame), "pictures")));
    }

    private List<RgbImage> upscaled(List<RgbImage> pictures) {
        List<RgbImage> large = parts.superResolver().upscale(pictures);
        if (large.size() != pictures.size()) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    "super-resolution gave " + large.size() + " pictures for " + pictures.size());
        }
        return large;
    }

    private void emit(Segment segment, int frame, BooleanSupplier cancelled) throws InterruptedException {
        List<RgbImage> images = Objects.requireNonNull(segment.enlarged.remove(frame), "enlarged pictures");
        int pixel = SegmentPlan.firstPixelFrame(frame);
        List<WorldFrame> frames = new ArrayList<>();
        for (int i = 0; i < images.size(); i++) {
            int at = pixel + i;
            frames.add(new WorldFrame(
                    images.get(i),
                    segment.poses.get(at),
                    time(segment, at),
                    segment.firstFrame + at,
                    segment.keys.get(at),
                    segment.events.get(at)));
        }
        put(new FrameChunk(segment.index, frames), cancelled);
        if (frame == segment.plan.handoff()) {
            // What the next segment needs of this one (start state, first latent) it holds by now or takes from `end`.
            segments.remove(segment.index - 1);
        }
    }

    private void put(FrameChunk chunk, BooleanSupplier cancelled) throws InterruptedException {
        if (!queue.put(chunk, cancelled)) {
            throw new CancellationException("the session was closed");
        }
        Listener l = listener;
        if (l != null) {
            l.emitted(chunk);
        }
    }

    /** Releases what segments in flight hold; call when no task runs any more. */
    void close() {
        segments.values().forEach(Segment::close);
        segments.clear();
        if (parts.superResolver() instanceof FrameEnlarger.Stream own) {
            own.close();
        }
    }
}
