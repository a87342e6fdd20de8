package io.teleworld.core.loop;

import io.teleworld.Keys;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** The keys between the threads that press them and the loop that samples them. Thread-safe. */
final class KeyInput {

    /** Latencies that are kept for the statistics; older ones go first. */
    private static final int KEPT_LATENCIES = 10_000;

    private static final int KEPT_EVENTS = 4096;

    private record Event(long number, long nanos) {}

    /**
     * What a segment is steered by.
     *
     * @param keys held keys and taps
     * @param event number of the newest event, 0 before the first
     */
    record Sample(Keys keys, long event) {}

    private final ArrayDeque<Event> unanswered = new ArrayDeque<>();
    private final ArrayDeque<Long> latencies = new ArrayDeque<>();
    private Keys held;
    private int taps;
    private long newest;

    KeyInput(Keys held) {
        this.held = held;
    }

    synchronized long hold(Keys keys, long nanos) {
        held = keys;
        return event(nanos);
    }

    synchronized long tap(Keys keys, long nanos) {
        taps |= keys.bits();
        return event(nanos);
    }

    /** Counts an event that no call made, such as a change in a script. */
    synchronized long event(long nanos) {
        newest++;
        if (unanswered.size() == KEPT_EVENTS) {
            unanswered.remove();
        }
        unanswered.add(new Event(newest, nanos));
        return newest;
    }

    /** Taps act in one sample. */
    synchronized Sample sample() {
        Sample s = new Sample(new Keys(held.bits() | taps), newest);
        taps = 0;
        return s;
    }

    /** A frame that answers all events up to {@code event} is out. */
    synchronized void answered(long event, long nanos) {
        while (!unanswered.isEmpty() && unanswered.element().number() <= event) {
            if (latencies.size() == KEPT_LATENCIES) {
                latencies.remove();
            }
            latencies.add(nanos - unanswered.remove().nanos());
        }
    }

    synchronized List<Long> latencies() {
        return new ArrayList<>(latencies);
    }
}
