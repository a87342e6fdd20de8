package io.teleworld.examples;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import tools.jackson.databind.JsonNode;

/** The measures of cases, by group and arm, as they stand in reports. Immutable. */
final class CaseResults {

    private final List<JsonNode> cases;

    CaseResults(List<JsonNode> cases) {
        this.cases = List.copyOf(cases);
    }

    /** Whether any case of a group has an arm. */
    boolean has(String group, String arm) {
        return cases.stream().anyMatch(c -> in(c, group) && arm(c, arm).isObject());
    }

    /** One value for each case of a group that has it. */
    double[] values(String group, String arm, String measure) {
        return values(group, c -> number(c, arm, measure));
    }

    /** The values of two arms for the cases that have both, in the same order. */
    double[][] pairs(String group, String a, String b, String measure) {
        return pairs(group, a, measure, b, measure);
    }

    /** Two measures of two arms for the cases that have both. */
    double[][] pairs(String group, String a, String measureA, String b, String measureB) {
        return new double[][] {
            values(group, c -> number(c, b, measureB) * 0 + number(c, a, measureA)),
            values(group, c -> number(c, a, measureA) * 0 + number(c, b, measureB))
        };
    }

    /** The mean over the cases of a group, entry by entry, of an array; as long as the shortest. */
    double[] meanCurve(String group, String arm, String measure) {
        List<JsonNode> curves = new ArrayList<>();
        for (JsonNode c : cases) {
            JsonNode curve = arm(c, arm).path(measure);
            if (in(c, group) && curve.isArray()) {
                curves.add(curve);
            }
        }
        int length = curves.stream().mapToInt(JsonNode::size).min().orElse(0);
        double[] mean = new double[length];
        for (JsonNode curve : curves) {
            for (int i = 0; i < length; i++) {
                mean[i] += curve.path(i).asDouble(Double.NaN) / curves.size();
            }
        }
        return mean;
    }

    private double[] values(String group, ToDoubleFunction<JsonNode> value) {
        return cases.stream()
                .filter(c -> in(c, group))
                .mapToDouble(value)
                .filter(Double::isFinite)
                .toArray();
    }

    private static boolean in(JsonNode c, String group) {
        return c.path("group").asString("").equals(group);
    }

    private static JsonNode arm(JsonNode c, String arm) {
        return c.path("arms").path(arm);
    }

    private static double number(JsonNode c, String arm, String measure) {
        return arm(c, arm).path(measure).asDouble(Double.NaN);
    }
}
