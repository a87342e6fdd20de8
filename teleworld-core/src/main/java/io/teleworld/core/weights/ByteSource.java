package io.teleworld.core.weights;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The bytes of a weight file by position. Thread-safe; nothing has to be closed. */
interface ByteSource {

    /** What the file is called in messages. */
    String name();

    /** Bytes in all. */
    long size();

    /**
     * Some bytes, little-endian, in direct memory; of a file on disk mapped unless they are few.
     *
     * @throws EOFException if they are not all there
     */
    ByteBuffer read(long offset, long length) throws IOException;

    /** A file on disk. */
    static ByteSource file(Path path) throws IOException {
        long size = Files.size(path);
        return new ByteSource() {
            /** A mapping takes whole pages and a kernel entry; below this a copy is cheaper. */
            private static final int SMALL = 16 << 10;

            @Override
            public String name() {
                return path.toString();
            }

            @Override
            public long size() {
                return size;
            }

            @Override
            public ByteBuffer read(long offset, long length) throws IOException {
                requireInside(offset, length, size);
                try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
                    if (length > SMALL) {
                        return channel.map(FileChannel.MapMode.READ_ONLY, offset, length)
                                .order(ByteOrder.LITTLE_ENDIAN);
                    }
                    ByteBuffer copy = ByteBuffer.allocateDirect((int) length).order(ByteOrder.LITTLE_ENDIAN);
                    while (copy.hasRemaining()) {
                        if (channel.read(copy, offset + copy.position()) < 0) {
                            throw new EOFException("the file ended while it was read");
                        }
                    }
                    return copy.flip();
                }
            }
        };
    }

    /** A file that is in memory. */
    static ByteSource memory(String name, byte[] bytes) {
        ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        return new ByteSource() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public long size() {
                return direct.limit();
            }

            @Override
            public ByteBuffer read(long offset, long length) throws IOException {
                requireInside(offset, length, direct.limit());
                return direct.slice((int) offset, (int) length).order(ByteOrder.LITTLE_ENDIAN);
            }
        };
    }

    private static void requireInside(long offset, long length, long size) throws EOFException {
        if (offset < 0 || length < 0 || length > Integer.MAX_VALUE || offset > size - length) {
            throw new EOFException(
                    length + " bytes at offset " + offset + " are not within the " + size + " there are");
        }
    }
}
