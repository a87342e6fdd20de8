package io.teleworld.core.loop;

import io.teleworld.CameraPath;
import io.teleworld.FrameGenerator;
import io.teleworld.Guidance;
import io.teleworld.KeyScript;
import io.teleworld.Reconstructor;
import io.teleworld.StreamDecoder;
import io.teleworld.SuperResolver;
import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.decode.FrameEncoder;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.schedule.TaskGraph;
import io.teleworld.geometry.Intrinsics;
import java.util.Optional;

/**
 * What a loop is made of. Immutable; the parts are borrowed.
 *
 * @param graph plans and hand-off mode
 * @param generator denoises
 * @param guidance shows what is known
 * @param holes what the encoder is shown where nothing is known
 * @param reconstructor recovers geometry
 * @param encoder pictures to latents
 * @param decoder latents to pictures
 * @param superResolver enlarges what is shown
 * @param camera intrinsics of generated pictures
 * @param framesPerSecond of the video
 * @param controls how keys move the camera
 * @param memoryOptions bounds of the 4D memory
 * @param remembers whether the memory outlives a segment
 * @param script keys by frame
 * @param path poses by frame, where the keys do not move the camera
 * @param seed of all noise
 */
record LoopParts(
        TaskGraph graph,
        FrameGenerator generator,
        Guidance guidance,
        GuidanceConfig.Holes holes,
        Reconstructor reconstructor,
        FrameEncoder encoder,
        StreamDecoder decoder,
        SuperResolver superResolver,
        Intrinsics camera,
        double framesPerSecond,
        CameraOptions controls,
        MemoryOptions memoryOptions,
        boolean remembers,
        KeyScript script,
        Optional<CameraPath> path,
        long seed) {}
