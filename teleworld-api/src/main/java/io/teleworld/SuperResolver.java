package io.teleworld;

import java.util.List;

/** Enlarges pictures on their way out (paper §3.6.3). Called with a session's frames in order, by one thread at a time. */
@FunctionalInterface
public interface SuperResolver {

    /** Enlarges consecutive frames; returns as many, all of one size. */
    List<RgbImage> upscale(List<RgbImage> frames);

    /** Leaves pictures as they are. */
    static SuperResolver identity() {
        return frames -> frames;
    }
}
