package io.teleworld.core.schedule;

/** The work of a segment, in the order of a key press on its way to the screen. */
public enum TaskKind {
    /** Samples the keys, integrates the camera, renders and encodes the guidance. */
    GUIDE,
    /** Denoises the planned frames. */
    PLAN,
    /** Turns the hand-off frame into the next segment's first one. */
    REENCODE,
    /** Brings the keyframes into the 4D memory. */
    RECONSTRUCT,
    /** Denoises frames between the planned ones; one task per stage. */
    POPULATE,
    /** Decodes a latent frame; one task per shown frame. */
    DECODE,
    /** Enlarges the pictures of a latent frame. */
    UPSCALE,
    /** Hands the pictures of a latent frame to the reader; waits while the queue is full. */
    EMIT;

    /** Whether the next segment waits for it. */
    public boolean isChain() {
        return this == GUIDE || this == PLAN || this == REENCODE || this == RECONSTRUCT;
    }
}
