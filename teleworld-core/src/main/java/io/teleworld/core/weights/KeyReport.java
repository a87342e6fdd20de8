package io.teleworld.core.weights;

import java.util.ArrayList;
import java.util.List;

/**
 * How the weights that are there differ from those that a network wants. Immutable.
 *
 * @param missing names that are wanted and not there
 * @param unexpected names that are there and not wanted
 * @param otherShape weights of another shape, each with both
 * @param parameters elements that are there
 * @param wantedParameters elements that are wanted
 */
public record KeyReport(
        List<String> missing,
        List<String> unexpected,
        List<String> otherShape,
        long parameters,
        long wantedParameters) {

    private static final int SHOWN = 8;

    public KeyReport {
        missing = List.copyOf(missing);
        unexpected = List.copyOf(unexpected);
        otherShape = List.copyOf(otherShape);
    }

    /** Whether there is no difference. */
    public boolean isExact() {
        return missing.isEmpty() && unexpected.isEmpty() && otherShape.isEmpty();
    }

    /** All of it in one line, long lists cut. */
    public String summary() {
        if (isExact()) {
            return "all weights match, " + parameters + " parameters";
        }
        List<String> problems = new ArrayList<>();
        add(problems, "missing", missing);
        add(problems, "unexpected", unexpected);
        add(problems, "of another shape", otherShape);
        if (parameters != wantedParameters) {
            problems.add(parameters + " parameters instead of " + wantedParameters);
        }
        return String.join("; ", problems);
    }

    private static void add(List<String> problems, String what, List<String> names) {
        if (!names.isEmpty()) {
            int shown = Math.min(SHOWN, names.size());
            problems.add(names.size() + " " + what + ": " + String.join(", ", names.subList(0, shown))
                    + (shown < names.size() ? ", …" : ""));
        }
    }
}
