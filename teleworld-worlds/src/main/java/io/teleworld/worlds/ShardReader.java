package io.teleworld.worlds;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Reads the shards that {@link ShardWriter} writes, or any WebDataset tar of the same members: one after the other, or
 * any sample by its number.
 *
 * <p>Immutable and thread-safe. Files are mapped and only their headers are read on opening; mappings live until they
 * are garbage, there is nothing to close.
 */
public final class ShardReader implements Iterable<ShardSample> {

    private record Entry(String key, Map<String, ByteBuffer> members) {}

    private final List<Entry> entries = new ArrayList<>();

    private ShardReader(List<Path> files) {
        for (Path file : files) {
            index(file);
        }
    }

    /**
     * Opens one shard, or all shards of a folder in the order of their names.
     *
     * @throws WorldFormatException if there is none, or one is truncated or no tar file
     */
    public static ShardReader open(Path fileOrFolder) {
        if (!Files.isDirectory(fileOrFolder)) {
            return new ShardReader(List.of(fileOrFolder));
        }
        try (Stream<Path> list = Files.list(fileOrFolder)) {
            List<Path> files =
                    list.filter(p -> p.toString().endsWith(".tar")).sorted().toList();
            if (files.isEmpty()) {
                throw new WorldFormatException("no shards (*.tar) in " + fileOrFolder);
            }
            return new ShardReader(files);
        } catch (IOException e) {
            throw new WorldFormatException("cannot read " + fileOrFolder + ": " + e.getMessage(), e);
        }
    }

    private void index(Path file) {
        ByteBuffer b;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() > Integer.MAX_VALUE) {
                throw new WorldFormatException(file + " has " + channel.size() + " bytes; a shard has at most 2^31−1");
            }
            b = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).order(ByteOrder.LITTLE_ENDIAN);
        } catch (NoSuchFileException e) {
            throw new WorldFormatException("no shard at " + file, e);
        } catch (IOException e) {
            throw new WorldFormatException("cannot read " + file + ": " + e.getMessage(), e);
        }
        int at = 0;
        Entry current = new Entry("", new LinkedHashMap<>());
        while (true) {
            if (at + 512 > b.limit()) {
                throw new WorldFormatException(
                        file + " is truncated: it ends at byte " + b.limit() + " without the end mark of a tar file");
            }
            if (b.get(at) == 0) {
                break;
            }
            if (b.get(at + 257) != 'u' || b.get(at + 258) != 's') {
                throw new WorldFormatException(file + " is no tar file: no header at byte " + at);
            }
            String name = text(b, at, 100);
            long size = octal(file, b, at + 124);
            if (at + 512 + size > b.limit()) {
                throw new WorldFormatException(file + " is truncated: member " + name + " (" + size
                        + " bytes) goes beyond its end at byte " + b.limit());
            }
            int dot = name.indexOf('.');
            String key = dot < 0 ? name : name.substring(0, dot);
            if (!key.equals(current.key())) {
                current = new Entry(key, new LinkedHashMap<>());
                entries.add(current);
            }
            current.members()
                    .put(
                            dot < 0 ? "" : name.substring(dot + 1),
                            b.slice(at + 512, (int) size).order(ByteOrder.LITTLE_ENDIAN));
            at += 512 + (int) ((size + 511) / 512 * 512);
        }
    }

    private static String text(ByteBuffer b, int at, int length) {
        byte[] raw = new byte[length];
        b.get(at, raw);
        int n = 0;
        while (n < length && raw[n] != 0) {
            n++;
        }
        return new String(raw, 0, n, StandardCharsets.US_ASCII);
    }

    private static long octal(Path file, ByteBuffer b, int at) {
        String s = text(b, at, 12).trim();
        try {
            return Long.parseLong(s, 8);
        } catch (NumberFormatException e) {
            throw new WorldFormatException(file + " is no tar file: member size \"" + s + "\"", e);
        }
    }

    /** The number of samples. */
    public int size() {
        return entries.size();
    }

    /**
     * One sample; its pictures are unpacked only when asked for.
     *
     * @throws IndexOutOfBoundsException if there is no such sample
     */
    public ShardSample get(int index) {
        Entry e = entries.get(Objects.checkIndex(index, entries.size()));
        return new ShardSample(e.key(), e.members());
    }

    @Override
    public Iterator<ShardSample> iterator() {
        return new Iterator<>() {
            private int next;

            @Override
            public boolean hasNext() {
                return next < size();
            }

            @Override
            public ShardSample next() {
                if (!hasNext()) {
                    throw new NoSuchElementException("there are " + size() + " samples");
                }
                return get(next++);
            }
        };
    }
}
