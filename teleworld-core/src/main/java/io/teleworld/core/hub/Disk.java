package io.teleworld.core.hub;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Where fetched files are written. Thread-safe. */
interface Disk {

    /** The bytes that can still be written at a folder. */
    long usableBytes(Path folder) throws IOException;

    /** Opens a file to write behind what it holds; the caller closes it. */
    OutputStream append(Path file) throws IOException;

    /** The machine's disk. */
    Disk REAL = new Disk() {
        @Override
        public long usableBytes(Path folder) throws IOException {
            return Files.getFileStore(folder).getUsableSpace();
        }

        @Override
        public OutputStream append(Path file) throws IOException {
            return Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }
    };
}
