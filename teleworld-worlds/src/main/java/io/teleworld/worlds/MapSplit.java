package io.teleworld.worlds;

import java.util.Locale;

/**
 * Which maps may be trained on. E2M* of Freedoom Phase 1 and MAP20 to MAP32 of Phase 2 are held out; every other map is
 * for training.
 */
public enum MapSplit {
    /** Maps that training may see. */
    TRAIN,
    /** Maps that training never sees. */
    HELD_OUT;

    /** The split that a map belongs to. */
    public static MapSplit of(String map) {
        String m = map.toUpperCase(Locale.ROOT);
        if (m.startsWith("E2M")) {
            return HELD_OUT;
        }
        if (m.matches("MAP\\d\\d")) {
            int number = Integer.parseInt(m.substring(3));
            return number >= 20 ? HELD_OUT : TRAIN;
        }
        return TRAIN;
    }
}
