package io.teleworld.core.camera;

import io.teleworld.Key;
import io.teleworld.Keys;
import java.util.ArrayDeque;

/**
 * The queue of key edges between the thread that reads the keyboard and the one that plans camera steps.
 *
 * <p>Keys are sticky: they stay held until an event releases them. Events carry the time at which they happened and
 * may arrive ahead of the step that samples them. A key that went down since the last sample acts in the next one even
 * if it is up again by then, so a tap shorter than a step is never lost.
 *
 * <p>Thread-safe. Memory is bounded: beyond {@value #CAPACITY} waiting events the oldest is applied early.
 */
public final class KeyTimeline {

    /** The most events that wait to be sampled. */
    public static final int CAPACITY = 4096;

    private record Edge(double seconds, Keys held) {}

    /**
     * What one step sees.
     *
     * @param keys keys that act in the step
     * @param lastEventSeconds time of the newest event applied so far, or negative infinity before the first
     */
    public record Sample(Keys keys, double lastEventSeconds) {}

    private final ArrayDeque<Edge> edges = new ArrayDeque<>();
    private Keys newest = Keys.NONE;
    private Keys held = Keys.NONE;
    private int tapped;
    private double newestSeconds = Double.NEGATIVE_INFINITY;
    private double lastEventSeconds = Double.NEGATIVE_INFINITY;

    /** A timeline on which no key is held. */
    public KeyTimeline() {}

    /**
     * From {@code seconds} on exactly {@code keys} are held. An event older than the newest one counts as happening
     * together with it.
     *
     * @throws IllegalArgumentException if {@code seconds} is not finite
     */
    public synchronized void set(double seconds, Keys keys) {
        if (!Double.isFinite(seconds)) {
            throw new IllegalArgumentException("event time is " + seconds + " s; it must be finite");
        }
        if (edges.size() >= CAPACITY) {
            apply(edges.remove());
        }
        newestSeconds = Math.max(newestSeconds, seconds);
        newest = keys;
        edges.add(new Edge(newestSeconds, keys));
    }

    /** {@code key} goes down at {@code seconds}. */
    public synchronized void press(double seconds, Key key) {
        set(seconds, newest.with(key));
    }

    /** {@code key} goes up at {@code seconds}. */
    public synchronized void release(double seconds, Key key) {
        set(seconds, newest.without(key));
    }

    /**
     * The keys of the step that ends at {@code endSeconds}: those held then, and those pressed since the last sample.
     * A tap that opposes a key still held gives way to it.
     */
    public synchronized Sample sample(double endSeconds) {
        while (!edges.isEmpty() && edges.element().seconds() <= endSeconds) {
            apply(edges.remove());
        }
        int taps = tapped & ~held.bits() & ~opposites(held.bits());
        tapped = 0;
        return new Sample(new Keys(held.bits() | taps), lastEventSeconds);
    }

    private void apply(Edge edge) {
        tapped |= edge.held().bits() & ~held.bits();
        held = edge.held();
        lastEventSeconds = edge.seconds();
    }

    private static int opposites(int bits) {
        Keys keys = new Keys(bits);
        return opposite(keys, Key.W, Key.S)
                | opposite(keys, Key.A, Key.D)
                | opposite(keys, Key.UP, Key.DOWN)
                | opposite(keys, Key.LEFT, Key.RIGHT);
    }

    private static int opposite(Keys keys, Key a, Key b) {
        return (keys.contains(a) ? b.bit() : 0) | (keys.contains(b) ? a.bit() : 0);
    }
}
