package io.teleworld;

import java.util.HashSet;
import java.util.List;
import java.util.Objects;

/**
 * Latent frames of one segment that are denoised jointly. Immutable.
 *
 * @param kind what the stage is for
 * @param frames the 1-based latent frames that it makes, at least one, ascending
 * @param visible the clean latent frames that it sees, ascending; none of {@code frames}
 */
public record GenerationStage(StageKind kind, List<Integer> frames, List<Integer> visible) {

    public GenerationStage {
        Objects.requireNonNull(kind, "kind");
        frames = List.copyOf(frames);
        visible = List.copyOf(visible);
        if (frames.isEmpty()) {
            throw new IllegalArgumentException("a stage makes no frames; at least one is needed");
        }
        requireAscending(frames, "frames");
        requireAscending(visible, "visible");
        var both = new HashSet<>(frames);
        both.retainAll(visible);
        if (!both.isEmpty()) {
            throw new IllegalArgumentException("a stage both makes and sees frames " + both);
        }
    }

    static void requireAscending(List<Integer> frames, String what) {
        for (int i = 1; i < frames.size(); i++) {
            if (frames.get(i) <= frames.get(i - 1)) {
                throw new IllegalArgumentException(what + " are " + frames + "; they must ascend without repetition");
            }
        }
    }
}
