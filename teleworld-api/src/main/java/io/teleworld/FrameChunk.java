package io.teleworld;

import java.util.List;

/**
 * Consecutive frames that became ready together: the start picture alone, then groups of four. Immutable.
 *
 * @param segment the segment that they belong to, from 0
 * @param frames at least one, in order
 */
public record FrameChunk(int segment, List<WorldFrame> frames) {

    public FrameChunk {
        frames = List.copyOf(frames);
        if (frames.isEmpty()) {
            throw new IllegalArgumentException("a chunk has no frames; at least one is needed");
        }
    }
}
