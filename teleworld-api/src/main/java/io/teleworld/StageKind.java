package io.teleworld;

/** What a generation stage is for. */
public enum StageKind {
    /** Sparse frames that fix a segment's course; the next segment waits for these only. */
    PLAN,
    /** Frames between the planned ones. */
    POPULATE
}
