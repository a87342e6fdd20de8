package io.teleworld;

/** Which planned frame of a segment begins the next one (paper §3.6.1). */
public enum ChainingPolicy {
    /** The last planned frame x^tc: every frame of a segment is shown. */
    MAX_THROUGHPUT,
    /** The middle planned frame x^tb: the second half is planned but never populated; less memory, lower latency. */
    MIN_PEAK_MEMORY
}
