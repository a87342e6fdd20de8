package io.teleworld.cuda.plan;

import java.util.List;
import java.util.Map;

/**
 * Everything that a plan depends on besides its graph; runs of equal shape replay one captured graph. Immutable.
 *
 * @param symbols the extent of every symbol
 * @param visible per cache group the slots that are read, in order
 * @param written per cache group the slots that are written, in order; a group that is not named is not written
 * @param writeRegisters whether registers take their new values
 */
public record RunShape(
        Map<String, Long> symbols,
        Map<String, List<Integer>> visible,
        Map<String, List<Integer>> written,
        boolean writeRegisters) {

    public RunShape {
        symbols = Map.copyOf(symbols);
        visible = Map.copyOf(visible);
        written = Map.copyOf(written);
    }

    /** The shape of a run of a graph without states. */
    public static RunShape stateless(Map<String, Long> symbols) {
        return new RunShape(symbols, Map.of(), Map.of(), true);
    }
}
