package io.teleworld;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * How one segment of video is made: which latent frames are given, which are denoised together and in which order, and
 * what is passed on. Immutable.
 *
 * <p>Latent frames are numbered from 1. Frame 1 holds one pixel frame, every later one four (for a video autoencoder
 * with a temporal factor of 4); frame 1 is the end of the preceding segment and its picture is not shown again.
 *
 * @param length the number N of latent frames, at least 2
 * @param given frames that are there before the first stage; must contain 1
 * @param stages in order; the first is of kind PLAN, and PLAN stages precede POPULATE stages
 * @param keyframes frames whose pictures are reconstructed into the 4D memory; made by PLAN stages
 * @param handoff the frame that becomes the next segment's frame 1; made by a PLAN stage
 * @param emitted frames that are shown, 2…{@code handoff} without a gap
 */
public record SegmentPlan(
        int length,
        List<Integer> given,
        List<GenerationStage> stages,
        List<Integer> keyframes,
        int handoff,
        List<Integer> emitted) {

    public SegmentPlan {
        given = List.copyOf(given);
        stages = List.copyOf(stages);
        keyframes = List.copyOf(keyframes);
        emitted = List.copyOf(emitted);
        if (length < 2) {
            throw new IllegalArgumentException("segment length is " + length + " latent frames; at least 2 are needed");
        }
        GenerationStage.requireAscending(given, "given frames");
        GenerationStage.requireAscending(keyframes, "keyframes");
        if (!given.contains(1)) {
            throw new IllegalArgumentException("given frames are " + given + "; frame 1 must be among them");
        }
        requireInside(given, length, "given frame");
        if (stages.isEmpty() || stages.get(0).kind() != StageKind.PLAN) {
            throw new IllegalArgumentException("a segment needs stages, and the first must be of kind PLAN");
        }
        Set<Integer> made = new TreeSet<>(given);
        Set<Integer> planned = new HashSet<>();
        StageKind previous = StageKind.PLAN;
        for (GenerationStage stage : stages) {
            requireInside(stage.frames(), length, "stage frame");
            if (stage.kind() == StageKind.PLAN && previous == StageKind.POPULATE) {
                throw new IllegalArgumentException("stage " + stage.frames() + " plans after a stage that populates");
            }
            previous = stage.kind();
            if (!made.containsAll(stage.visible())) {
                throw new IllegalArgumentException("stage " + stage.frames() + " sees " + stage.visible()
                        + ", but only " + made + " are made before it");
            }
            for (int f : stage.frames()) {
                if (!made.add(f)) {
                    throw new IllegalArgumentException("frame " + f + " is made twice");
                }
                if (stage.kind() == StageKind.PLAN) {
                    planned.add(f);
                }
            }
        }
        if (handoff < 2 || !planned.contains(handoff)) {
            throw new IllegalArgumentException(
                    "hand-off frame is " + handoff + "; it must be one of the planned frames " + planned);
        }
        if (!planned.containsAll(keyframes)) {
            throw new IllegalArgumentException(
                    "keyframes are " + keyframes + "; only planned frames " + planned + " can be keyframes");
        }
        for (int i = 0; i < emitted.size(); i++) {
            if (emitted.get(i) != i + 2) {
                throw new IllegalArgumentException("emitted frames are " + emitted + "; they must be 2…" + handoff);
            }
        }
        if (emitted.size() != handoff - 1) {
            throw new IllegalArgumentException("emitted frames are " + emitted + "; they must be 2…" + handoff);
        }
        if (!made.containsAll(emitted)) {
            Set<Integer> gap = new TreeSet<>(emitted);
            gap.removeAll(made);
            throw new IllegalArgumentException("frames " + gap + " are emitted but no stage makes them");
        }
    }

    private static void requireInside(List<Integer> frames, int length, String what) {
        for (int f : frames) {
            if (f < 1 || f > length) {
                throw new IllegalArgumentException(what + " is " + f + "; it must lie in [1, " + length + "]");
            }
        }
    }

    /** Pixel frames that the segment adds to the video, four for each emitted latent frame. */
    public int emittedPixelFrames() {
        return 4 * emitted.size();
    }

    /** The first pixel frame (0 = the picture of latent frame 1) that latent frame {@code latent} holds. */
    public static int firstPixelFrame(int latent) {
        return latent == 1 ? 0 : 4 * (latent - 2) + 1;
    }

    /** The last pixel frame that latent frame {@code latent} holds. */
    public static int lastPixelFrame(int latent) {
        return 4 * (latent - 1);
    }
}
