package io.teleworld.goldens;

import io.teleworld.goldens.Tolerances.Limit;
import io.teleworld.goldens.Tolerances.Measure;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** What was compared in one case. Confined to one thread. */
final class CaseReport {

    /**
     * One comparison.
     *
     * @param maxAbs largest difference; NaN if the sizes differ or a number is not finite
     * @param maxRel that divided by the largest expected magnitude
     * @param severity how much of its tolerance is used; above 1 it fails
     */
    record Result(String name, double maxAbs, double maxRel, List<Limit> limits, double severity, String problem) {
        boolean passed() {
            return problem.isEmpty() && severity <= 1;
        }

        String describe() {
            StringBuilder s = new StringBuilder(name)
                    .append(": max ")
                    .append(brief(maxAbs))
                    .append(", relative ")
                    .append(brief(maxRel))
                    .append(", tolerance ");
            for (int i = 0; i < limits.size(); i++) {
                s.append(i == 0 ? "" : " and ").append(limits.get(i));
            }
            return problem.isEmpty()
                    ? s.toString()
                    : s.append("; ").append(problem).toString();
        }
    }

    private final Tolerances tolerances;
    private final List<Result> results = new ArrayList<>();
    private final Set<String> compared = new TreeSet<>();

    CaseReport(Tolerances tolerances) {
        this.tolerances = tolerances;
    }

    /** Compares under the limits of that name. */
    void compare(String name, double[] actual, double[] expected) {
        compare(name, name, actual, expected);
    }

    void compare(String name, float[] actual, double[] expected) {
        compare(name, name, GoldenCase.widened(actual), expected);
    }

    /**
     * Compares.
     *
     * @param label what is printed
     * @param name which limits hold
     */
    void compare(String label, String name, double[] actual, double[] expected) {
        compared.add(name);
        @Nullable List<Limit> limits = tolerances.limits(name);
        if (limits != null) {
            results.add(measure(label, actual, expected, limits));
        }
    }

    /** Compares under a limit of its own, such as that between two forms of one computation. */
    void compare(String label, double[] actual, double[] expected, Limit limit) {
        results.add(measure(label, actual, expected, List.of(limit)));
    }

    /** Whether this result has been compared. */
    boolean compared(String name) {
        return compared.contains(name);
    }

    private static Result measure(String label, double[] actual, double[] expected, List<Limit> limits) {
        if (actual.length != expected.length) {
            return new Result(
                    label,
                    Double.NaN,
                    Double.NaN,
                    limits,
                    Double.POSITIVE_INFINITY,
                    "has " + actual.length + " elements instead of " + expected.length);
        }
        double difference = 0;
        double largest = 0;
        double squares = 0;
        double total = 0;
        double dot = 0;
        double own = 0;
        for (int i = 0; i < actual.length; i++) {
            double d = Math.abs(actual[i] - expected[i]);
            // A difference that is not a number must not lose every comparison.
            difference = Double.isNaN(d) ? Double.NaN : Math.max(difference, d);
            largest = Math.max(largest, Math.abs(expected[i]));
            squares += d * d;
            total += expected[i] * expected[i];
            own += actual[i] * actual[i];
            dot += actual[i] * expected[i];
        }
        double relative = difference == 0 ? 0 : difference / largest;
        double severity = 0;
        for (Limit l : limits) {
            double used = switch (l.measure()) {
                case EXACT -> difference == 0 ? 0 : Double.POSITIVE_INFINITY;
                case MAX_ABS -> difference / l.value();
                case MAX_REL -> relative / l.value();
                case REL_L2 -> (squares == 0 ? 0 : Math.sqrt(squares / total)) / l.value();
                case COS -> (1 - dot / Math.sqrt(own * total)) / (1 - l.value());
            };
            severity = Math.max(severity, Double.isNaN(used) ? Double.POSITIVE_INFINITY : used);
        }
        return new Result(label, difference, relative, limits, severity, "");
    }

    List<Result> results() {
        return List.copyOf(results);
    }

    List<Result> failures() {
        return results.stream().filter(r -> !r.passed()).toList();
    }

    /** The result that uses most of its tolerance. */
    Optional<Result> worst() {
        Result worst = null;
        for (Result r : results) {
            if (worst == null || r.severity() > worst.severity()) {
                worst = r;
            }
        }
        return Optional.ofNullable(worst);
    }

    /** A number in few digits. */
    static String brief(double v) {
        return v == 0 ? "0" : String.format(Locale.ROOT, "%.1e", v);
    }

    /** A limit on the largest relative difference. */
    static Limit maxRel(double value) {
        return new Limit(Measure.MAX_REL, value);
    }
}
