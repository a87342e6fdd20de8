package io.teleworld;

/** How a PLY file stores its points. */
public enum PlyFormat {
    /** Text, one point a line. */
    ASCII,
    /** Little-endian binary. */
    BINARY
}
