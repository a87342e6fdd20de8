package io.teleworld.examples;

import io.teleworld.core.evaluate.Bootstrap;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What an evaluation found: lines and tables for people, entries for programs. Confined to one thread. */
final class Report {

    private final String name;
    private final PrintWriter out;
    private final Map<String, Object> entries = new LinkedHashMap<>();

    Report(String name, PrintWriter out) {
        this.name = name;
        this.out = out;
        Machine machine = Machine.detect();
        entries.put("evaluation", name);
        entries.put("machine", machine);
        line(
                "%s on %s, %d cores, %s, Java %s",
                name, machine.processor(), machine.cores(), machine.system(), machine.java());
    }

    /** An entry of the JSON file. */
    void put(String key, Object value) {
        entries.put(key, value);
    }

    /** A line of text. */
    void line(String format, Object... arguments) {
        out.println(String.format(Locale.ROOT, format, arguments));
        out.flush();
    }

    /** A table with a header; columns are as wide as they need to be, the first is aligned left, the others right. */
    void table(List<String> header, List<List<String>> rows) {
        List<List<String>> all = new ArrayList<>(rows);
        all.add(0, header);
        for (List<String> row : all) {
            StringBuilder text = new StringBuilder();
            for (int c = 0; c < header.size(); c++) {
                int column = c;
                int width =
                        all.stream().mapToInt(r -> r.get(column).length()).max().orElse(0);
                String pad = " ".repeat(width - row.get(c).length());
                text.append(c == 0 ? row.get(c) + pad : "  " + pad + row.get(c));
            }
            line("%s", text.toString().stripTrailing());
        }
    }

    /** Mean and interval, such as {@code 18.21 [17.90, 18.55]}. */
    static String text(Bootstrap.Interval i) {
        return text(i.mean()) + " [" + text(i.lower()) + ", " + text(i.upper()) + "]";
    }

    /** Two decimals, or a dash where there is no such figure. */
    static String text(double value) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%.2f", value) : "–";
    }

    static String yesNo(boolean value) {
        return value ? "yes" : "NO";
    }

    /** Writes the entries to {@code <folder>/<name>.json}. */
    void write(Path folder) {
        write(folder, name);
    }

    /** Writes what is there so far, without a line. */
    void keep(Path folder) {
        Output.json(folder.resolve(name + ".json"), entries);
    }

    /** Writes the entries to {@code <folder>/<file>.json}. */
    void write(Path folder, String fileName) {
        Path file = folder.resolve(fileName + ".json");
        Output.json(file, entries);
        line("%s", file);
    }
}
