package io.teleworld;

import io.teleworld.runtime.Precision;
import java.util.List;
import java.util.Optional;

/**
 * How a model is opened. Immutable.
 *
 * @param runtimes names of runtimes, the preferred one first; the first that works here is used, and an empty list
 *     stands for all that are on the class path
 * @param device the runtime's device, {@code cpu} by default
 * @param threads host threads for one operator, or 0 for as many as there are processors
 * @param precision instead of the precision that the package names
 * @param denoisingSteps how many of the package's denoising steps are taken, or 0 for all; fewer are faster and worse
 */
public record ModelOptions(
        List<String> runtimes, String device, int threads, Optional<Precision> precision, int denoisingSteps) {

    /** Any runtime, on the host processor with all threads, in the package's precision, with all its steps. */
    public static final ModelOptions DEFAULT = new ModelOptions(List.of(), "cpu", 0, Optional.empty(), 0);

    public ModelOptions {
        runtimes = List.copyOf(runtimes);
        if (threads < 0) {
            throw new IllegalArgumentException("threads is " + threads + "; 0 (all processors) or more is allowed");
        }
        if (denoisingSteps < 0) {
            throw new IllegalArgumentException(
                    "denoising steps is " + denoisingSteps + "; 0 (all of the package) or more is allowed");
        }
    }

    /** These options with a preference of runtimes. */
    public ModelOptions withRuntimes(String... names) {
        return new ModelOptions(List.of(names), device, threads, precision, denoisingSteps);
    }

    /** These options on another device. */
    public ModelOptions withDevice(String id) {
        return new ModelOptions(runtimes, id, threads, precision, denoisingSteps);
    }

    /** These options with another number of threads. */
    public ModelOptions withThreads(int count) {
        return new ModelOptions(runtimes, device, count, precision, denoisingSteps);
    }

    /** These options with another precision than the package names. */
    public ModelOptions withPrecision(Precision value) {
        return new ModelOptions(runtimes, device, threads, Optional.of(value), denoisingSteps);
    }

    /** These options with fewer denoising steps than the package names: the noisiest first, evenly spread over its list. */
    public ModelOptions withDenoisingSteps(int count) {
        return new ModelOptions(runtimes, device, threads, precision, count);
    }
}
