package io.teleworld.core.plan;

import io.teleworld.ChainingPolicy;
import io.teleworld.GenerationStage;
import io.teleworld.SegmentPlan;
import io.teleworld.StageKind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A segment's frames by group: group 0 is given, group 1 is planned, groups 2, 3, … are populated in this order. Data
 * of a model package. Immutable.
 *
 * @param groups the group of each latent frame, frame 1 first
 * @param hideTerminal whether the planned frames behind a populated group's end are hidden from it, but for the one that
 *     bounds it (paper §3.2.2: the first sub-segment sees x^tb but not x^tc)
 */
public record SegmentMap(List<Integer> groups, boolean hideTerminal) {

    /** Ten latent frames: plan 2, 6, 10; populate 3–5, then 7–9 (paper §3.6.1). */
    public static final SegmentMap MACRO_MICRO = new SegmentMap(List.of(0, 1, 2, 2, 2, 1, 3, 3, 3, 1), true);

    public SegmentMap {
        groups = List.copyOf(groups);
        if (groups.size() < 2 || groups.get(0) != 0) {
            throw new IllegalArgumentException(
                    "segment map is " + groups + "; it needs two frames or more, the first of group 0");
        }
        TreeMap<Integer, Integer> counts = new TreeMap<>();
        groups.forEach(g -> counts.merge(g, 1, Integer::sum));
        for (int g = 0; g < counts.size(); g++) {
            if (!counts.containsKey(g)) {
                throw new IllegalArgumentException("segment map is " + groups + "; group " + g + " is missing");
            }
        }
        if (counts.size() < 2) {
            throw new IllegalArgumentException("segment map is " + groups + "; group 1, the plan, is missing");
        }
        if (groups.get(groups.size() - 1) != 1) {
            throw new IllegalArgumentException("segment map is " + groups + "; the last frame must be planned (1)");
        }
    }

    /** Reads groups separated by blanks, such as {@code "0 1 2 2 2 1 3 3 3 1"}. */
    public static SegmentMap parse(String text, boolean hideTerminal) {
        List<Integer> groups = new ArrayList<>();
        for (String part : text.strip().split("\\s+", -1)) {
            try {
                groups.add(Integer.parseInt(part));
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException(
                        "segment map is '" + text + "'; it must be whole numbers separated by blanks", e);
            }
        }
        return new SegmentMap(groups, hideTerminal);
    }

    /**
     * The plan that this map stands for.
     *
     * <p>With {@link ChainingPolicy#MIN_PEAK_MEMORY} the planned frame before the last begins the next segment, and
     * groups behind it are not populated.
     *
     * @throws IllegalArgumentException if MIN_PEAK_MEMORY is asked of a map whose plan has no frame that could be the
     *     hand-off beside the last
     */
    public SegmentPlan plan(ChainingPolicy chaining) {
        Map<Integer, List<Integer>> frames = new TreeMap<>();
        for (int i = 0; i < groups.size(); i++) {
            frames.computeIfAbsent(groups.get(i), g -> new ArrayList<>()).add(i + 1);
        }
        List<Integer> given = frames.getOrDefault(0, List.of());
        List<Integer> planned = frames.getOrDefault(1, List.of());
        int handoff = planned.get(planned.size() - 1);
        if (chaining == ChainingPolicy.MIN_PEAK_MEMORY) {
            if (planned.size() < 3) {
                throw new IllegalArgumentException("segment map is " + groups
                        + "; chaining by the middle planned frame needs three planned frames or more");
            }
            handoff = planned.get(planned.size() - 2);
        }
        List<GenerationStage> stages = new ArrayList<>();
        stages.add(new GenerationStage(StageKind.PLAN, planned, given));
        List<Integer> made = new ArrayList<>(given);
        made.addAll(planned);
        for (int g = 2; frames.containsKey(g); g++) {
            List<Integer> group = frames.getOrDefault(g, List.of());
            int last = group.get(group.size() - 1);
            if (group.get(0) > handoff) {
                continue;
            }
            List<Integer> visible = new ArrayList<>();
            boolean bounded = false;
            for (int f : made.stream().sorted().toList()) {
                boolean behind = f > last;
                if (!behind || !hideTerminal || !bounded) {
                    visible.add(f);
                }
                bounded |= behind;
            }
            stages.add(new GenerationStage(StageKind.POPULATE, group, visible));
            made.addAll(group);
        }
        List<Integer> emitted = new ArrayList<>();
        for (int f = 2; f <= handoff; f++) {
            emitted.add(f);
        }
        return new SegmentPlan(groups.size(), given, stages, planned, handoff, emitted);
    }
}
