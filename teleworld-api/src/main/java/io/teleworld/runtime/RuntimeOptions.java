package io.teleworld.runtime;

/**
 * How a runtime is set up. Immutable.
 *
 * @param deviceId the device's {@link Device#id()}
 * @param threads host threads for one operator, or 0 for as many as there are processors
 */
public record RuntimeOptions(String deviceId, int threads) {

    public RuntimeOptions {
        if (threads < 0) {
            throw new IllegalArgumentException("threads is " + threads + "; 0 (all processors) or more is allowed");
        }
    }

    /** The host processor with all its threads. */
    public static RuntimeOptions cpu() {
        return new RuntimeOptions(Device.CPU, 0);
    }
}
