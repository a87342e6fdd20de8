package io.teleworld;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The set of keys held down at one moment.
 *
 * <p>Immutable and safe to share. Any of the 256 sets is allowed; opposite keys cancel, so that every set acts as one
 * of 81 joint states: nine moves by nine view directions (paper §3.4.1).
 *
 * @param bits the {@link Key#bit} of each held key; in [0, 255]
 */
public record Keys(int bits) {

    /** No key. */
    public static final Keys NONE = new Keys(0);

    public Keys {
        if (bits < 0 || bits > 0xFF) {
            throw new IllegalArgumentException("key bits are " + bits + "; they must lie in [0, 255]");
        }
    }

    /** The set of the given keys; a key may be repeated. */
    public static Keys of(Key... keys) {
        int bits = 0;
        for (Key key : keys) {
            bits |= key.bit();
        }
        return new Keys(bits);
    }

    /**
     * Reads names joined by {@code +}, such as {@code "W+RIGHT"}, in any letter case. The empty string,
     * {@code "NONE"} and {@code "."} name the empty set.
     *
     * @throws IllegalArgumentException if a name is not a key
     */
    public static Keys parse(String text) {
        String all = text.strip().toUpperCase(Locale.ROOT);
        if (all.isEmpty() || all.equals("NONE") || all.equals(".")) {
            return NONE;
        }
        int bits = 0;
        for (String part : all.split("\\+", -1)) {
            bits |= parseKey(part.strip(), text).bit();
        }
        return new Keys(bits);
    }

    private static Key parseKey(String name, String text) {
        for (Key key : Key.values()) {
            if (key.name().equals(name)) {
                return key;
            }
        }
        throw new IllegalArgumentException(
                "unknown key \"" + name + "\" in \"" + text + "\"; keys are " + List.of(Key.values()) + " joined by +");
    }

    /** Whether {@code key} is held. */
    public boolean contains(Key key) {
        return (bits & key.bit()) != 0;
    }

    /** Whether no key is held. */
    public boolean isEmpty() {
        return bits == 0;
    }

    /** This set with {@code key} held too. */
    public Keys with(Key key) {
        return new Keys(bits | key.bit());
    }

    /** This set without {@code key}. */
    public Keys without(Key key) {
        return new Keys(bits & ~(key.bit()));
    }

    /** The forward component after opposite keys cancel: 1 (W), 0 or −1 (S). */
    public int forward() {
        return axis(Key.W, Key.S);
    }

    /** The sideways component after opposite keys cancel: 1 (D, right), 0 or −1 (A, left). */
    public int right() {
        return axis(Key.D, Key.A);
    }

    /** The yaw component after opposite keys cancel: 1 (RIGHT), 0 or −1 (LEFT). */
    public int yaw() {
        return axis(Key.RIGHT, Key.LEFT);
    }

    /** The pitch component after opposite keys cancel: 1 (UP), 0 or −1 (DOWN). */
    public int pitch() {
        return axis(Key.UP, Key.DOWN);
    }

    private int axis(Key positive, Key negative) {
        return (contains(positive) ? 1 : 0) - (contains(negative) ? 1 : 0);
    }

    /** The joint state after cancellation, in [0, 80]: 27·(forward+1) + 9·(right+1) + 3·(yaw+1) + (pitch+1). */
    public int jointState() {
        return 27 * (forward() + 1) + 9 * (right() + 1) + 3 * (yaw() + 1) + pitch() + 1;
    }

    /** Names joined by {@code +} in the order of {@link Key}, or {@code "NONE"}; {@link #parse} reads it back. */
    @Override
    public String toString() {
        if (bits == 0) {
            return "NONE";
        }
        List<String> names = new ArrayList<>();
        for (Key key : Key.values()) {
            if (contains(key)) {
                names.add(key.name());
            }
        }
        return String.join("+", names);
    }
}
