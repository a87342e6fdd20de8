package io.teleworld.worlds;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The pictures of a WAD: palette, composed wall textures, flats and sprites.
 *
 * <p>Thread-safe; pictures are decoded once, on first use.
 */
final class WadGraphics {

    /** A picture with the offset of its origin: the left and top offsets of the patch format. */
    record Sprite(Texture texture, int left, int top, boolean mirrored) {}

    private static final class Definition {
        final int width;
        final int height;
        final int[] x;
        final int[] y;
        final int[] patch;

        Definition(int width, int height, int[] x, int[] y, int[] patch) {
            this.width = width;
            this.height = height;
            this.x = x;
            this.y = y;
            this.patch = patch;
        }
    }

    private static final class Patch {
        final int width;
        final int height;
        final int left;
        final int top;
        final int[] argb;

        Patch(int width, int height, int left, int top, int[] argb) {
            this.width = width;
            this.height = height;
            this.left = left;
            this.top = top;
            this.argb = argb;
        }
    }

    private final WadFile wad;
    private final int[] palette = new int[256];
    private final String[] patchNames;
    private final Map<String, Definition> definitions = new HashMap<>();
    private final Map<String, Integer> flats = new HashMap<>();
    /** Sprite name + frame letter → lump and mirroring of rotations 0 to 8. */
    private final Map<String, int[]> spriteFrames = new TreeMap<>();

    private final Map<String, Texture> textureCache = new ConcurrentHashMap<>();
    private final Map<String, Texture> flatCache = new ConcurrentHashMap<>();
    private final Map<Integer, Sprite> spriteCache = new ConcurrentHashMap<>();
    private final Texture missing;

    WadGraphics(WadFile wad) {
        this.wad = wad;
        ByteBuffer p = wad.lump("PLAYPAL");
        if (p.limit() < 768) {
            throw new WorldFormatException(wad.source() + ": PLAYPAL has " + p.limit() + " bytes, not 768 or more");
        }
        for (int i = 0; i < 256; i++) {
            palette[i] =
                    0xff000000 | (p.get(3 * i) & 255) << 16 | (p.get(3 * i + 1) & 255) << 8 | p.get(3 * i + 2) & 255;
        }
        patchNames = wad.indexOf("PNAMES") < 0 ? new String[0] : readPatchNames(wad.lump("PNAMES"));
        for (String lump : new String[] {"TEXTURE1", "TEXTURE2"}) {
            if (wad.indexOf(lump) >= 0) {
                readDefinitions(lump, wad.lump(lump));
            }
        }
        indexLumps();
        int[] grey = new int[64];
        Arrays.fill(grey, 0xff707070);
        missing = Texture.ofArgb("missing", 8, 8, grey, true, true);
    }

    private static String[] readPatchNames(ByteBuffer b) {
        int n = Math.min(b.getInt(0), (b.limit() - 4) / 8);
        String[] names = new String[Math.max(0, n)];
        for (int i = 0; i < names.length; i++) {
            names[i] = WadFile.readName(b, 4 + 8 * i);
        }
        return names;
    }

    private void readDefinitions(String lump, ByteBuffer b) {
        try {
            int n = b.getInt(0);
            for (int i = 0; i < n; i++) {
                int at = b.getInt(4 + 4 * i);
                String name = WadFile.readName(b, at);
                int w = b.getShort(at + 12);
                int h = b.getShort(at + 14);
                int m = b.getShort(at + 20);
                if (w < 1 || h < 1 || m < 0) {
                    throw new WorldFormatException(
                            wad.source() + ": texture " + name + " is " + w + "×" + h + " with " + m + " patches");
                }
                int[] x = new int[m];
                int[] y = new int[m];
                int[] patch = new int[m];
                for (int j = 0; j < m; j++) {
                    int q = at + 22 + 10 * j;
                    x[j] = b.getShort(q);
                    y[j] = b.getShort(q + 2);
                    patch[j] = b.getShort(q + 4);
                }
                definitions.putIfAbsent(name, new Definition(w, h, x, y, patch));
            }
        } catch (IndexOutOfBoundsException e) {
            throw new WorldFormatException(wad.source() + ": " + lump + " is truncated", e);
        }
    }

    private void indexLumps() {
        boolean inFlats = false;
        boolean inSprites = false;
        for (int i = 0; i < wad.size(); i++) {
            String name = wad.nameAt(i);
            switch (name) {
                case "F_START", "FF_START" -> inFlats = true;
                case "F_END", "FF_END" -> inFlats = false;
                case "S_START", "SS_START" -> inSprites = true;
                case "S_END", "SS_END" -> inSprites = false;
                default -> {
                    if (inFlats && wad.lump(i).limit() >= 4096) {
                        flats.put(name, i);
                    }
                    if (inSprites && name.length() >= 6) {
                        addSprite(name, 4, i, false);
                        if (name.length() >= 8) {
                            addSprite(name, 6, i, true);
                        }
                    }
                }
            }
        }
    }

    private void addSprite(String name, int at, int lump, boolean mirrored) {
        int rotation = name.charAt(at + 1) - '0';
        if (rotation < 0 || rotation > 8) {
            return;
        }
        int[] frames = spriteFrames.computeIfAbsent(name.substring(0, 4) + name.charAt(at), key -> new int[9]);
        frames[rotation] = (lump + 1) * (mirrored ? -1 : 1);
    }

