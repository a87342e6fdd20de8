package io.teleworld.training;

import io.teleworld.training.data.WalkClips.WorldFactory;
import io.teleworld.worlds.Freedoom;
import io.teleworld.worlds.MapSplit;
import io.teleworld.worlds.RoomWorld;
import io.teleworld.worlds.World;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that choose the worlds. */
final class WorldArguments {

    enum Kind {
        FREEDOOM,
        ROOMS
    }

    private static final int MOST_ROOMS = 1 << 20;

    /** So many rooms are kept once they are built; more are built anew each time. */
    private static final int KEPT_ROOMS = 64;

    /** How many maps all rooms together weigh as much as, where there are both. */
    private static final int ROOM_SHARE = 10;

    @Option(
            names = "--worlds",
            split = ",",
            paramLabel = "NAME",
            description = "freedoom, rooms or both, separated by a comma; by default what is there.")
    List<Kind> kinds = new ArrayList<>();

    @Option(
            names = "--wad-dir",
            paramLabel = "DIR",
            description = "Folder of the Freedoom WADs; by default where the package freedoom puts them.")
    @Nullable
    Path wads;

    @Option(names = "--rooms", paramLabel = "N", description = "How many different houses; 1048576 by default.")
    int rooms = MOST_ROOMS;

    /** Worlds to train on. */
    List<WorldFactory> training() {
        return factories(MapSplit.TRAIN);
    }

    /** Worlds to judge by, which training never sees. */
    List<WorldFactory> heldOut() {
        return factories(MapSplit.HELD_OUT);
    }

    private List<WorldFactory> factories(MapSplit split) {
        List<Kind> chosen = kinds;
        if (chosen.isEmpty()) {
            chosen = wads != null || Freedoom.available() ? List.of(Kind.values()) : List.of(Kind.ROOMS);
        }
        List<WorldFactory> all = new ArrayList<>();
        boolean maps = chosen.contains(Kind.FREEDOOM);
        if (maps) {
            Freedoom freedoom = Freedoom.locate(wads);
            Map<Freedoom.MapRef, World> made = new ConcurrentHashMap<>();
            freedoom.maps(split).forEach(m -> all.add(random -> made.computeIfAbsent(m, freedoom::world)));
        }
        // Maps are what is harder; rooms judge only where there are no maps.
        if (chosen.contains(Kind.ROOMS) && (split == MapSplit.TRAIN || !maps)) {
            int from = split == MapSplit.TRAIN ? 0 : MOST_ROOMS;
            int count = Math.max(1, Math.min(MOST_ROOMS, rooms));
            Map<Integer, World> kept = new ConcurrentHashMap<>();
            for (int i = 0; i < (maps ? ROOM_SHARE : 1); i++) {
                all.add(random -> {
                    int seed = from + random.nextInt(count);
                    return count > KEPT_ROOMS
                            ? RoomWorld.generate(seed)
                            : kept.computeIfAbsent(seed, RoomWorld::generate);
                });
            }
        }
        return all;
    }
}
