package io.teleworld.examples;

import io.teleworld.core.evaluate.Bootstrap;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Repeated times of one thing in milliseconds, in the order in which they were taken. Immutable.
 *
 * @param millis at least one
 * @param allocatedBytes Java heap that the calling thread allocated per repetition, the median; 0 where the virtual
 *     machine does not tell
 */
@SuppressWarnings("ArrayRecordComponent") // internal, never compared
record GpuTimes(double[] millis, long allocatedBytes) {

    /** Fewer repetitions have no 99th percentile but their largest. */
    static final int ENOUGH_FOR_P99 = 100;

    private static final int RESAMPLES = 10_000;

    GpuTimes {
        if (millis.length == 0) {
            throw new IllegalArgumentException("there are no times");
        }
        millis = millis.clone();
    }

    /**
     * A ratio of medians and where it may lie, 95 % by the percentile bootstrap over both samples.
     *
     * @param ratio of the medians
     * @param lower end of the interval
     * @param upper end of the interval
     */
    record Ratio(double ratio, double lower, double upper) {

        @Override
        public String toString() {
            return Report.text(ratio) + " [" + Report.text(lower) + ", " + Report.text(upper) + "]";
        }
    }

    int count() {
        return millis.length;
    }

    double median() {
        return median(millis.clone());
    }

    /** The 99th percentile, or the largest where there are fewer than {@link #ENOUGH_FOR_P99} times. */
    double p99() {
        double[] sorted = sorted();
        return sorted[(int) Math.ceil(0.99 * sorted.length) - 1];
    }

    double least() {
        return sorted()[0];
    }

    double most() {
        return sorted()[millis.length - 1];
    }

    private double[] sorted() {
        double[] s = millis.clone();
        Arrays.sort(s);
        return s;
    }

    private static double median(double[] values) {
        Arrays.sort(values);
        return Bootstrap.percentile(values, 0.5);
    }

    /** How many times longer another thing takes. */
    Ratio slowdownOf(GpuTimes other) {
        SplittableRandom random = new SplittableRandom(0);
        double[] ratios = new double[RESAMPLES];
        for (int i = 0; i < RESAMPLES; i++) {
            ratios[i] = median(resample(other.millis, random)) / median(resample(millis, random));
        }
        Arrays.sort(ratios);
        return new Ratio(
                other.median() / median(), Bootstrap.percentile(ratios, 0.025), Bootstrap.percentile(ratios, 0.975));
    }

    private static double[] resample(double[] values, SplittableRandom random) {
        double[] out = new double[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = values[random.nextInt(values.length)];
        }
        return out;
    }

    /** One line without a name. */
    String text() {
        return String.format(
                java.util.Locale.ROOT,
                "p50 %.2f ms, %s %.2f ms (p99/p50 %.3f, %.2f to %.2f)",
                median(),
                count() < ENOUGH_FOR_P99 ? "largest of " + count() : "p99",
                p99(),
                p99() / median(),
                least(),
                most());
    }

    /** Entries of a report. */
    Map<String, Object> entries() {
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("p50Millis", Stages.round(median()));
        out.put("p99Millis", Stages.round(p99()));
        out.put("leastMillis", Stages.round(least()));
        out.put("mostMillis", Stages.round(most()));
        out.put("repeats", count());
        out.put("javaBytesPerRepeat", allocatedBytes);
        out.put("millis", Arrays.stream(millis).map(Stages::round).toArray());
        return out;
    }

    // ------------------------------------------------------------------------------------------ taking them

    /** A clock that collects times of several things that take turns. Confined to one thread. */
    static final class Clock {

        private final double[] millis;
        private final long[] bytes;
        private int count;

        Clock(int most) {
            millis = new double[most];
            bytes = new long[most];
        }

        void add(double ms, long allocated) {
            millis[count] = ms;
            bytes[count] = allocated;
            count++;
        }

        int count() {
            return count;
        }

        boolean full() {
            return count == millis.length;
        }

        GpuTimes times() {
            double[] allocated =
                    Arrays.stream(bytes, 0, count).mapToDouble(b -> b).toArray();
            return new GpuTimes(Arrays.copyOf(millis, count), Math.round(median(allocated)));
        }
    }

    /** Bytes that this thread has allocated so far on the Java heap, or a constant where that is not told. */
    static long allocated() {
        return ManagementFactory.getThreadMXBean() instanceof com.sun.management.ThreadMXBean threads
                        && threads.isThreadAllocatedMemorySupported()
                ? threads.getCurrentThreadAllocatedBytes()
                : 0;
    }
}
