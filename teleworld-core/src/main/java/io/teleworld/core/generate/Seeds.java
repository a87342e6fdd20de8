package io.teleworld.core.generate;

/** Independent seeds for the parts of a run, so that each part's noise does not depend on the order of work. */
public final class Seeds {

    private Seeds() {}

    /** A seed for one part of what {@code seed} stands for. */
    public static long of(long seed, long... part) {
        long h = seed;
        for (long p : part) {
            h += 0x9E3779B97F4A7C15L + p * 0xD1B54A32D192ED03L;
            h = (h ^ (h >>> 30)) * 0xBF58476D1CE4E5B9L;
            h = (h ^ (h >>> 27)) * 0x94D049BB133111EBL;
            h ^= h >>> 31;
        }
        return h;
    }
}
