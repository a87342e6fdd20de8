package io.teleworld.examples;

import io.teleworld.KeyScript;
import io.teleworld.ModelOptions;
import io.teleworld.SessionStatistics;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.runtime.Availability;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Speed of every runtime in every precision, and how far its frames are from those of the first one in fp32. */
@Command(name = "runtimes", description = "Speed and accuracy of every runtime in every precision.")
final class RuntimesReport extends Evaluation {

    private static final List<String> FIRST = List.of("onnx", "djl");
    /** The testkit's interpreter is an oracle, not something to wait for. */
    private static final String ORACLE = "reference";

    @Option(names = "--seconds", paramLabel = "N", description = "Length of each video; 4 by default.")
    int seconds = 4;

    @Override
    void measure(Report report) {
        int length = atLeastOne("--seconds", seconds);
        RuntimeRegistry registry = RuntimeRegistry.load(RuntimesReport.class.getClassLoader());
        List<WorldFrame> expected = List.of();
        List<List<String>> rows = new ArrayList<>();
        List<Map<String, Object>> entries = new ArrayList<>();
        for (String name : names(registry)) {
            TensorRuntimeProvider provider = registry.get(name);
            if (provider.probe() instanceof Availability.Unavailable u) {
                report.line("%s is left out: %s", name, u.reason());
                continue;
            }
            for (Precision precision : precisions(provider)) {
                Measured m = run(name, precision, length);
                if (expected.isEmpty()) {
                    expected = m.frames();
                }
                // Errors grow from segment to segment; the first second shows the arithmetic, the whole what becomes of
                // it.
                int second = Math.min(m.frames().size(), 1 + m.frames().size() / length);
                ParityReport.Difference begin = ParityReport.Difference.of(
                        expected.subList(0, second), m.frames().subList(0, second));
                ParityReport.Difference whole = ParityReport.Difference.of(expected, m.frames());
                rows.add(List.of(
                        name + " " + precision.name().toLowerCase(Locale.ROOT),
                        Report.text(m.framesPerSecond()),
                        Report.text(m.firstFrameSeconds()),
                        Report.text(begin.mean()),
                        Report.text(whole.mean()),
                        Report.text(whole.lowest())));
                Map<String, Object> one = new LinkedHashMap<>();
                one.put("runtime", name);
                one.put("precision", precision.name());
                one.put("framesPerSecond", Stages.round(m.framesPerSecond()));
                one.put("timeToFirstFrameSeconds", Stages.round(m.firstFrameSeconds()));
                one.put("firstSecond", begin.entries());
                one.put("whole", whole.entries());
                entries.add(one);
                report.line("%s", String.join("  ", rows.get(rows.size() - 1)));
            }
        }
        report.table(List.of("", "frames/s", "first frame s", "PSNR 1st second", "PSNR", "lowest PSNR"), rows);
        report.line("%d s each, %d threads, PSNR against the first row", length, model.effectiveThreads());
        report.put("seconds", length);
        report.put("threads", model.effectiveThreads());
        report.put("rows", entries);
    }

    private List<String> names(RuntimeRegistry registry) {
        if (!model.options().runtimes().isEmpty()) {
            return model.options().runtimes();
        }
        List<String> names = new ArrayList<>(FIRST);
        names.retainAll(registry.names());
        registry.names().stream()
                .filter(n -> !names.contains(n) && !n.equals(ORACLE))
                .forEach(names::add);
        return names;
    }

    private Set<Precision> precisions(TensorRuntimeProvider provider) {
        ModelOptions o = model.options();
        try (TensorRuntime runtime = provider.create(new RuntimeOptions(o.device(), o.threads()))) {
            return new TreeSet<>(runtime.precisions());
        }
    }

    private record Measured(List<WorldFrame> frames, double framesPerSecond, double firstFrameSeconds) {}

    private Measured run(String runtime, Precision precision, int length) {
        ModelOptions options = model.options().withRuntimes(runtime).withPrecision(precision);
        try (WorldModel opened = WorldModel.open(model.source(), options)) {
            int count = 1 + (int) Math.round(length * opened.description().framesPerSecond());
            WorldStart start =
                    WorldStart.image(Walk.shippedPicture()).seed(seed).script(KeyScript.parse(Walk.DEFAULT_KEYS));
            List<WorldFrame> frames = new ArrayList<>();
            try (WorldSession session = opened.start(start);
                    Progress progress = progress(count, "frames")) {
                Play.frames(session, count, () -> false, f -> {
                    frames.add(f);
                    progress.advanceTo(f.index() + 1);
                });
                SessionStatistics s = session.statistics();
                return new Measured(
                        frames,
                        (count - 1) / Stages.seconds(s.elapsed()),
                        s.timeToFirstFrame().map(Stages::seconds).orElse(Double.NaN));
            }
        }
    }
}
