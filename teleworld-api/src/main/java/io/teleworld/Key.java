package io.teleworld;

/** A key of the control vocabulary: W A S D move the camera, the arrows turn it (paper §3.4.1). */
public enum Key {
    /** Move forward. */
    W(1),
    /** Move left. */
    A(2),
    /** Move backward. */
    S(4),
    /** Move right. */
    D(8),
    /** Look up (positive pitch). */
    UP(16),
    /** Look down (negative pitch). */
    DOWN(32),
    /** Look left (negative yaw). */
    LEFT(64),
    /** Look right (positive yaw). */
    RIGHT(128);

    private final int bit;

    Key(int bit) {
        this.bit = bit;
    }

    /** The one bit that stands for this key in {@link Keys#bits()}; part of the recorded formats, so fixed. */
    public int bit() {
        return bit;
    }
}
