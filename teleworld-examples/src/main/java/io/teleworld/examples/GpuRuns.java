package io.teleworld.examples;

import io.teleworld.error.TeleWorldException;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes times of things that take turns, so that a card that gets warm is as warm for all of them. Confined to one
 * thread.
 *
 * @param repeats of the first one at most
 * @param othersRepeats of the others at most, all of them while the first still takes turns
 * @param warmUp of each before, not measured
 * @param limitSeconds after which no more than {@link #LEAST} repetitions are made
 */
record GpuRuns(int repeats, int othersRepeats, int warmUp, double limitSeconds) {

    /** Repetitions that are made however long they take. */
    static final int LEAST = 10;

    private static final int MOST_PARTS = 4;

    /** One repetition; says where its parts end. */
    interface Work {
        void run(Laps laps);
    }

    /** The ends of the parts of one repetition. */
    static final class Laps {

        private final long[] nanos;
        private final long[] bytes;
        private int count;

        private Laps(int parts) {
            nanos = new long[parts + 1];
            bytes = new long[parts + 1];
        }

        private void begin() {
            count = 0;
            end();
        }

        /** A part ends here. */
        void end() {
            nanos[count] = System.nanoTime();
            bytes[count] = GpuTimes.allocated();
            count++;
        }
    }

    /**
     * Times from the begin of a repetition to the end of each of its parts.
     *
     * @param lanes what takes turns; every other round in the opposite order
     * @param parts of each
     * @return for each lane the times of each part
     */
    List<List<GpuTimes>> take(List<Work> lanes, int parts) {
        Laps laps = new Laps(parts);
        for (int i = 0; i < warmUp; i++) {
            for (int lane = 0; lane < lanes.size(); lane++) {
                once(lanes, lane, laps);
            }
        }
        List<List<GpuTimes.Clock>> clocks = new ArrayList<>();
        for (int lane = 0; lane < lanes.size(); lane++) {
            List<GpuTimes.Clock> own = new ArrayList<>();
            for (int p = 0; p < parts; p++) {
                own.add(new GpuTimes.Clock(repeats));
            }
            clocks.add(own);
        }
        long begun = System.nanoTime();
        for (int i = 0; i < repeats && (i < LEAST || System.nanoTime() - begun < 1e9 * limitSeconds); i++) {
            for (int k = 0; k < lanes.size(); k++) {
                int lane = i % 2 == 0 ? k : lanes.size() - 1 - k;
                if (lane > 0 && i >= othersRepeats) {
                    continue;
                }
                once(lanes, lane, laps);
                for (int p = 0; p < parts; p++) {
                    clocks.get(lane)
                            .get(p)
                            .add((laps.nanos[p + 1] - laps.nanos[0]) / 1e6, laps.bytes[p + 1] - laps.bytes[0]);
                }
            }
        }
        return clocks.stream()
                .map(own -> own.stream().map(GpuTimes.Clock::times).toList())
                .toList();
    }

    /** One repetition that is not timed. */
    void once(Work work) {
        once(List.of(work), 0, new Laps(MOST_PARTS));
    }

    private static void once(List<Work> lanes, int lane, Laps laps) {
        laps.begin();
        try {
            lanes.get(lane).run(laps);
        } catch (TeleWorldException e) {
            throw new LaneException(lane, e);
        }
    }

    /** Says which of the things failed. */
    static final class LaneException extends RuntimeException {

        private static final long serialVersionUID = 1;

        private final int lane;

        LaneException(int lane, TeleWorldException cause) {
            super(cause.getMessage(), cause);
            this.lane = lane;
        }

        int lane() {
            return lane;
        }
    }
}
