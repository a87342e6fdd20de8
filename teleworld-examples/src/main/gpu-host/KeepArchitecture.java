import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;

/**
 * Overwrites a CUDA library's machine code for other GPUs with zeros, which compress to nothing:
 * {@code java KeepArchitecture.java LIBRARY 90}. Sizes and headers stay, so the library loads as before, but runs on that
 * architecture only. Fat binaries lie in the section {@code .nv_fatbin} (and {@code __nv_relfatbin}): a header of 16 bytes
 * (magic number, version, header size, size of what follows) and entries, each with a header (its size at byte 4, the size
 * of the code at byte 8, the architecture at byte 28).
 */
public final class KeepArchitecture {

    private static final int FAT_BINARY = 0xBA55ED50;
    private static final int CHUNK = 1 << 20;

    private final MappedByteBuffer data;
    private final int wanted;
    private long kept;
    private long removed;

    private KeepArchitecture(MappedByteBuffer data, int wanted) {
        this.data = data;
        this.wanted = wanted;
    }

    /** Changes the file in place; exit code 1 if nothing would be left. */
    public static void main(String... args) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(args[0], "rw")) {
            MappedByteBuffer all = file.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, file.length());
            all.order(ByteOrder.LITTLE_ENDIAN);
            KeepArchitecture run = new KeepArchitecture(all, Integer.parseInt(args[1]));
            run.sections();
            System.out.printf("%s: %d MiB kept, %d MiB removed%n", args[0], run.kept >> 20, run.removed >> 20);
            if (run.kept == 0) {
                System.exit(1);
            }
        }
    }

    /** Goes through the section headers of a 64-bit ELF file. */
    private void sections() {
        long table = data.getLong(0x28);
        int size = Short.toUnsignedInt(data.getShort(0x3a));
        int count = Short.toUnsignedInt(data.getShort(0x3c));
        int names = Short.toUnsignedInt(data.getShort(0x3e));
        long strings = data.getLong(Math.toIntExact(table + (long) names * size + 24));
        for (int i = 0; i < count; i++) {
            int header = Math.toIntExact(table + (long) i * size);
            String name = name(Math.toIntExact(strings + data.getInt(header)));
            if (name.equals(".nv_fatbin") || name.equals("__nv_relfatbin")) {
                long begin = data.getLong(header + 24);
                binaries(Math.toIntExact(begin), Math.toIntExact(begin + data.getLong(header + 32)));
            }
        }
    }

    private String name(int at) {
        int end = at;
        while (data.get(end) != 0) {
            end++;
        }
        byte[] bytes = new byte[end - at];
        data.get(at, bytes);
        return new String(bytes, StandardCharsets.US_ASCII);
    }

    private void binaries(int begin, int end) {
        int at = begin;
        while (at + 16 <= end) {
            if (data.getInt(at) != FAT_BINARY) {
                at += 8;
                continue;
            }
            int entry = at + Short.toUnsignedInt(data.getShort(at + 6));
            int stop = Math.toIntExact(entry + data.getLong(at + 8));
            while (entry < stop) {
                int code = entry + data.getInt(entry + 4);
                int bytes = Math.toIntExact(data.getLong(entry + 8));
                if (data.getInt(entry + 28) == wanted) {
                    kept += bytes;
                } else {
                    removed += bytes;
                    clear(code, bytes);
                }
                entry = code + bytes;
            }
            at = (stop + 7) & ~7;
        }
    }

    private void clear(int at, int bytes) {
        ByteBuffer zeros = ByteBuffer.allocate(CHUNK);
        for (int done = 0; done < bytes; done += CHUNK) {
            data.put(at + done, zeros, 0, Math.min(CHUNK, bytes - done));
        }
    }
}
