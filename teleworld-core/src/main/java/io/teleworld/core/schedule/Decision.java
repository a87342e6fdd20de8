package io.teleworld.core.schedule;

/**
 * What a policy says about a ready task. Immutable.
 *
 * @param task the task
 * @param start whether it starts now
 * @param reason one line
 */
public record Decision(Task task, boolean start, String reason) {}
