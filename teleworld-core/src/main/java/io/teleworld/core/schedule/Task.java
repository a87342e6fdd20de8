package io.teleworld.core.schedule;

/**
 * One piece of work. Immutable.
 *
 * @param segment from 0
 * @param kind what is done
 * @param part for PLAN and POPULATE the stage's index in the plan, for DECODE, UPSCALE and EMIT the 1-based latent
 *     frame, otherwise 0
 */
public record Task(int segment, TaskKind kind, int part) {

    @Override
    public String toString() {
        return kind + "(" + segment + "," + part + ")";
    }
}
