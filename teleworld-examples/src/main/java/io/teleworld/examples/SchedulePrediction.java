package io.teleworld.examples;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.core.schedule.CriticalPathPolicy;
import io.teleworld.core.schedule.Task;
import io.teleworld.core.schedule.TaskGraph;
import io.teleworld.core.schedule.TaskGraph.HandoffMode;
import io.teleworld.core.schedule.TaskKind;
import io.teleworld.core.schedule.VirtualTimeSimulator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What the scheduler makes of stage costs on several cards, in virtual time: a prediction, never a measurement. */
@Command(
        name = "predict",
        description = "Frames/s that the scheduler reaches in virtual time with given stage costs. A prediction.")
final class SchedulePrediction implements Callable<Integer> {

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(names = "--plan", required = true, paramLabel = "MS", description = "Planning a segment.")
    double plan;

    @Option(names = "--populate1", required = true, paramLabel = "MS", description = "Frames 3 to 5 of a segment.")
    double populate1;

    @Option(names = "--populate2", required = true, paramLabel = "MS", description = "Frames 7 to 9 of a segment.")
    double populate2;

    @Option(names = "--decode", required = true, paramLabel = "MS", description = "One latent frame, 4 pictures.")
    double decode;

    @Option(names = "--upscale", paramLabel = "MS", description = "Enlarging 4 pictures; 0 by default.")
    double upscale;

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
        Output.folder(out);
        Report report = new Report(command.name(), command.commandLine().getOut());
        report.line("PREDICTION by simulation in virtual time; stage costs in ms as given, nothing is measured here");
        Map<String, Double> costs = new LinkedHashMap<>();
        costs.put("plan", plan);
        costs.put("populate1", populate1);
        costs.put("populate2", populate2);
        costs.put("decode", decode);
        costs.put("upscale", upscale);
        costs.put("guide", guide);
        costs.put("reencode", reencode);
        costs.put("reconstruct", reconstruct);
        report.line("costs: %s", costs);
        report.put("kind", "prediction");
        report.put("costsMillis", costs);
        List<List<String>> rows = new ArrayList<>();
        List<Map<String, Object>> entries = new ArrayList<>();
        for (int n : devices) {
            VirtualTimeSimulator.Result r = simulate(n);
            double rate = 1e3 * r.framesPerUnit();
            rows.add(List.of(
                    Integer.toString(n),
                    Report.text(rate),
                    Report.text(r.makespan() / segments),
                    Integer.toString(r.maxSegmentsInFlight())));
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("devices", n);
            entry.put("predictedFramesPerSecond", Stages.round(rate));
            entry.put("millisPerSegment", Stages.round(r.makespan() / segments));
            entry.put("segmentsInFlight", r.maxSegmentsInFlight());
            entries.add(entry);
        }
        report.table(List.of("cards", "predicted frames/s", "ms per segment", "segments in flight"), rows);
        report.put("predictions", entries);
        report.write(out);
        return Cli.OK;
    }

    private VirtualTimeSimulator.Result simulate(int cards) {
        Set<TaskKind> host = EnumSet.of(TaskKind.GUIDE, TaskKind.RECONSTRUCT, TaskKind.EMIT);
        TaskGraph graph = new TaskGraph(new MacroMicroPlanner(chaining), HandoffMode.CLIP);
        return new VirtualTimeSimulator(graph, new CriticalPathPolicy(lookahead, host), cards, this::millis)
                .run(segments);
    }

    private double millis(Task task) {
        return switch (task.kind()) {
            case GUIDE -> guide;
            case PLAN -> plan;
            case POPULATE -> task.part() <= 1 ? populate1 : populate2;
            case REENCODE -> reencode;
            case RECONSTRUCT -> reconstruct;
            case DECODE -> decode;
            case UPSCALE -> upscale;
            case EMIT -> 0;
        };
    }
}
