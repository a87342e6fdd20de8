package io.teleworld.core.loop;

import io.teleworld.PlyFormat;
import io.teleworld.core.memory.MemorySnapshot;
import io.teleworld.core.memory.Ply;
import io.teleworld.error.TeleWorldException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;

/** Writes point clouds to files, so that a file is either the old or the complete new one. */
final class PlyFiles {

    private PlyFiles() {}

    static void write(MemorySnapshot snapshot, PlyFormat format, Path file) {
        Path absolute = file.toAbsolutePath();
        Path folder = absolute.getParent();
        if (folder == null || Files.isDirectory(absolute)) {
            throw new TeleWorldException(TeleWorldException.Category.USER, file + ": is a folder, not a file");
        }
        try {
            // Not a temporary file of the system's: that would come out readable by its owner alone.
            Path part = folder.resolve("." + absolute.getFileName() + ".part");
            try {
                try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(part))) {
                    Ply.write(snapshot, out);
                }
                if (format == PlyFormat.ASCII) {
                    toText(part);
                }
                move(part, absolute);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER,
                    file + ": cannot be written: " + e.getClass().getSimpleName() + " " + e.getMessage(),
                    e);
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static void toText(Path file) throws IOException {
        List<Ply.Vertex> vertices;
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
            vertices = Ply.read(in);
        }
        try (Writer out = Files.newBufferedWriter(file, StandardCharsets.US_ASCII)) {
            out.write("ply\nformat ascii 1.0\nelement vertex " + vertices.size() + "\n");
            for (String property : List.of("x", "y", "z", "nx", "ny", "nz")) {
                out.write("property float " + property + "\n");
            }
            for (String property : List.of("red", "green", "blue")) {
                out.write("property uchar " + property + "\n");
            }
            out.write("property float confidence\nproperty float time\nproperty int instance\nend_header\n");
            for (Ply.Vertex v : vertices) {
                out.write(String.format(
                        Locale.ROOT,
                        "%s %s %s %s %s %s %d %d %d %s %s %d%n",
                        v.x(),
                        v.y(),
                        v.z(),
                        v.nx(),
                        v.ny(),
                        v.nz(),
                        v.red(),
                        v.green(),
                        v.blue(),
                        v.confidence(),
                        v.time(),
                        v.instance()));
            }
        }
    }
}
