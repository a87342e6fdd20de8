package io.teleworld.core.weights;

import io.teleworld.error.ModelFormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * What a zip file holds and where, so that stored entries can be mapped. Nothing in the file is trusted: names that leave
 * the archive, entries that overlap or lie outside, and entries that expand beyond a small multiple of the file are
 * refused. Immutable and thread-safe.
 */
final class ZipDirectory {

    private static final int END = 0x06054b50;
    private static final int END_64 = 0x06064b50;
    private static final int LOCATOR_64 = 0x07064b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int LOCAL = 0x04034b50;
    private static final long U32 = 0xFFFFFFFFL;
    private static final long LARGEST_DIRECTORY = 64L << 20;
    /** Compressed entries may become this many times the whole file; weights hardly compress at all. */
    private static final long LARGEST_EXPANSION = 16;

    /**
     * A file within the archive.
     *
     * @param at offset of its first (compressed) byte
     * @param stored bytes in the archive
     * @param size bytes when expanded
     */
    record Entry(String name, boolean deflated, long at, long stored, long size) {}

    private final ByteSource source;
    private final Map<String, Entry> entries;

    private ZipDirectory(ByteSource source, Map<String, Entry> entries) {
        this.source = source;
        this.entries = Collections.unmodifiableMap(entries);
    }

    /** The entries by name, sorted. */
    Map<String, Entry> entries() {
        return entries;
    }

    /** The bytes of an entry: a view or a mapping of a stored one, a copy of a compressed one. */
    ByteBuffer read(Entry entry) throws IOException {
        return entry.deflated() ? inflate(entry) : source.read(entry.at(), entry.size());
    }

    /** Some bytes of an entry. */
    ByteBuffer read(Entry entry, long offset, long length) throws IOException {
        if (offset < 0 || length < 0 || offset > entry.size() - length) {
            throw new IOException(length + " bytes at " + offset + " are not within the entry's " + entry.size());
        }
        return entry.deflated()
                ? inflate(entry).slice((int) offset, (int) length).order(ByteOrder.LITTLE_ENDIAN)
                : source.read(entry.at() + offset, length);
    }

    private ModelFormatException damaged(Entry entry, String problem, @Nullable Throwable cause) {
        return new ModelFormatException(
                source.name(), "offset " + entry.at() + ": entry " + entry.name() + " " + problem, cause);
    }

    private ByteBuffer inflate(Entry entry) throws IOException {
        if (entry.size() > Integer.MAX_VALUE) {
            throw damaged(entry, "is compressed and larger than 2 GiB", null);
        }
        ByteBuffer out = ByteBuffer.allocateDirect((int) entry.size()).order(ByteOrder.LITTLE_ENDIAN);
        Inflater inflater = new Inflater(true);
        try {
            inflater.setInput(source.read(entry.at(), entry.stored()));
            while (out.hasRemaining()) {
                if (inflater.inflate(out) == 0 && (inflater.finished() || inflater.needsInput())) {
                    break;
                }
                if (inflater.needsDictionary()) {
                    throw damaged(entry, "needs a dictionary", null);
                }
            }
            boolean more = !out.hasRemaining() && inflater.inflate(new byte[1]) > 0;
            if (out.hasRemaining() || more) {
                throw damaged(entry, "does not expand to the " + entry.size() + " bytes that it declares", null);
            }
            return out.flip();
        } catch (DataFormatException e) {
            throw damaged(entry, "is damaged: " + e.getMessage(), e);
        } finally {
            inflater.end();
        }
    }

    /**
     * Reads the directory.
     *
     * @throws ModelFormatException naming the offset of what is wrong
     */
    static ZipDirectory read(ByteSource source) throws IOException {
        return new Parser(source).parse();
    }

    private static final class Parser {
        private final ByteSource source;
        private final String file;

        Parser(ByteSource source) {
            this.source = source;
            this.file = source.name();
        }

        ZipDirectory parse() throws IOException {
            long end = findEnd();
            ByteBuffer e = source.read(end, 22);
            long count = u16(e, 10);
            long length = u32(e, 12);
            long offset = u32(e, 16);
            if (u16(e, 4) != 0 && u16(e, 4) != 0xFFFF) {
                throw bad(end, "the archive is split over several files");
            }
            long limit = end;
            if (count == 0xFFFF || length == U32 || offset == U32) {
                if (end < 20) {
                    throw bad(end, "the zip64 directory is missing");
                }
                ByteBuffer locator = source.read(end - 20, 20);
                long at = locator.getLong(8);
                if (locator.getInt(0) != LOCATOR_64 || at < 0 || at > end - 20 - 56) {
                    throw bad(end - 20, "the zip64 directory is missing or out of place");
                }
                ByteBuffer z = source.read(at, 56);
                if (z.getInt(0) != END_64) {
                    throw bad(at, "the zip64 directory is missing or out of place");
                }
                count = z.getLong(32);
                length = z.getLong(40);
                offset = z.getLong(48);
                limit = at;
            }
            if (length < 0 || offset < 0 || offset > limit - length || length > LARGEST_DIRECTORY) {
                throw bad(end, "the zip directory of " + length + " bytes at " + offset + " does not fit the file");
            }
            if (count < 0 || count > length / 46) {
                throw bad(end, "a zip directory of " + length + " bytes cannot hold " + count + " entries");
            }
            Map<String, Entry> entries = new TreeMap<>();
            List<long[]> extents = new ArrayList<>();
            ByteBuffer central = source.read(offset, length);
            int at = 0;
            for (long i = 0; i < count; i++) {
                at = entry(central, at, offset, entries, extents);
            }
            requireDisjoint(extents);
            return new ZipDirectory(source, entries);
        }

