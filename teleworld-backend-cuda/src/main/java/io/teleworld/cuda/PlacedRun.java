package io.teleworld.cuda;

import java.util.List;
import java.util.Map;

/**
 * A planned run whose memory has addresses. Immutable.
 *
 * @param inputs where each input is read, by name
 * @param outputs where each output is written, by name
 * @param work launches the kernels and products in order
 */
record PlacedRun(Map<String, Place> inputs, Map<String, Place> outputs, List<Runnable> work) {

    /**
     * A piece of device memory.
     *
     * @param address where it begins
     * @param bytes how much
     */
    record Place(long address, long bytes) {}

    PlacedRun {
        inputs = Map.copyOf(inputs);
        outputs = Map.copyOf(outputs);
        work = List.copyOf(work);
    }
}
