package io.teleworld.core.model;

import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.geometry.Intrinsics;
import java.util.List;

/**
 * How sessions run a causal checkpoint of the Wan family: {@code session.json} beside its files. Every key may be left
 * out, and so may the file. Immutable.
 *
 * @param name of the model
 * @param height of pictures in pixels, a multiple of 16
 * @param width of pictures in pixels, a multiple of 16
 * @param frameRate pictures per second
 * @param horizontalFovDegrees the camera's horizontal field of view, in (0, 180); it only places the poses of frames
 * @param block latent frames that are denoised together
 * @param blocks per segment; each sees the blocks of its segment before it
 * @param generator file of the few-step checkpoint, relative; empty looks for those that are known
 * @param lora file of low-rank changes to it, relative; empty for none, or {@code lora.pt} beside {@code longlive_base.pt}
 * @param denoisingSteps descending timesteps; empty takes the scheduler's, or 1000, 750, 500, 250
 * @param warpDenoisingSteps whether the shift warps them
 * @param flowShift of the noise schedule
 * @param contextNoise timestep at which finished frames are put into the cache
 * @param controls how keys move the camera
 */
public record WanSessionConfig(
        String name,
        int height,
        int width,
        double frameRate,
        double horizontalFovDegrees,
        int block,
        int blocks,
        String generator,
        String lora,
        List<Integer> denoisingSteps,
        boolean warpDenoisingSteps,
        double flowShift,
        double contextNoise,
        CameraOptions controls) {

    /** Self-Forcing at 480×832: seven blocks of three latent frames. */
    public static final WanSessionConfig SELF_FORCING =
            new WanSessionConfig("wan", 480, 832, 16, 75, 3, 7, "", "", List.of(), true, 5, 0, CameraOptions.DEFAULT);

    public WanSessionConfig {
        denoisingSteps = List.copyOf(denoisingSteps);
        if (height < 16 || width < 16 || height % 16 != 0 || width % 16 != 0) {
            throw new IllegalArgumentException(
                    "height is " + height + ", width " + width + "; both must be positive multiples of 16");
        }
        if (!(frameRate > 0 && frameRate <= 1000)) {
            throw new IllegalArgumentException("frame_rate is " + frameRate + "; allowed is (0, 1000]");
        }
        if (!(horizontalFovDegrees > 0 && horizontalFovDegrees < 180)) {
            throw new IllegalArgumentException(
                    "horizontal_fov_degrees is " + horizontalFovDegrees + "; allowed is (0, 180)");
        }
        if (block < 1 || blocks < 1) {
            throw new IllegalArgumentException("block is " + block + ", blocks " + blocks + "; at least 1 each");
        }
    }

    /** The camera. */
    public Intrinsics intrinsics() {
        return Intrinsics.ofHorizontalFieldOfView(width, height, Math.toRadians(horizontalFovDegrees));
    }

    /**
     * The steps.
     *
     * @param otherwise those that are taken if the configuration has none
     */
    public SchedulerConfig scheduler(List<Integer> otherwise) {
        return new SchedulerConfig(
                1000,
                flowShift,
                denoisingSteps.isEmpty() ? otherwise : denoisingSteps,
                warpDenoisingSteps,
                contextNoise,
                SchedulerConfig.FEW_STEP.solverSteps(),
                SchedulerConfig.FEW_STEP.guidanceScale());
    }
}
