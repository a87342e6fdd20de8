package io.teleworld.core.evaluate.worldscore;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * WorldScore's final table. Immutable.
 *
 * @param aspects each in [0, 100], rounded to two decimals; all ten, 0 where nothing was scored
 * @param staticScore mean of the seven static aspects, rounded to two decimals
 * @param dynamicScore mean of all ten, rounded to two decimals
 */
public record ScoreTable(Map<Aspect, Double> aspects, double staticScore, double dynamicScore) {

    public ScoreTable {
        aspects = Collections.unmodifiableMap(new EnumMap<>(aspects));
        if (aspects.size() != Aspect.values().length) {
            throw new IllegalArgumentException(
                    "table has " + aspects.size() + " aspects; it needs all " + Aspect.values().length);
        }
    }

    /**
     * Aggregates: an aspect is 100 times the mean over its metrics of each metric's mean over the instances that have it.
     *
     * @param instances normalised scores in [0, 1] of each; a metric that failed counts with 0
     */
    public static ScoreTable of(Collection<? extends Map<Metric, Double>> instances) {
        Map<Metric, double[]> sums = new EnumMap<>(Metric.class);
        for (Map<Metric, Double> instance : instances) {
            instance.forEach((metric, score) -> {
                if (!(score >= 0) || !(score <= 1)) {
                    throw new IllegalArgumentException(metric.key() + " is " + score + "; it must lie in [0, 1]");
                }
                double[] s = sums.computeIfAbsent(metric, m -> new double[2]);
                s[0] += score;
                s[1]++;
            });
        }
        Map<Aspect, Double> aspects = new EnumMap<>(Aspect.class);
        double first = 0;
        double all = 0;
        int firstCount = 0;
        for (Aspect a : Aspect.values()) {
            double score = rounded(100
                    * sums.entrySet().stream()
                            .filter(e -> e.getKey().aspect() == a)
                            .mapToDouble(e -> e.getValue()[0] / e.getValue()[1])
                            .average()
                            .orElse(0));
            aspects.put(a, score);
            all += score;
            if (a.isStatic()) {
                first += score;
                firstCount++;
            }
        }
        return new ScoreTable(aspects, rounded(first / firstCount), rounded(all / aspects.size()));
    }

    /** Under the names of the benchmark's {@code worldscore.json}, in its order. */
    public Map<String, Double> rows() {
        Map<String, Double> rows = new LinkedHashMap<>();
        aspects.forEach((a, v) -> rows.put(a.key(), v));
        rows.put("WorldScore-Static", staticScore);
        rows.put("WorldScore-Dynamic", dynamicScore);
        return Collections.unmodifiableMap(rows);
    }

    /** To two decimals of the number as it is stored; what lies exactly in the middle goes to the even digit. */
    private static double rounded(double v) {
        return new BigDecimal(v).setScale(2, RoundingMode.HALF_EVEN).doubleValue();
    }
}
