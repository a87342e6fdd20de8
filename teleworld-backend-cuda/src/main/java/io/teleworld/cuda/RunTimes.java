package io.teleworld.cuda;

import io.teleworld.runtime.PreparedSequence;
import io.teleworld.runtime.Program;
import java.util.Optional;

/**
 * Where the time of the runs of a program or of a sequence went, as sums since it was made. Immutable.
 *
 * <p>Only runs that replayed a captured graph are timed: not the first of a shape, which plans and captures, and not
 * those under a {@link CudaProfiler}. Device time is that between two CUDA events around the graph, copies from and to
 * pinned memory included. Host time is that of the runtime from the moment when it holds the device until the results
 * are there, less the one wait for the device; the checks of arguments before are not in it. Reading does not touch
 * the device.
 *
 * @param runs how many are timed
 * @param planned runs that planned and captured first
 * @param deviceNanos device time of the timed runs in nanoseconds
 * @param hostNanos host time of the timed runs in nanoseconds
 */
public record RunTimes(long runs, long planned, long deviceNanos, long hostNanos) {

    /** Before the first run. */
    static final RunTimes NONE = new RunTimes(0, 0, 0, 0);

    /** The times of a program of this runtime so far; nothing for other runtimes' programs. */
    public static Optional<RunTimes> of(Program program) {
        return program instanceof CudaProgram own ? Optional.of(own.times()) : Optional.empty();
    }

    /** The times of a sequence that this runtime prepared; nothing for other runtimes' sequences. */
    public static Optional<RunTimes> of(PreparedSequence sequence) {
        return sequence instanceof CudaSequence own ? Optional.of(own.times()) : Optional.empty();
    }

    /** Both together, of two programs for instance. */
    public RunTimes plus(RunTimes other) {
        return new RunTimes(
                runs + other.runs,
                planned + other.planned,
                deviceNanos + other.deviceNanos,
                hostNanos + other.hostNanos);
    }

    /** What came after an earlier reading of the same program. */
    public RunTimes since(RunTimes earlier) {
        return new RunTimes(
                runs - earlier.runs,
                planned - earlier.planned,
                deviceNanos - earlier.deviceNanos,
                hostNanos - earlier.hostNanos);
    }

    /** Host time over device time; NaN without device time. */
    public double hostShare() {
        return deviceNanos == 0 ? Double.NaN : (double) hostNanos / deviceNanos;
    }
}
