package io.teleworld.examples;

import io.teleworld.ModelDescription;
import io.teleworld.ModelSource;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldStart;
import io.teleworld.core.evaluate.Bootstrap;
import io.teleworld.error.TeleWorldException;
import io.teleworld.geometry.Intrinsics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * An evaluation over a list of cases that do not depend on each other, so that several processes can share the list:
 * each takes a part, and a last run joins their files.
 */
abstract class CaseEvaluation extends Evaluation {

    /** What another model's arm is called. */
    static final String AGAINST = "against";

    @Option(
            names = "--against",
            paramLabel = "DIR",
            description = "Folder of another model package, run on the same list and compared case by case.")
    @Nullable
    Path against;

    @Option(
            names = "--part",
            paramLabel = "I/N",
            description = "Run only every N-th case, from the I-th on; the file is called <name>-I-of-N.json.")
    String part = "1/1";

    @Option(
            names = "--join",
            paramLabel = "FILE",
            split = ",",
            description = "Run nothing; sum up the files of parts of one list.")
    List<Path> join = new ArrayList<>();

    /**
     * One case.
     *
     * @param group what is compared with its like
     * @param name unique
     */
    record Job(String group, String name) {}

    /** Runs cases; what it opened is closed with it. */
    interface Runner extends AutoCloseable {

        /** Arms of a case, and the measures of each. */
        Case run(Job job);

        @Override
        void close();
    }

    /**
     * What a case gave.
     *
     * @param world where it took place
     * @param arms measures by arm: numbers, or arrays of them
     */
    record Case(String world, Map<String, Map<String, Object>> arms) {}

    /** The settings that make the list, in words; parts of one list have the same. */
    abstract String list();

    /** All cases, those that take long first. */
    abstract List<Job> jobs();

    /** Opens what cases need. */
    abstract Runner runner(Report report);

    /** Says what all cases together show. */
    abstract void summarise(Report report, CaseResults results);

    @Override
    final String fileName(String command) {
        int[] p = part();
        return p[1] == 1 ? command : command + "-" + p[0] + "-of-" + p[1];
    }

    @Override
    final void measure(Report report) {
        int[] p = part();
        report.put("list", list());
        report.line("list: %s", list());
        List<JsonNode> cases = join.isEmpty() ? run(report, p[0] - 1, p[1]) : joined(report);
        report.put("cases", cases);
        summarise(report, new CaseResults(cases));
    }

    private int[] part() {
        String[] ends = part.split("/", -1);
        try {
            int[] p = {Integer.parseInt(ends[0]), Integer.parseInt(ends[1])};
            if (ends.length == 2 && p[0] >= 1 && p[0] <= p[1]) {
                return p;
            }
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            // Told below, with what was given.
        }
        throw Cli.badArgument(
                Objects.requireNonNull(spec, "command specification"),
                "--part is '" + part + "'; it must be I/N with 1 ≤ I ≤ N");
    }

    private List<JsonNode> run(Report report, int first, int step) {
        List<Job> all = jobs();
        List<Job> own = new ArrayList<>();
        for (int i = first; i < all.size(); i += step) {
            own.add(all.get(i));
        }
        List<JsonNode> cases = new ArrayList<>();
        try (Runner runner = runner(report);
                Progress progress = progress(own.size(), "cases")) {
            for (Job job : own) {
                Case done = runner.run(job);
                Map<String, Object> entry = new LinkedHashMap<>();
                entry.put("case", job.name());
                entry.put("group", job.group());
                entry.put("world", done.world());
                entry.put("arms", done.arms());
                cases.add(JsonMapper.shared().valueToTree(entry));
                progress.advance();
            }
        }
        return cases;
    }

    private List<JsonNode> joined(Report report) {
        Map<String, JsonNode> cases = new LinkedHashMap<>();
        List<JsonNode> parts = new ArrayList<>();
        for (Path file : join) {
            JsonNode read = read(file);
            if (!read.path("list").asString("").equals(list())) {
                throw new TeleWorldException(
                        TeleWorldException.Category.USER,
                        file + ": is of the list '" + read.path("list").asString("") + "', not of '" + list() + "'");
            }
            read.path("cases").forEach(c -> cases.put(c.path("case").asString(""), c));
            Map<String, Object> entry = new LinkedHashMap<>();
            for (String key : List.of("model", "against", "machine")) {
                if (read.has(key)) {
                    entry.put(key, read.get(key));
                }
            }
            parts.add(JsonMapper.shared().valueToTree(entry));
            report.line(
                    "%s: %d cases, model %s",
                    file, read.path("cases").size(), read.path("model").asString(""));
        }
        report.put("parts", parts);
        return List.copyOf(cases.values());
    }

    private static JsonNode read(Path file) {
        try {
            return JsonMapper.shared().readTree(Files.readAllBytes(file));
        } catch (IOException | JacksonException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.USER, file + ": is no report that can be read: " + e.getMessage(), e);
        }
    }

    /** The other model, or nothing if none was named. */
    final @Nullable WorldModel openAgainst(Report report) {
        Path folder = against;
        if (folder == null) {
            return null;
        }
        WorldModel opened = WorldModel.open(ModelSource.directory(folder), model.options());
        ModelDescription d = opened.description();
        report.line("against %s (%s), %,d weights", d.name(), folder, d.parameters());
        report.put("against", d.name() + " (" + folder + ")");
        return opened;
    }

    /** The camera of the pictures that a model's sessions put out, which super-resolution makes larger. */
    static Intrinsics outputCamera(WorldModel model) {
        Intrinsics camera = model.description().intrinsics();
        RgbImage grey = new RgbImage(camera.width(), camera.height(), new byte[3 * camera.width() * camera.height()]);
        WorldFrame first = Play.frames(model, WorldStart.image(grey).superResolution(false), 2)
                .get(1);
        return camera.resized(first.image().width(), first.image().height());
    }

    /** The smaller of two models' outputs: what both are judged at. */
    static Intrinsics commonCamera(WorldModel model, @Nullable WorldModel other) {
        Intrinsics own = outputCamera(model);
        if (other == null) {
            return own;
        }
        Intrinsics its = outputCamera(other);
        return its.width() < own.width() ? its : own;
    }

    final Bootstrap bootstrap() {
        return new Bootstrap(Bootstrap.DEFAULT.resamples(), Bootstrap.DEFAULT.confidence(), seed);
    }

    /** A table cell, with a dash where there are no cases. */
    static String cell(Bootstrap bootstrap, double[] values) {
        return values.length == 0 ? "–" : Report.text(bootstrap.mean(values));
    }

    /** As {@link #cell(Bootstrap, double[])} for the paired differences of two arms. */
    static String cell(Bootstrap bootstrap, double[][] pairs) {
        return pairs[0].length == 0 ? "–" : Report.text(bootstrap.difference(pairs[0], pairs[1]));
    }

    /** An interval for the JSON file, where there are cases. */
    static void put(Map<String, Object> summary, String key, Bootstrap bootstrap, double[] values) {
        if (values.length > 0) {
            summary.put(key, bootstrap.mean(values));
        }
    }

    /** As {@link #put(Map, String, Bootstrap, double[])} for paired differences. */
    static void put(Map<String, Object> summary, String key, Bootstrap bootstrap, double[][] pairs) {
        if (pairs[0].length > 0) {
            summary.put(key, bootstrap.difference(pairs[0], pairs[1]));
        }
    }
}
