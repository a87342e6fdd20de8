package io.teleworld.training.data;

import io.teleworld.GuidanceFrame;
import io.teleworld.RgbImage;
import io.teleworld.core.camera.KeyboardCamera;
import io.teleworld.core.memory.GuidanceView;
import io.teleworld.core.memory.Keyframe;
import io.teleworld.core.memory.MemoryOptions;
import io.teleworld.core.memory.MemoryRenderer;
import io.teleworld.core.memory.WorldMemory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;

/**
 * Imitates what a session's memory will show: builds a 4D memory from a few earlier frames of a clip, with the errors
 * that a reconstruction makes, and renders it along the rest (rendered guidance with stale views, noisy depth and
 * holes). Confined to one thread.
 */
public final class SegmentSimulator {

    private static final int LATENT_FRAMES = 4;

    private final MemoryRenderer renderer = new MemoryRenderer();
    private final double depthNoise;

    /**
     * A simulator.
     *
     * @param depthNoise relative deviation of the errors of depth: one factor per keyframe, and one smooth field
     */
    public SegmentSimulator(double depthNoise) {
        if (!(depthNoise >= 0)) {
            throw new IllegalArgumentException("depth noise is " + depthNoise + "; it must be at least 0");
        }
        this.depthNoise = depthNoise;
    }

    /**
     * Renders guidance for the frames {@code first … first+count−1}.
     *
     * @param clip the truth
     * @param first the frame that the segment starts from; always in the memory
     * @param count frames to render, the first of which is {@code first} itself
     * @param history the most keyframes from before {@code first}
     */
    public List<GuidanceFrame> guidance(
            GroundTruthClip clip, int first, int count, int history, SplittableRandom random) {
        TreeSet<Integer> keyframes = new TreeSet<>();
        keyframes.add(first);
        for (int k = 0; k < history && first >= LATENT_FRAMES; k++) {
            keyframes.add(LATENT_FRAMES * random.nextInt(first / LATENT_FRAMES));
        }
        WorldMemory memory = new WorldMemory(MemoryOptions.DEFAULT);
        int segment = 0;
        for (int frame : keyframes) {
            memory.insert(keyframe(clip, frame, segment++, random));
        }
        var snapshot = memory.snapshot();
        int dilation = random.nextInt(5) == 0 ? 1 : 0;
        List<GuidanceFrame> out = new ArrayList<>();
        for (int t = first; t < first + count; t++) {
            GuidanceView view = new GuidanceView(clip.width(), clip.height());
            renderer.render(
                    snapshot,
                    clip.poses().get(t),
                    clip.intrinsics(),
                    (double) t / KeyboardCamera.FRAMES_PER_SECOND,
                    view);
            if (dilation > 0) {
                view.dilateHoles(dilation);
            }
            float[] inverse = new float[view.depth().length];
            for (int p = 0; p < inverse.length; p++) {
                inverse[p] = view.mask()[p] == GuidanceView.HOLE ? 0 : 1 / view.depth()[p];
            }
            out.add(new GuidanceFrame(
                    new RgbImage(clip.width(), clip.height(), view.rgb()),
                    view.mask().clone(),
                    inverse));
        }
        return out;
    }

    private Keyframe keyframe(GroundTruthClip clip, int frame, int segment, SplittableRandom random) {
        int area = clip.width() * clip.height();
        float[] depth = Arrays.copyOfRange(clip.depth(), frame * area, (frame + 1) * area);
        float[] field = SmoothNoise.field(random, clip.height(), clip.width());
        double scale = Math.exp(depthNoise * random.nextGaussian());
        float[] confidence = new float[area];
        Arrays.fill(confidence, 1f);
        for (int p = 0; p < area; p++) {
            if (Float.isFinite(depth[p])) {
                depth[p] = (float) (depth[p] * scale * Math.exp(depthNoise * field[p]));
            }
        }
        return new Keyframe(
                (double) frame / KeyboardCamera.FRAMES_PER_SECOND,
                segment,
                clip.poses().get(frame),
                clip.intrinsics(),
                Arrays.copyOfRange(clip.rgb(), frame * area * 3, (frame + 1) * area * 3),
                depth,
                confidence,
                Arrays.copyOfRange(clip.dynamic(), frame * area, (frame + 1) * area));
    }
}
