package io.teleworld;

import java.util.ArrayList;
import java.util.List;

/**
 * Keys by frame, for runs that can be repeated exactly. Immutable.
 *
 * @param steps one after the other, from the first generated frame on; behind the last no key is held
 */
public record KeyScript(List<Step> steps) {

    /** No key at any time. */
    public static final KeyScript NONE = new KeyScript(List.of());

    private static final int MAX_FRAMES = 1_000_000_000;

    /**
     * Keys that are held for some frames.
     *
     * @param keys the keys
     * @param frames pixel frames, at least 1
     */
    public record Step(Keys keys, int frames) {
        public Step {
            if (frames < 1 || frames > MAX_FRAMES) {
                throw new IllegalArgumentException(
                        "a step lasts " + frames + " frames; it must lie in [1, " + MAX_FRAMES + "]");
            }
        }
    }

    public KeyScript {
        steps = List.copyOf(steps);
    }

    /**
     * Reads steps separated by commas or line ends, each the names of {@link Keys#parse} and, behind {@code *}, for how
     * many frames: {@code "W*24, RIGHT+W*24, NONE*8"}. Without {@code *} a step lasts one frame. What follows {@code #}
     * in a line is a comment.
     *
     * @throws IllegalArgumentException if a key or a count is unknown; names the step
     */
    public static KeyScript parse(String text) {
        List<Step> steps = new ArrayList<>();
        for (String line : text.split("\\R", -1)) {
            int comment = line.indexOf('#');
            String code = comment < 0 ? line : line.substring(0, comment);
            if (code.isBlank()) {
                continue;
            }
            for (String part : code.split(",", -1)) {
                if (!part.isBlank()) {
                    steps.add(step(part.strip()));
                }
            }
        }
        return new KeyScript(steps);
    }

    private static Step step(String text) {
        int star = text.indexOf('*');
        if (star < 0) {
            return new Step(Keys.parse(text), 1);
        }
        int frames;
        try {
            frames = Integer.parseInt(text.substring(star + 1).strip());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no step of a key script; behind * stands a number of frames, as in W*24", e);
        }
        return new Step(Keys.parse(text.substring(0, star)), frames);
    }

    /** How many frames the script lasts. */
    public long frames() {
        return steps.stream().mapToLong(Step::frames).sum();
    }

    /**
     * The keys of a frame.
     *
     * @param frame number of the frame in the world, the start picture being 0; the script begins with frame 1
     */
    public Keys at(long frame) {
        long end = 0;
        for (Step step : steps) {
            end += step.frames();
            if (frame >= 1 && frame <= end) {
                return step.keys();
            }
        }
        return Keys.NONE;
    }

    /** What {@link #parse} reads back. */
    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        steps.forEach(s -> parts.add(s.keys() + "*" + s.frames()));
        return String.join(", ", parts);
    }
}
