package io.teleworld.worlds;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;

/**
 * The maps of the Freedoom WADs, as worlds. Thread-safe; pictures are shared by the maps of one WAD.
 *
 * <p>Holds the WADs in memory (mapped); there is nothing to close.
 */
public final class Freedoom {

    /** The system property that names the folder of the WADs. */
    public static final String PROPERTY = "teleworld.freedoom";

    private static final List<String> FILES = List.of("freedoom1.wad", "freedoom2.wad");
    private static final Path DEBIAN = Path.of("/usr/share/games/doom");

    /**
     * One map of one WAD.
     *
     * @param wad short name of the WAD, such as freedoom1
     * @param map map name, such as E1M1
     * @param split whether training may see it
     */
    public record MapRef(String wad, String map, MapSplit split) {}

    private final ConcurrentMap<String, WadFile> wads = new ConcurrentHashMap<>();
    private final ConcurrentMap<String, WadGraphics> graphics = new ConcurrentHashMap<>();
    private final List<MapRef> maps = new ArrayList<>();

    private Freedoom(List<Path> files) {
        for (Path file : files) {
            WadFile wad = WadFile.open(file);
            String name = Objects.requireNonNull(file.getFileName(), "file name")
                    .toString()
                    .replaceFirst("(?i)\\.wad$", "");
            wads.put(name, wad);
            for (String map : wad.maps()) {
                maps.add(new MapRef(name, map, MapSplit.of(map)));
            }
        }
    }

    /**
     * Opens all Freedoom WADs found in a folder, or one WAD.
     *
     * @param folderOrFile where to look; null looks where system property {@value #PROPERTY} points, then where Debian's
     *     package freedoom puts them
     * @throws WorldFormatException if there is none, or one is damaged
     */
    public static Freedoom locate(@Nullable Path folderOrFile) {
        Path place = folderOrFile;
        if (place == null) {
            String property = System.getProperty(PROPERTY);
            place = property == null ? DEBIAN : Path.of(property);
        }
        if (Files.isRegularFile(place)) {
            return new Freedoom(List.of(place));
        }
        List<Path> found = new ArrayList<>();
        for (String file : FILES) {
            if (Files.exists(place.resolve(file))) {
                found.add(place.resolve(file));
            }
        }
        if (found.isEmpty()) {
            throw new WorldFormatException("no freedoom1.wad or freedoom2.wad at " + place
                    + "; install the package freedoom, or name their folder with -D" + PROPERTY + "=DIR");
        }
        return new Freedoom(found);
    }

    /** Looks where {@link #PROPERTY} points, then where Debian's package freedoom puts the WADs. */
    public static Freedoom locate() {
        return locate(null);
    }

    /** Whether {@link #locate()} would find a WAD. */
    public static boolean available() {
        String property = System.getProperty(PROPERTY);
        Path place = property == null ? DEBIAN : Path.of(property);
        return Files.isRegularFile(place) || FILES.stream().anyMatch(f -> Files.exists(place.resolve(f)));
    }

    /** All maps, by WAD and in file order. */
    public List<MapRef> maps() {
        return List.copyOf(maps);
    }

    /** The maps of one split. */
    public List<MapRef> maps(MapSplit split) {
        return maps.stream().filter(m -> m.split() == split).toList();
    }

    /**
     * Builds a map's world; takes some tenths of a second.
     *
     * @throws WorldFormatException if there is no such map or it is damaged
     */
    public FreedoomWorld world(MapRef map) {
        WadFile wad = wad(map);
        WadGraphics pictures = graphics.computeIfAbsent(map.wad(), key -> new WadGraphics(wad));
        return new FreedoomWorld(map.wad() + "/" + map.map(), new DoomMap(wad, map.map()), pictures);
    }

    /** The bare map, as stored. */
    DoomMap map(MapRef map) {
        return new DoomMap(wad(map), map.map());
    }

    private WadFile wad(MapRef map) {
        WadFile wad = wads.get(map.wad());
        if (wad == null) {
            throw new WorldFormatException("no WAD called " + map.wad() + "; there are " + wads.keySet());
        }
        return wad;
    }

    /** Builds the world of the map of that name, such as {@code freedoom1/E1M1} or {@code E1M1}. */
    public FreedoomWorld world(String name) {
        for (MapRef m : maps) {
            if (name.equalsIgnoreCase(m.wad() + "/" + m.map()) || name.equalsIgnoreCase(m.map())) {
                return world(m);
            }
        }
        throw new WorldFormatException(
                "no map " + name + " in " + Map.copyOf(wads).keySet());
    }
}
