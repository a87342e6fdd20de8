package io.teleworld.core.network;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The frames of one run of {@link VideoTransformer#maskedGraph} and who sees whom, such that the run equals generation
 * group by group with a cache (macro-from-micro planning with teacher forcing). Immutable.
 *
 * <p>Each frame of a segment has a group; groups are generated in the order of their numbers. Group g sees the clean
 * frames of earlier groups, except those hidden from it, itself, and its own guidance. Clean frames see clean frames of
 * their own and earlier groups likewise, and their own guidance. Guidance sees the guidance of its group only; so its
 * keys and values can be cached before the group is generated.
 */
public final class SegmentSequence {

    /** What a frame of the run is. */
    public enum Kind {
        /** Encoded rendering of the 4D memory, timestep 0. */
        GUIDANCE,
        /** Ground truth or finished frame, timestep 0. */
        CLEAN,
        /** To be denoised. */
        NOISY
    }

    /**
     * A frame of the run.
     *
     * @param kind what it is
     * @param frame number within the segment, from 0
     */
    public record Slot(Kind kind, int frame) {}

    private final int[] groups;
    private final Map<Integer, Set<Integer>> hidden;
    private final List<Slot> slots;

    /**
     * @param groups the group of each frame of the segment
     * @param hidden per group the frames of earlier groups that it must not see
     * @param slots the frames of the run, in its order
     */
    public SegmentSequence(int[] groups, Map<Integer, Set<Integer>> hidden, List<Slot> slots) {
        this.groups = groups.clone();
        this.hidden = new TreeMap<>();
        hidden.forEach((g, f) -> this.hidden.put(g, Set.copyOf(f)));
        this.slots = List.copyOf(slots);
        for (Slot s : slots) {
            if (s.frame() < 0 || s.frame() >= groups.length) {
                throw new IllegalArgumentException("frame is " + s.frame() + "; allowed is [0, " + groups.length + ")");
            }
        }
        hidden.forEach((g, frames) -> frames.forEach(f -> {
            if (f < 0 || f >= groups.length || groups[f] >= g) {
                throw new IllegalArgumentException(
                        "frame " + f + " is hidden from group " + g + "; only frames of earlier groups can be");
            }
        }));
    }

    /**
     * The shortest run that trains all generated groups at once: guidance, then the clean frames that somebody sees,
     * then the noisy ones.
     *
     * @param generatedFrom groups below are given: neither noisy nor guided
     * @param guided whether there is guidance
     */
    public static SegmentSequence teacherForcing(
            int[] groups, Map<Integer, Set<Integer>> hidden, int generatedFrom, boolean guided) {
        int last = Arrays.stream(groups).max().orElseThrow();
        List<Slot> slots = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            for (int f = 0; f < groups.length; f++) {
                boolean used = switch (kind) {
                    case GUIDANCE -> guided && groups[f] >= generatedFrom;
                    case CLEAN -> groups[f] < last;
                    case NOISY -> groups[f] >= generatedFrom;
                };
                if (used) {
                    slots.add(new Slot(kind, f));
                }
            }
        }
        return new SegmentSequence(groups, hidden, slots);
    }

    /** The frames of the run, in its order. */
    public List<Slot> slots() {
        return slots;
    }

    /** The group of a frame of the segment. */
    public int group(int frame) {
        return groups[frame];
    }

    /** The frames of a group, in order. */
    public List<Integer> framesOf(int group) {
        List<Integer> out = new ArrayList<>();
        for (int f = 0; f < groups.length; f++) {
            if (groups[f] == group) {
                out.add(f);
            }
        }
        return out;
    }

    /** The finished frames that a group sees while it is generated, in order. */
    public List<Integer> visibleTo(int group) {
        List<Integer> out = new ArrayList<>();
        for (int f = 0; f < groups.length; f++) {
            if (groups[f] < group && !isHidden(group, f)) {
                out.add(f);
            }
        }
        return out;
    }

    /**
     * Temporal rotary positions of the run's frames: their numbers.
     *
     * @param guidanceOffset added for guidance frames
     */
    public float[] positions(int guidanceOffset) {
        float[] p = new float[slots.size()];
        for (int i = 0; i < p.length; i++) {
            Slot s = slots.get(i);
            p[i] = s.frame() + (s.kind() == Kind.GUIDANCE ? guidanceOffset : 0);
        }
        return p;
    }

    /** Whether the query frame (row) sees the key frame (column), row-major, {@code slots().size()} squared. */
    public boolean[] visibility() {
        int n = slots.size();
        boolean[] v = new boolean[n * n];
        for (int q = 0; q < n; q++) {
            for (int k = 0; k < n; k++) {
                v[q * n + k] = sees(slots.get(q), slots.get(k));
            }
        }
        return v;
    }

    private boolean sees(Slot q, Slot k) {
        int gq = groups[q.frame()];
        int gk = groups[k.frame()];
        return switch (q.kind()) {
            case GUIDANCE -> k.kind() == Kind.GUIDANCE && gk == gq;
            case CLEAN ->
                switch (k.kind()) {
                    case GUIDANCE -> gk == gq;
                    case CLEAN -> gk <= gq && !isHidden(gq, k.frame());
                    case NOISY -> false;
                };
            case NOISY ->
                switch (k.kind()) {
                    case GUIDANCE, NOISY -> gk == gq;
                    case CLEAN -> gk < gq && !isHidden(gq, k.frame());
                };
        };
    }

    private boolean isHidden(int group, int frame) {
        return hidden.getOrDefault(group, Set.of()).contains(frame);
    }
}
