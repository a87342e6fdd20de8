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
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * A WAD archive: a 12-byte header ("IWAD" or "PWAD", lump count, directory offset), the lumps, and a directory of
 * 16-byte entries (offset, size, name of up to 8 letters). Little-endian.
 *
 * <p>Immutable and thread-safe. The file is read whole, or mapped when opened from a path; there is nothing to close.
 * Every lump's bounds are checked on opening, so that a truncated file fails at once.
 */
public final class WadFile {

    private final String source;
    private final ByteBuffer bytes;
    private final String[] names;
    private final int[] offsets;
    private final int[] sizes;
    private final Map<String, Integer> last = new HashMap<>();

    private WadFile(String source, ByteBuffer bytes) {
        this.source = source;
        this.bytes = bytes.order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.limit() < 12) {
            throw new WorldFormatException(
                    source + " is not a WAD: it has " + bytes.limit() + " bytes, the header alone takes 12");
        }
        byte[] magic = new byte[4];
        bytes.get(0, magic);
        String tag = new String(magic, StandardCharsets.ISO_8859_1);
        if (!tag.equals("IWAD") && !tag.equals("PWAD")) {
            throw new WorldFormatException(source + " is not a WAD: it starts with "
                    + String.format(Locale.ROOT, "%02x %02x %02x %02x", magic[0], magic[1], magic[2], magic[3])
                    + ", not with IWAD or PWAD");
        }
        int count = bytes.getInt(4);
        int directory = bytes.getInt(8);
        if (count < 0 || directory < 0 || directory + 16L * count > bytes.limit()) {
            throw new WorldFormatException(source + " is truncated or damaged: its directory of " + count
                    + " lumps at byte " + directory + " goes beyond its end at byte " + bytes.limit());
        }
        names = new String[count];
        offsets = new int[count];
        sizes = new int[count];
        for (int i = 0; i < count; i++) {
            int at = directory + 16 * i;
            offsets[i] = bytes.getInt(at);
            sizes[i] = bytes.getInt(at + 4);
            names[i] = readName(this.bytes, at + 8);
            if (sizes[i] < 0 || (sizes[i] > 0 && (offsets[i] < 0 || (long) offsets[i] + sizes[i] > bytes.limit()))) {
                throw new WorldFormatException(source + " is truncated or damaged: lump " + names[i] + " ("
                        + sizes[i] + " bytes at byte " + offsets[i] + ") goes beyond its end at byte "
                        + bytes.limit());
            }
            last.put(names[i], i);
        }
    }

    /**
     * Opens a WAD.
     *
     * @throws WorldFormatException if it is missing, unreadable, truncated, or something else than a WAD
     */
    public static WadFile open(Path path) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size > Integer.MAX_VALUE) {
                throw new WorldFormatException(path + " is not a WAD: it has " + size + " bytes, a WAD at most 2^31−1");
            }
            return new WadFile(path.toString(), channel.map(FileChannel.MapMode.READ_ONLY, 0, size));
        } catch (NoSuchFileException e) {
            throw new WorldFormatException("no WAD at " + path, e);
        } catch (IOException e) {
            String why = Files.isDirectory(path) ? "it is a directory" : String.valueOf(e.getMessage());
            throw new WorldFormatException("cannot read " + path + ": " + why, e);
        }
    }

    /**
     * Reads a WAD from memory; the bytes are copied.
     *
     * @param source what to call it in error messages
     */
    public static WadFile of(String source, byte[] content) {
        return new WadFile(source, ByteBuffer.wrap(content.clone()));
    }

    /** What this WAD is called in messages. */
    public String source() {
        return source;
    }

    /** The number of lumps. */
    public int size() {
        return names.length;
    }

    /** The upper-case name of a lump. */
    public String nameAt(int index) {
        return names[Objects.checkIndex(index, names.length)];
    }

    /** The index of the last lump of that name, or −1. */
    public int indexOf(String name) {
        return last.getOrDefault(name.toUpperCase(Locale.ROOT), -1);
    }

    /** A lump's bytes, little-endian, read-only, position 0. */
    public ByteBuffer lump(int index) {
        Objects.checkIndex(index, names.length);
        return bytes.slice(sizes[index] == 0 ? 0 : offsets[index], sizes[index])
                .asReadOnlyBuffer()
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * The last lump of that name.
     *
     * @throws WorldFormatException if there is none
     */
    public ByteBuffer lump(String name) {
        int i = indexOf(name);
        if (i < 0) {
            throw new WorldFormatException(source + " has no lump " + name);
        }
        return lump(i);
    }

    /** The names of all maps, in file order. */
    public List<String> maps() {
        List<String> maps = new ArrayList<>();
        for (int i = 0; i + 1 < names.length; i++) {
            if (names[i + 1].equals("THINGS") && last.getOrDefault(names[i], -1) == i) {
                maps.add(names[i]);
            }
        }
        return maps;
    }

    /**
     * A lump that belongs to a map.
     *
     * @throws WorldFormatException if the map or the lump is missing
     */
    ByteBuffer mapLump(String map, String lump) {
        int marker = indexOf(map);
        if (marker < 0) {
            throw new WorldFormatException(source + " has no map " + map + "; it has " + maps());
        }
        for (int i = marker + 1; i < Math.min(names.length, marker + 11); i++) {
            if (names[i].equals(lump)) {
                return lump(i);
            }
        }
        throw new WorldFormatException(source + ": map " + map + " has no " + lump);
    }

    /** Reads a name of up to 8 letters, upper-cased. */
    static String readName(ByteBuffer b, int at) {
        StringBuilder s = new StringBuilder(8);
        for (int i = 0; i < 8; i++) {
            int c = b.get(at + i) & 0xff;
            if (c == 0) {
                break;
            }
            s.append((char) c);
        }
        return s.toString().toUpperCase(Locale.ROOT);
    }
}
