package io.teleworld.training.data;

import io.teleworld.tensor.HostTensor;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * The named styles that the video transformer learns, told apart by what a part of a walk shows. A style is given to the
 * transformer as its text: tokens that were drawn once and mean nothing until they are trained with.
 */
public enum WorldStyle {
    /** Inside a map, and not red. */
    TECH_BASE(1, "tech base"),
    /** Sky is seen. */
    OUTDOORS(2, "outdoors"),
    /** Inside a map, much of it red. */
    HELL(3, "hell"),
    /** A procedural room. */
    ROOM(4, "room");

    private static final double LEAST_SKY = 0.04;
    private static final double LEAST_RED = 0.15;
    private static final double RED_OVER_OTHERS = 1.6;
    private static final int DARKEST = 24;
    private static final String ROOMS = "room/";

    private final int code;
    private final String title;

    WorldStyle(int code, String title) {
        this.code = code;
        this.title = title;
    }

    /** What stands for it in files: from 1 on, never changed. */
    int code() {
        return code;
    }

    /** The style with a code. */
    static Optional<WorldStyle> ofCode(int code) {
        return Arrays.stream(values()).filter(s -> s.code == code).findFirst();
    }

    /** Another style, a different one for each. */
    public WorldStyle next() {
        return ofCode(code + 1).orElse(TECH_BASE);
    }

    /** What users call it. */
    public String title() {
        return title;
    }

    /**
     * The style of some frames of a walk, if its world is known.
     *
     * @param first frame
     * @param last frame, included
     */
    public static Optional<WorldStyle> of(GroundTruthClip clip, int first, int last) {
        if (clip.world().isEmpty()) {
            return Optional.empty();
        }
        if (clip.world().startsWith(ROOMS)) {
            return Optional.of(ROOM);
        }
        int area = clip.height() * clip.width();
        long sky = 0;
        long red = 0;
        for (int p = first * area; p < (last + 1) * area; p++) {
            if (clip.depth()[p] == Float.POSITIVE_INFINITY) {
                sky++;
                continue;
            }
            int r = clip.rgb()[3 * p] & 0xff;
            int other = Math.max(clip.rgb()[3 * p + 1] & 0xff, clip.rgb()[3 * p + 2] & 0xff);
            red += r >= DARKEST && r > RED_OVER_OTHERS * other ? 1 : 0;
        }
        double all = (double) (last - first + 1) * area;
        if (sky >= LEAST_SKY * all) {
            return Optional.of(OUTDOORS);
        }
        return Optional.of(red >= LEAST_RED * all ? HELL : TECH_BASE);
    }

    /**
     * What stands for the style in the transformer's text: Gaussian, always the same.
     *
     * @return F32 [tokens, width]
     */
    public HostTensor embedding(int tokens, int width) {
        SplittableRandom random = new SplittableRandom(0x5EED + code - 1);
        float[] values = new float[tokens * width];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return HostTensor.ofFloats(values, tokens, width);
    }
}
