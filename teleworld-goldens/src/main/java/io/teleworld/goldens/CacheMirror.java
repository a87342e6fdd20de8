package io.teleworld.goldens;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the frame caches of a run hold, gathered from the probes {@code cache.blocks.N.key} and {@code .value} of a
 * graph, because states cannot be read. Confined to one thread.
 */
final class CacheMirror {

    /** Prefix of the keys and values of the text, which are the same in every run. */
    static final String TEXT = "mid.cross_cache.";

    private final Map<String, Map<Integer, float[]>> entries = new TreeMap<>();
    private final Map<String, float[]> text = new TreeMap<>();

    /**
     * Remembers what a run wrote.
     *
     * @param written the frames, in their order in the run
     */
    void accept(List<Integer> written, Map<String, float[]> outputs) {
        outputs.forEach((name, v) -> {
            if (name.startsWith(TEXT)) {
                text.put(name, v);
            }
            if (name.startsWith("cache.")) {
                Map<Integer, float[]> frames = entries.computeIfAbsent(name, n -> new TreeMap<>());
                for (int i = 0; i < written.size(); i++) {
                    frames.put(written.get(i), Latents.part(v, i, written.size()));
                }
            }
        });
    }

    /**
     * Compares with stored caches {@code PREFIX.layer.N.k} and {@code .v}, [1, slots·tokens, heads, dim].
     *
     * @param slots which frame stands in each slot; slots behind them, and those of frames that were never written, are
     *     zero
     */
    void compare(GoldenCase c, CaseReport report, String prefix, String suffix, List<Integer> slots) {
        for (String name : c.tensorNames(prefix + ".layer.")) {
            String[] layerAndPart =
                    name.substring((prefix + ".layer.").length()).split("\\.", -1);
            Map<Integer, float[]> frames =
                    entries.get("cache.blocks." + layerAndPart[0] + (layerAndPart[1].equals("k") ? ".key" : ".value"));
            if (frames == null || frames.isEmpty()) {
                continue;
            }
            double[] expected = c.numbers(name);
            double[] actual = new double[expected.length];
            for (int s = 0; s < slots.size(); s++) {
                float[] entry = frames.get(slots.get(s));
                for (int i = 0; entry != null && i < entry.length; i++) {
                    actual[s * entry.length + i] = entry[i];
                }
            }
            report.compare(name + suffix, name, actual, expected);
        }
    }

    /** Compares with the stored keys and values of the text. */
    void compareText(GoldenCase c, CaseReport report, String suffix) {
        text.forEach((name, v) -> {
            if (c.hasTensor(name)) {
                report.compare(name + suffix, name, GoldenCase.widened(v), c.numbers(name));
            }
        });
    }
}
