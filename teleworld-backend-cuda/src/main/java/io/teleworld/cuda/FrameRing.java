package io.teleworld.cuda;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which slot holds which frame of a cache group. New frames take the free slots that follow the newest one, around the
 * ring, so that a sliding window comes back to the same slots and thus to the same captured graphs. Confined to its
 * state's thread.
 */
final class FrameRing {

    private final int capacity;
    /** In the order of first writing. */
    private final Map<Integer, Integer> slotOf = new LinkedHashMap<>();

    private final BitSet taken = new BitSet();
    private int newest = -1;
    /** Counts changes of which frame is where. */
    private long version;

    FrameRing(int capacity) {
        this.capacity = capacity;
    }

    /** Grows whenever which frame is where changes. */
    long version() {
        return version;
    }

    /** Held frames in the order of their first writing. */
    List<Integer> frames() {
        return List.copyOf(slotOf.keySet());
    }

    /** The slots of held frames. */
    List<Integer> slots(List<Integer> frames) {
        List<Integer> out = new ArrayList<>(frames.size());
        for (int frame : frames) {
            Integer slot = slotOf.get(frame);
            if (slot == null) {
                throw new IllegalStateException("frame " + frame + " is not held");
            }
            out.add(slot);
        }
        return out;
    }

    /** Where frames will go: held ones stay, others take free slots. Nothing changes yet. */
    List<Integer> place(List<Integer> frames) {
        List<Integer> out = new ArrayList<>(frames.size());
        BitSet used = (BitSet) taken.clone();
        int at = newest;
        for (int frame : frames) {
            Integer held = slotOf.get(frame);
            if (held != null) {
                out.add(held);
                continue;
            }
            at = nextFree(used, at);
            used.set(at);
            out.add(at);
        }
        return out;
    }

    private int nextFree(BitSet used, int after) {
        int slot = used.nextClearBit(after + 1);
        if (slot >= capacity) {
            slot = used.nextClearBit(0);
        }
        if (slot >= capacity) {
            throw new IllegalStateException("all " + capacity + " slots are taken");
        }
        return slot;
    }

    /** Makes a placement true. */
    void commit(List<Integer> frames, List<Integer> slots) {
        for (int i = 0; i < slots.size(); i++) {
            if (slotOf.putIfAbsent(frames.get(i), slots.get(i)) == null) {
                newest = slots.get(i);
                taken.set(newest);
                version++;
            }
        }
    }

    void evict(List<Integer> frames) {
        for (int frame : frames) {
            Integer slot = slotOf.remove(frame);
            if (slot != null) {
                taken.clear(slot);
                version++;
            }
        }
    }

    void clear() {
        slotOf.clear();
        taken.clear();
        newest = -1;
        version++;
    }

    void copyFrom(FrameRing other) {
        clear();
        slotOf.putAll(other.slotOf);
        taken.or(other.taken);
        newest = other.newest;
    }
}
