package io.teleworld.core.loop;

import io.teleworld.FrameGenerator;
import io.teleworld.Guidance;
import io.teleworld.Planner;
import io.teleworld.Reconstructor;
import io.teleworld.RgbImage;
import io.teleworld.StreamDecoder;
import io.teleworld.SuperResolver;
import io.teleworld.WorldStart;
import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.decode.FrameEncoder;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.core.plan.SegmentMap;
import io.teleworld.core.schedule.TaskGraph;
import io.teleworld.core.schedule.TaskGraph.HandoffMode;
import io.teleworld.geometry.Intrinsics;
import java.util.concurrent.ThreadFactory;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Starts sessions from a model's own components and what a {@link WorldStart} puts in their place. Immutable and
 * thread-safe; the components are borrowed.
 *
 * @param segments the model's segment map
 * @param generator the model's
 * @param holes what the encoder is shown of guidance where nothing is known
 * @param reconstructor makes one for a session; it may remember the session's scale
 * @param encoder the model's
 * @param decoder the model's
 * @param superResolver makes one for a session; the session closes it if it can be closed
 * @param camera intrinsics of generated pictures
 * @param framesPerSecond of the video
 * @param controls how keys move the camera
 * @param memoryOptions bounds of the 4D memory
 * @param devices how many tasks may run at once
 * @param nanoClock monotonic nanoseconds
 * @param nativeBytes memory outside the heap
 */
public record SessionFactory(
        SegmentMap segments,
        FrameGenerator generator,
        GuidanceConfig.Holes holes,
        Supplier<Reconstructor> reconstructor,
        FrameEncoder encoder,
        StreamDecoder decoder,
        Supplier<SuperResolver> superResolver,
        Intrinsics camera,
        double framesPerSecond,
        CameraOptions controls,
        MemoryOptions memoryOptions,
        int devices,
        LongSupplier nanoClock,
        LongSupplier nativeBytes) {

    /**
     * Starts a session.
     *
     * <p>With look-ahead 0 hand-off pictures are those of the decoded stream; to look ahead, they are decoded apart.
     *
     * @param threads makes the session's threads
     * @param onClose called once when the session has been closed
     * @throws io.teleworld.error.TeleWorldException of category USER if the start picture cannot be read
     */
    public LoopSession start(WorldStart start, ThreadFactory threads, Runnable onClose) {
        RgbImage picture = start.readImage();
        Planner planner = start.planner().orElseGet(() -> new MacroMicroPlanner(segments, start.chaining()));
        HandoffMode mode = start.lookahead() == 0 ? HandoffMode.STREAM : HandoffMode.CLIP;
        LoopParts parts = new LoopParts(
                new TaskGraph(planner, mode),
                start.frameGenerator().orElse(generator),
                start.guidance().orElseGet(Guidance::rendered),
                holes,
                start.reconstructor().orElseGet(reconstructor),
                encoder,
                start.streamDecoder().orElse(decoder),
                superResolver(start),
                camera,
                framesPerSecond,
                start.idleDrift() ? controls : controls.withIdleSpeed(0),
                memoryOptions,
                start.memory(),
                start.script(),
                start.cameraPath(),
                start.seed());
        LoopSession session = new LoopSession(
                parts,
                start.keys(),
                start.lookahead(),
                devices,
                start.queuedChunks(),
                threads,
                nanoClock,
                nativeBytes,
                onClose);
        try {
            session.start(picture, threads);
        } catch (RuntimeException | Error e) {
            session.close();
            throw e;
        }
        return session;
    }

    private SuperResolver superResolver(WorldStart start) {
        return start.superResolver()
                .orElseGet(() -> start.superResolution() ? superResolver.get() : SuperResolver.identity());
    }
}