        private long findEnd() throws IOException {
            long size = source.size();
            if (size < 22) {
                throw bad(0, "is " + size + " bytes long; the smallest zip file has 22");
            }
            int length = (int) Math.min(size, 22 + 0xFFFF);
            ByteBuffer tail = source.read(size - length, length);
            for (int i = length - 22; i >= 0; i--) {
                if (tail.getInt(i) == END && u16(tail, i + 20) == length - 22 - i) {
                    return size - length + i;
                }
            }
            throw bad(size, "the end of the zip directory is missing (truncated?)");
        }

        private int entry(ByteBuffer b, int at, long base, Map<String, Entry> entries, List<long[]> extents)
                throws IOException {
            if (at > b.limit() - 46 || b.getInt(at) != CENTRAL) {
                throw bad(base + at, "a zip directory entry is missing");
            }
            int flags = u16(b, at + 8);
            int method = u16(b, at + 10);
            int nameLength = u16(b, at + 28);
            int extraLength = u16(b, at + 30);
            int next = at + 46 + nameLength + extraLength + u16(b, at + 32);
            if (next > b.limit()) {
                throw bad(base + at, "a zip directory entry reaches beyond the directory");
            }
            String name = name(b, at + 46, nameLength, base + at);
            if ((flags & 1) != 0) {
                throw bad(base + at, "entry " + name + " is encrypted");
            }
            if (method != 0 && method != 8) {
                throw bad(base + at, "entry " + name + " is compressed with method " + method + "; known are 0 and 8");
            }
            long[] v = {u32(b, at + 24), u32(b, at + 20), u32(b, at + 42)};
            widen(b, at + 46 + nameLength, extraLength, v, base + at);
            long size = v[0];
            long stored = v[1];
            long local = v[2];
            if (method == 0 && size != stored) {
                throw bad(base + at, "entry " + name + " is stored, yet has " + stored + " and " + size + " bytes");
            }
            if (method == 8 && size > LARGEST_EXPANSION * source.size()) {
                throw bad(
                        base + at,
                        "entry " + name + " would expand to " + size + " bytes; allowed are " + LARGEST_EXPANSION
                                + " times the file's " + source.size());
            }
            if (local < 0 || local > base - 30) {
                throw bad(base + at, "entry " + name + " begins at " + local + ", outside of the file's data");
            }
            ByteBuffer head = source.read(local, 30);
            if (head.getInt(0) != LOCAL || u16(head, 26) != nameLength) {
                throw bad(local, "the header of entry " + name + " is missing or differs from the directory");
            }
            long data = local + 30 + nameLength + u16(head, 28);
            if (stored < 0 || data > base - stored) {
                throw bad(local, "entry " + name + " of " + stored + " bytes ends outside of the file's data");
            }
            if (!name.equals(name(source.read(local + 30, nameLength), 0, nameLength, local))) {
                throw bad(local, "the header of entry " + name + " gives another name");
            }
            if (entries.put(name, new Entry(name, method == 8, data, stored, size)) != null) {
                throw bad(base + at, "entry " + name + " occurs twice");
            }
            extents.add(new long[] {local, data + stored});
            return next;
        }

        /** Replaces values that do not fit 32 bits by those of the zip64 extra field. */
        private void widen(ByteBuffer b, int from, int length, long[] values, long where) {
            int at = from;
            int end = from + length;
            while (at <= end - 4) {
                int id = u16(b, at);
                int size = u16(b, at + 2);
                if (size > end - at - 4) {
                    throw bad(where, "an extra field reaches beyond its zip directory entry");
                }
                if (id == 1) {
                    int p = at + 4;
                    for (int i = 0; i < 3; i++) {
                        if (values[i] == U32) {
                            if (p > at + 4 + size - 8) {
                                throw bad(where, "the zip64 field is too short");
                            }
                            values[i] = b.getLong(p);
                            p += 8;
                        }
                    }
                }
                at += 4 + size;
            }
        }

        private String name(ByteBuffer b, int at, int length, long where) {
            byte[] bytes = new byte[length];
            b.get(at, bytes);
            String name = new String(bytes, StandardCharsets.UTF_8);
            boolean leaves = name.startsWith("/") || name.indexOf('\\') >= 0 || name.indexOf(':') >= 0;
            for (String part : name.split("/", -1)) {
                leaves |= part.equals("..") || part.equals(".");
            }
            if (leaves || name.isEmpty() || length > 1024 || name.chars().anyMatch(c -> c < ' ')) {
                String shown = name.length() > 80 ? name.substring(0, 80) + "…" : name;
                throw bad(where, "entry name '" + shown + "' is no plain path within the archive");
            }
            return name;
        }

        private void requireDisjoint(List<long[]> extents) {
            extents.sort(Comparator.comparingLong(e -> e[0]));
            long end = 0;
            for (long[] e : extents) {
                if (e[0] < end) {
                    throw bad(e[0], "two zip entries overlap");
                }
                end = e[1];
            }
        }

        private ModelFormatException bad(long offset, String problem) {
            return new ModelFormatException(file, "offset " + offset + ": " + problem);
        }

        private static int u16(ByteBuffer b, int at) {
            return b.getShort(at) & 0xFFFF;
        }

        private static long u32(ByteBuffer b, int at) {
            return b.getInt(at) & U32;
        }
    }
}
