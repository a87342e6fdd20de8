package io.teleworld.worlds;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * The worlds of one split, built on demand and kept while they are in use. Thread-safe.
 *
 * <p>Rooms with seeds below 2^31 are for training, the others are held out; maps are split by {@link MapSplit}.
 */
public final class WorldPool {

    private static final int KEPT = 20;
    private static final long HELD_OUT_ROOMS = 1L << 31;

    private final @Nullable Freedoom freedoom;
    private final List<Freedoom.MapRef> maps;
    private final double roomShare;
    private final MapSplit split;
    private final Map<String, World> kept = new LinkedHashMap<>(32, 0.75f, true);

    /**
     * A pool.
     *
     * @param freedoom the maps, or null for rooms only
     * @param roomShare probability that a picked world is a room, 0 to 1; must be 1 without maps
     * @param split which worlds to offer
     */
    public WorldPool(@Nullable Freedoom freedoom, double roomShare, MapSplit split) {
        if (!(roomShare >= 0) || !(roomShare <= 1)) {
            throw new IllegalArgumentException("share of rooms is " + roomShare + "; it must lie in [0, 1]");
        }
        if (freedoom == null && roomShare < 1) {
            throw new IllegalArgumentException("share of rooms is " + roomShare + "; without maps it must be 1");
        }
        this.freedoom = freedoom;
        this.maps = freedoom == null ? List.of() : usable(freedoom.maps(split));
        this.roomShare = maps.isEmpty() ? 1 : roomShare;
        this.split = split;
    }

    /** Maps of single-player size only: Phase 1's E1M10 and the like have no place in either game's numbering. */
    private static List<Freedoom.MapRef> usable(List<Freedoom.MapRef> maps) {
        List<Freedoom.MapRef> out = new ArrayList<>();
        for (Freedoom.MapRef m : maps) {
            if (m.map().matches("E[1-4]M[1-9]|MAP\\d\\d")) {
                out.add(m);
            }
        }
        return out;
    }

    /** The name of a world of this split, drawn at random. */
    public String pick(SplittableRandom random) {
        if (random.nextDouble() < roomShare) {
            long seed = random.nextLong(HELD_OUT_ROOMS);
            return "room/" + (split == MapSplit.TRAIN ? seed : seed + HELD_OUT_ROOMS);
        }
        Freedoom.MapRef m = maps.get(random.nextInt(maps.size()));
        return m.wad() + "/" + m.map();
    }

    /**
     * The world of that name, built now or kept from before.
     *
     * @throws WorldFormatException if there is no such map
     */
    public World world(String name) {
        synchronized (kept) {
            World known = kept.get(name);
            if (known != null) {
                return known;
            }
        }
        World built;
        if (name.startsWith("room/")) {
            built = RoomWorld.generate(Long.parseLong(name.substring(5)));
        } else if (freedoom != null) {
            built = freedoom.world(name);
        } else {
            throw new WorldFormatException("world " + name + " is a map, and no WAD was given");
        }
        synchronized (kept) {
            kept.put(name, built);
            if (kept.size() > KEPT) {
                kept.remove(kept.keySet().iterator().next());
            }
        }
        return built;
    }
}
