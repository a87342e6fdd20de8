package io.teleworld;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a segment starts from. Immutable.
 *
 * @param segment from 0
 * @param plan how it is made
 * @param given the plan's given frames by their 1-based number
 * @param guidance for latent frames 1…N, in this order, the encoded guidance; empty where there is none
 * @param seed of all noise of this segment
 */
public record SegmentInput(
        int segment, SegmentPlan plan, Map<Integer, LatentFrame> given, List<GuidanceLatent> guidance, long seed) {

    public SegmentInput {
        Objects.requireNonNull(plan, "plan");
        given = Map.copyOf(given);
        guidance = List.copyOf(guidance);
        if (!given.keySet().containsAll(plan.given())) {
            throw new IllegalArgumentException(
                    "given frames are " + given.keySet() + "; the plan needs " + plan.given());
        }
        if (!guidance.isEmpty() && guidance.size() != plan.length()) {
            throw new IllegalArgumentException(
                    "guidance has " + guidance.size() + " latent frames; it must have " + plan.length() + " or none");
        }
    }
}
