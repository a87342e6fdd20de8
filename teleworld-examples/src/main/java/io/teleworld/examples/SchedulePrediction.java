package io.teleworld.examples;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.core.schedule.CriticalPathPolicy;
import io.teleworld.core.schedule.Task;
import io.teleworld.core.schedule.TaskGraph;
import io.teleworld.core.schedule.TaskGraph.HandoffMode;
import io.teleworld.core.schedule.TaskKind;
import io.teleworld.core.schedule.VirtualTimeSimulator;
import io.teleworld.error.TeleWorldException;
import io.teleworld.error.TeleWorldException.Category;
import io.teleworld.runtime.Precision;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the scheduler makes of stage costs on several cards, in virtual time: a prediction, never a measurement. */
@Command(
        name = "predict",
        description = "Frames/s that the scheduler reaches in virtual time with given stage costs. A prediction.")
final class SchedulePrediction implements Callable<Integer> {

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(
            names = "--from",
            split = ",",
            paramLabel = "FILE",
            description = "gpu.json, or several, with measured stages of the 18B shape, decoding and"
                    + " super-resolution; with it the five below are not needed.")
    List<Path> from = List.of();

    @Option(
            names = "--precision",
            paramLabel = "P",
            converter = GpuReport.Named.class,
            description = "Whose figures of the file are taken; all by default.")
    @Nullable
    Precision precision;

    @Option(names = "--plan", paramLabel = "MS", description = "Planning a segment.")
    @Nullable
    Double plan;

    @Option(names = "--populate1", paramLabel = "MS", description = "Frames 3 to 5 of a segment.")
    @Nullable
    Double populate1;

    @Option(names = "--populate2", paramLabel = "MS", description = "Frames 7 to 9 of a segment.")
    @Nullable
    Double populate2;

    @Option(names = "--decode", paramLabel = "MS", description = "One latent frame, 4 pictures.")
    @Nullable
    Double decode;

    @Option(names = "--upscale", paramLabel = "MS", description = "Enlarging 4 pictures; 0 by default.")
    @Nullable
    Double upscale;

    @Option(names = "--guide", paramLabel = "MS", description = "Guidance of a segment, on the host; 0 by default.")
    double guide;

    @Option(names = "--reencode", paramLabel = "MS", description = "The hand-off frame, on a card; 0 by default.")
    double reencode;

    @Option(names = "--reconstruct", paramLabel = "MS", description = "Keyframes, on the host; 0 by default.")
    double reconstruct;

    @Option(names = "--devices", split = ",", paramLabel = "N", description = "Numbers of cards; 1,2,4 by default.")
    List<Integer> devices = List.of(1, 2, 4);

    @Option(names = "--segments", paramLabel = "N", description = "Segments that are simulated; 60 by default.")
    int segments = 60;

    @Option(names = "--lookahead", paramLabel = "N", description = "Segments planned ahead at most; 4 by default.")
    int lookahead = 4;

    @Option(names = "--chaining", paramLabel = "P", description = "MAX_THROUGHPUT, the default, or MIN_PEAK_MEMORY.")
    ChainingPolicy chaining = ChainingPolicy.MAX_THROUGHPUT;

    @Option(names = "--out", paramLabel = "DIR", description = "Where the JSON file is put; target/eval by default.")
    Path out = Path.of("target", "eval");

