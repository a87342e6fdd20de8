package io.teleworld.onnx;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Where the frames of one cache group lie. Confined to its state's thread. */
final class FrameSlots {

    private final int capacity;
    private final Map<Integer, Integer> slotById = new LinkedHashMap<>();
    private final BitSet used = new BitSet();

    FrameSlots(int capacity) {
        this.capacity = capacity;
    }

    int capacity() {
        return capacity;
    }

    /** The ids in the order of their first writing. */
    List<Integer> ids() {
        return List.copyOf(slotById.keySet());
    }

    boolean holds(int id) {
        return slotById.containsKey(id);
    }

    /** The slots of frames that are held. */
    int[] slots(List<Integer> ids) {
        return ids.stream().mapToInt(this::slot).toArray();
    }

    private int slot(int id) {
        Integer s = slotById.get(id);
        if (s == null) {
            throw new IllegalStateException("frame " + id + " is not held");
        }
        return s;
    }

    /**
     * Slots for frames that are about to be written; nothing changes yet. Held frames keep theirs. New ones go right
     * behind the newest frame if there is room, else into the first run that is long enough, so that frames which are
     * seen together mostly lie together.
     */
    int[] place(List<Integer> ids) {
        int fresh = 0;
        for (int id : ids) {
            fresh += holds(id) ? 0 : 1;
        }
        List<Integer> free = freeSlots(fresh);
        int next = 0;
        int[] out = new int[ids.size()];
        for (int i = 0; i < out.length; i++) {
            int id = ids.get(i);
            out[i] = holds(id) ? slot(id) : free.get(next++);
        }
        return out;
    }

    private List<Integer> freeSlots(int count) {
        int newest = -1;
        for (int s : slotById.values()) {
            newest = s;
        }
        if (isFree(newest + 1, count)) {
            return run(newest + 1, count);
        }
        for (int s = 0; s + count <= capacity; s++) {
            if (isFree(s, count)) {
                return run(s, count);
            }
        }
        List<Integer> scattered = new ArrayList<>();
        for (int s = used.nextClearBit(0); scattered.size() < count; s = used.nextClearBit(s + 1)) {
            scattered.add(s);
        }
        return scattered;
    }

    private boolean isFree(int start, int count) {
        int firstUsed = used.nextSetBit(start);
        return start + count <= capacity && (firstUsed < 0 || firstUsed >= start + count);
    }

    private static List<Integer> run(int start, int count) {
        List<Integer> out = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            out.add(start + i);
        }
        return out;
    }

    /** Makes a placement true. */
    void commit(List<Integer> ids, int[] slots) {
        for (int i = 0; i < slots.length; i++) {
            slotById.put(ids.get(i), slots[i]);
            used.set(slots[i]);
        }
    }

    void evict(List<Integer> ids) {
        for (int id : ids) {
            Integer s = slotById.remove(id);
            if (s != null) {
                used.clear(s);
            }
        }
    }

    void clear() {
        slotById.clear();
        used.clear();
    }

    void copyFrom(FrameSlots other) {
        clear();
        slotById.putAll(other.slotById);
        used.or(other.used);
    }

    /** Whether these slots are a run in order. */
    static boolean contiguous(int[] slots) {
        for (int i = 1; i < slots.length; i++) {
            if (slots[i] != slots[0] + i) {
                return false;
            }
        }
        return true;
    }
}