    /** The sky texture's name of a map, by the conventions of the two games. */
    static String skyOf(String map) {
        if (map.matches("E[1-9]M[0-9]")) {
            return "SKY" + Math.min(4, map.charAt(1) - '0');
        }
        if (map.matches("MAP[0-9][0-9]")) {
            int number = Integer.parseInt(map.substring(3));
            return number < 12 ? "SKY1" : number < 21 ? "SKY2" : "SKY3";
        }
        return "SKY1";
    }

    boolean hasTexture(String name) {
        return definitions.containsKey(name);
    }

    /** A wall texture; grey where the WAD has none of that name. */
    Texture texture(String name) {
        return textureCache.computeIfAbsent(name, this::compose);
    }

    /** A 64×64 floor or ceiling picture; grey where the WAD has none of that name. */
    Texture flat(String name) {
        return flatCache.computeIfAbsent(name, key -> {
            Integer lump = flats.get(key);
            if (lump == null) {
                return missing;
            }
            ByteBuffer b = wad.lump(lump);
            int[] argb = new int[4096];
            for (int i = 0; i < 4096; i++) {
                argb[i] = palette[b.get(i) & 255];
            }
            return Texture.ofArgb(key, 64, 64, argb, true, true);
        });
    }

    /** Sky: wraps round, does not wrap upwards. */
    Texture sky(String name) {
        Definition d = definitions.get(name);
        if (d == null) {
            int[] blue = new int[256 * 128];
            Arrays.fill(blue, 0xff7090c0);
            return Texture.ofArgb("sky", 256, 128, blue, true, false);
        }
        int[] argb = composeArgb(d);
        for (int i = 0; i < argb.length; i++) {
            argb[i] |= 0xff000000;
        }
        return Texture.ofArgb(name, d.width, d.height, argb, true, false);
    }

    private Texture compose(String name) {
        Definition d = definitions.get(name);
        if (d == null) {
            return missing;
        }
        return Texture.ofArgb(name, d.width, d.height, composeArgb(d), true, true);
    }

    /** A copy of a wall texture that does not repeat upwards, for two-sided middles. */
    Texture masked(String name) {
        return textureCache.computeIfAbsent("masked:" + name, key -> {
            Definition d = definitions.get(name);
            return d == null ? missing : Texture.ofArgb(name, d.width, d.height, composeArgb(d), true, false);
        });
    }

    private int[] composeArgb(Definition d) {
        int[] argb = new int[d.width * d.height];
        for (int i = 0; i < d.patch.length; i++) {
            if (d.patch[i] < 0 || d.patch[i] >= patchNames.length) {
                continue;
            }
            int lump = wad.indexOf(patchNames[d.patch[i]]);
            if (lump < 0) {
                continue;
            }
            Patch p = readPatch(lump);
            for (int y = 0; y < p.height; y++) {
                int ty = y + d.y[i];
                if (ty < 0 || ty >= d.height) {
                    continue;
                }
                for (int x = 0; x < p.width; x++) {
                    int tx = x + d.x[i];
                    if (tx >= 0 && tx < d.width && p.argb[y * p.width + x] != 0) {
                        argb[ty * d.width + tx] = p.argb[y * p.width + x];
                    }
                }
            }
        }
        return argb;
    }

    /**
     * A sprite's picture.
     *
     * @param name four letters
     * @param frame frame letter
     * @param rotation 1 (front) to 8, counted clockwise as the viewer walks round
     * @return null if the WAD has no such frame
     */
    @Nullable
    Sprite sprite(String name, char frame, int rotation) {
        int[] frames = spriteFrames.get(name + frame);
        if (frames == null) {
            return null;
        }
        int lump = frames[rotation] != 0 ? frames[rotation] : frames[0];
        if (lump == 0) {
            for (int f : frames) {
                lump = lump == 0 ? f : lump;
            }
        }
        return spriteCache.computeIfAbsent(lump, key -> {
            Patch p = readPatch(Math.abs(key) - 1);
            Texture t = Texture.ofArgb(name + frame, p.width, p.height, p.argb, false, false);
            return new Sprite(t, p.left, p.top, key < 0);
        });
    }

    private Patch readPatch(int lump) {
        ByteBuffer b = wad.lump(lump);
        try {
            int w = b.getShort(0);
            int h = b.getShort(2);
            if (w < 1 || h < 1 || w > 4096 || h > 4096) {
                throw new WorldFormatException(
                        wad.source() + ": picture " + wad.nameAt(lump) + " is " + w + "×" + h + " texels");
            }
            int[] argb = new int[w * h];
            for (int x = 0; x < w; x++) {
                int at = b.getInt(8 + 4 * x);
                int previous = -1;
                while ((b.get(at) & 255) != 255) {
                    int top = b.get(at) & 255;
                    // Tall pictures: a start that does not increase counts from the previous one.
                    top = top <= previous ? previous + top : top;
                    previous = top;
                    int length = b.get(at + 1) & 255;
                    for (int i = 0; i < length; i++) {
                        if (top + i < h) {
                            argb[(top + i) * w + x] = palette[b.get(at + 3 + i) & 255];
                        }
                    }
                    at += length + 4;
                }
            }
            return new Patch(w, h, b.getShort(4), b.getShort(6), argb);
        } catch (IndexOutOfBoundsException e) {
            throw new WorldFormatException(
                    wad.source() + ": picture " + wad.nameAt(lump) + " is truncated or is no picture", e);
        }
    }
}
