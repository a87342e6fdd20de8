package io.teleworld.goldens;

import io.teleworld.error.ModelFormatException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The accept limits of a case. Immutable. */
final class Tolerances {

    /** What may be limited. */
    enum Measure {
        EXACT,
        MAX_ABS,
        MAX_REL,
        REL_L2,
        COS;

        String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** A measure and its limit; a result passes at or below it, the cosine at or above it. */
    record Limit(Measure measure, double value) {
        @Override
        public String toString() {
            return measure == Measure.EXACT ? "exact" : measure.key() + " " + CaseReport.brief(value);
        }
    }

    /** Where a case says nothing else. */
    private static final List<Limit> DEFAULT = List.of(new Limit(Measure.MAX_REL, 1e-4));

    private record Rule(Pattern pattern, int specificity, List<Limit> limits) {}

    private final List<Rule> rules;
    private final boolean fallback;

    private Tolerances(List<Rule> rules, boolean fallback) {
        this.rules = List.copyOf(rules);
        this.fallback = fallback;
    }

    /**
     * The limits that hold for an arithmetic.
     *
     * @param group {@code fp32}, {@code bf16} or the like; a case without groups has one set for all
     */
    static Tolerances of(GoldenCase c, String group) {
        JsonNode all = c.at("tolerance");
        boolean grouped = all.has("fp32");
        JsonNode named = grouped ? all.path(group) : all;
        List<Rule> rules = new ArrayList<>();
        for (Map.Entry<String, JsonNode> e : named.properties()) {
            List<Limit> limits = new ArrayList<>();
            for (Map.Entry<String, JsonNode> l : e.getValue().properties()) {
                limits.add(limit(c, l.getKey(), l.getValue()));
            }
            String[] parts = e.getKey().split("\\*", -1);
            StringBuilder regex = new StringBuilder();
            for (int i = 0; i < parts.length; i++) {
                regex.append(i == 0 ? "" : ".*").append(Pattern.quote(parts[i]));
            }
            rules.add(new Rule(
                    Pattern.compile(regex.toString()),
                    e.getKey().replace("*", "").length(),
                    List.copyOf(limits)));
        }
        return new Tolerances(rules, group.equals("fp32") || !grouped);
    }

    /**
     * The results that are limited in bf16, each with one limit on ‖a−e‖/‖e‖, and nothing else; a case with one set of
     * limits for all arithmetics keeps them.
     */
    static Tolerances relative(GoldenCase c, double limit) {
        if (!c.at("tolerance").has("fp32")) {
            return of(c, "bf16");
        }
        Limit l = new Limit(Measure.REL_L2, limit);
        return new Tolerances(
                of(c, "bf16").rules.stream()
                        .map(r -> new Rule(r.pattern(), r.specificity(), List.of(l)))
                        .toList(),
                false);
    }

    private static Limit limit(GoldenCase c, String key, JsonNode value) {
        for (Measure m : Measure.values()) {
            if (m.key().equals(key)) {
                return new Limit(m, m == Measure.EXACT ? 0 : value.asDouble());
            }
        }
        throw new ModelFormatException(c.name(), "tolerance '" + key + "' is unknown");
    }

    /** The limits for a result, those of the most specific pattern; null if it is not limited in this arithmetic. */
    @Nullable
    List<Limit> limits(String name) {
        Rule best = null;
        for (Rule r : rules) {
            if (r.pattern().matcher(name).matches() && (best == null || r.specificity() > best.specificity())) {
                best = r;
            }
        }
        return best != null ? best.limits() : fallback ? DEFAULT : null;
    }
}
