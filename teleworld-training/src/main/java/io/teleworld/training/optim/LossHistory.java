package io.teleworld.training.optim;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Named series of numbers over the steps of a run, such as losses. Confined to one thread. */
public final class LossHistory {

    /**
     * One number of a series. Immutable.
     *
     * @param step when it was measured
     * @param value what was measured
     */
    public record Point(long step, double value) {}

    private final Map<String, List<Point>> series = new LinkedHashMap<>();

    /** Appends a number to a series, which begins with its first number. */
    public void add(String name, long step, double value) {
        series.computeIfAbsent(name, n -> new ArrayList<>()).add(new Point(step, value));
    }

    /** The names of the series, in the order of their first numbers. */
    public List<String> names() {
        return List.copyOf(series.keySet());
    }

    /** The numbers of a series, oldest first; empty if there is none of that name. */
    public List<Point> points(String name) {
        return Collections.unmodifiableList(series.getOrDefault(name, List.of()));
    }

    /** The mean of the last {@code count} numbers of a series, or NaN if there is none. */
    public double recentMean(String name, int count) {
        List<Point> p = points(name);
        return p.subList(Math.max(0, p.size() - count), p.size()).stream()
                .mapToDouble(Point::value)
                .average()
                .orElse(Double.NaN);
    }

    void clear() {
        series.clear();
    }
}