    @Override
    public Integer call() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        if (segments < 1 || devices.isEmpty() || devices.stream().anyMatch(d -> d < 1)) {
            throw Cli.badArgument(command, "--segments and --devices must be at least 1");
        }
        List<Costs> all = costs(command);
        Output.folder(out);
        Report report = new Report(command.name(), command.commandLine().getOut());
        report.line("PREDICTION by simulation in virtual time; stage costs in ms as given, nothing is measured here");
        report.put("kind", "prediction");
        List<Map<String, Object>> entries = new ArrayList<>();
        for (Costs c : all) {
            predict(report, c, entries);
        }
        report.put("predictions", entries);
        report.write(out);
        return Cli.OK;
    }

    /** Stage costs in milliseconds, and what they are of. */
    private record Costs(String what, double plan, double populate1, double populate2, double decode, double upscale) {}

    private List<Costs> costs(CommandSpec command) {
        if (!from.isEmpty()) {
            return read(from);
        }
        Double first = plan;
        Double second = populate1;
        Double third = populate2;
        Double decoding = decode;
        if (first == null || second == null || third == null || decoding == null) {
            throw Cli.badArgument(command, "either --from or --plan, --populate1, --populate2 and --decode are needed");
        }
        Double enlarging = upscale;
        return List.of(new Costs("as given", first, second, third, decoding, enlarging == null ? 0 : enlarging));
    }

    /** For each precision and kind of guidance in the files: small pictures, and enlarged ones if that was measured. */
    private List<Costs> read(List<Path> files) {
        List<JsonNode> figures = new ArrayList<>();
        for (Path file : files) {
            try {
                JsonMapper.shared().readTree(file.toFile()).path("figures").forEach(figures::add);
            } catch (JacksonException e) {
                throw new TeleWorldException(Category.USER, file + ": cannot be read: " + e.getOriginalMessage(), e);
            }
        }
        List<Costs> out = new ArrayList<>();
        for (Precision p : Precision.values()) {
            if (precision != null && precision != p) {
                continue;
            }
            OptionalDouble decoding = figure(figures, GpuWorkloads.DECODE_ONE, p, "p50Millis");
            OptionalDouble enlarging = figure(figures, GpuWorkloads.UPSCALE, p, "p50Millis");
            for (String how : List.of(GpuWorkloads.PLAIN, GpuWorkloads.ONCE)) {
                String stage = GpuWorkloads.STAGE_OF_18B + how + ": stage ";
                OptionalDouble first = figure(figures, stage + 0, p, "stageMillis");
                OptionalDouble second = figure(figures, stage + 1, p, "stageMillis");
                OptionalDouble third = figure(figures, stage + 2, p, "stageMillis");
                if (decoding.isEmpty() || first.isEmpty() || second.isEmpty() || third.isEmpty()) {
                    continue;
                }
                String what = p.name().toLowerCase(Locale.ROOT) + ", " + how;
                Costs small = new Costs(
                        what + ", as decoded",
                        first.getAsDouble(),
                        second.getAsDouble(),
                        third.getAsDouble(),
                        decoding.getAsDouble(),
                        0);
                out.add(small);
                if (enlarging.isPresent()) {
                    out.add(new Costs(
                            what + ", enlarged",
                            small.plan(),
                            small.populate1(),
                            small.populate2(),
                            small.decode(),
                            enlarging.getAsDouble()));
                }
            }
        }
        if (out.isEmpty()) {
            throw new TeleWorldException(
                    Category.USER, files + " have no stages of the 18B shape with decoding in one precision");
        }
        return out;
    }

    private static OptionalDouble figure(List<JsonNode> figures, String name, Precision p, String key) {
        for (JsonNode f : figures) {
            if (name.equals(f.path("name").asString(""))
                    && p.name().equals(f.path("precision").asString(""))) {
                JsonNode value = f.path(key);
                if (value.isNumber()) {
                    return OptionalDouble.of(value.doubleValue());
                }
            }
        }
        return OptionalDouble.empty();
    }

    private void predict(Report report, Costs c, List<Map<String, Object>> entries) {
        Map<String, Double> costs = new LinkedHashMap<>();
        costs.put("plan", c.plan());
        costs.put("populate1", c.populate1());
        costs.put("populate2", c.populate2());
        costs.put("decode", c.decode());
        costs.put("upscale", c.upscale());
        costs.put("guide", guide);
        costs.put("reencode", reencode);
        costs.put("reconstruct", reconstruct);
        report.line("%s: costs %s", c.what(), costs);
        List<List<String>> rows = new ArrayList<>();
        for (int n : devices) {
            VirtualTimeSimulator.Result r = simulate(n, c);
            double rate = 1e3 * r.framesPerUnit();
            rows.add(List.of(
                    Integer.toString(n),
                    Report.text(rate),
                    Report.text(r.makespan() / segments),
                    Integer.toString(r.maxSegmentsInFlight())));
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("of", c.what());
            entry.put("costsMillis", costs);
            entry.put("devices", n);
            entry.put("predictedFramesPerSecond", Stages.round(rate));
            entry.put("millisPerSegment", Stages.round(r.makespan() / segments));
            entry.put("segmentsInFlight", r.maxSegmentsInFlight());
            entries.add(entry);
        }
        report.table(List.of("cards", "predicted frames/s", "ms per segment", "segments in flight"), rows);
    }

    private VirtualTimeSimulator.Result simulate(int cards, Costs c) {
        Set<TaskKind> host = EnumSet.of(TaskKind.GUIDE, TaskKind.RECONSTRUCT, TaskKind.EMIT);
        TaskGraph graph = new TaskGraph(new MacroMicroPlanner(chaining), HandoffMode.CLIP);
        return new VirtualTimeSimulator(graph, new CriticalPathPolicy(lookahead, host), cards, task -> millis(task, c))
                .run(segments);
    }

    private double millis(Task task, Costs c) {
        return switch (task.kind()) {
            case GUIDE -> guide;
            case PLAN -> c.plan();
            case POPULATE -> task.part() <= 1 ? c.populate1() : c.populate2();
            case REENCODE -> reencode;
            case RECONSTRUCT -> reconstruct;
            case DECODE -> c.decode();
            case UPSCALE -> c.upscale();
            case EMIT -> 0;
        };
    }
}
