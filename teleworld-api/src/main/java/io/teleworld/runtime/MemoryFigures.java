package io.teleworld.runtime;

/**
 * What a runtime holds at one moment. Immutable.
 *
 * @param weightBytes weights of compiled programs
 * @param stateBytes program states
 * @param liveTensors tensors made by this runtime and not yet closed
 */
public record MemoryFigures(long weightBytes, long stateBytes, long liveTensors) {}
