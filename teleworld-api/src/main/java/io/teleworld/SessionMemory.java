package io.teleworld;

import java.nio.file.Path;

/** A session's 4D memory as its user sees it. Thread-safe; may be used while the session runs. */
public interface SessionMemory {

    /** Points in the static map and the dynamic layer together. */
    long pointCount();

    /** The memory as it is now. */
    MemoryView view();

    /**
     * Writes the memory as a PLY point cloud; a file that is there is replaced only once the new one is complete.
     *
     * @throws io.teleworld.error.TeleWorldException of category USER if the file cannot be written
     */
    void export(PlyFormat format, Path file);
}
