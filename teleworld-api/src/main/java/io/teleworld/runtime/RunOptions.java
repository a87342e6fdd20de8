package io.teleworld.runtime;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a run sees and changes of its state. Immutable.
 *
 * @param visible per cache group the frame ids to attend to, in this order; a group that is not named shows all that it
 *     holds, in the order of their first writing
 * @param written per cache group the ids under which the run's frames are stored, in the order of the run's frames; an
 *     id that is held already is replaced in place; a group that is not named is not written
 * @param writeRegisters whether registers take the run's new values
 */
public record RunOptions(
        Map<String, List<Integer>> visible, Map<String, List<Integer>> written, boolean writeRegisters) {

    /** Sees everything, writes registers and no frame cache. */
    public static final RunOptions DEFAULT = new RunOptions(Map.of(), Map.of(), true);

    public RunOptions {
        visible = deepCopy(visible, "visible");
        written = deepCopy(written, "written");
    }

    /** These options with the visible frames of a group set. */
    public RunOptions withVisible(String group, List<Integer> frameIds) {
        Map<String, List<Integer>> m = new LinkedHashMap<>(visible);
        m.put(group, frameIds);
        return new RunOptions(m, written, writeRegisters);
    }

    /** These options with the written frames of a group set. */
    public RunOptions withWritten(String group, List<Integer> frameIds) {
        Map<String, List<Integer>> m = new LinkedHashMap<>(written);
        m.put(group, frameIds);
        return new RunOptions(visible, m, writeRegisters);
    }

    /** These options with registers left as they are. */
    public RunOptions withoutRegisterWrites() {
        return new RunOptions(visible, written, false);
    }

    private static Map<String, List<Integer>> deepCopy(Map<String, List<Integer>> m, String what) {
        Map<String, List<Integer>> out = new LinkedHashMap<>();
        m.forEach((g, ids) -> {
            if (new HashSet<>(ids).size() != ids.size()) {
                throw new IllegalArgumentException(
                        what + " frames of group " + g + " are " + ids + "; each may occur once");
            }
            out.put(g, List.copyOf(ids));
        });
        return java.util.Collections.unmodifiableMap(out);
    }
}
