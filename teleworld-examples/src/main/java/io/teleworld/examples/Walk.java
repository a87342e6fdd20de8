package io.teleworld.examples;

import io.teleworld.KeyScript;
import io.teleworld.ModelDescription;
import io.teleworld.PlyFormat;
import io.teleworld.RgbImage;
import io.teleworld.SessionStatistics;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.error.TeleWorldException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Walks through a world that is generated on the way: one picture in, keys steer; a video, a contact sheet, the memory as
 * a point cloud and a report come out.
 */
@Command(
        name = "walk",
        mixinStandardHelpOptions = true,
        versionProvider = Cli.Version.class,
        sortOptions = false,
        description = "Generates a walk from one picture and a script of keys.")
public final class Walk implements Callable<Integer> {

    /** Ahead, to the right until the start is out of sight, back again, and ahead. */
    static final String DEFAULT_KEYS = "W*24, RIGHT*56, LEFT*56, W*24";

    private static final double DEFAULT_SECONDS = 8;
    private static final double MAX_SECONDS = 24 * 3600;

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(
            names = "--image",
            paramLabel = "PNG",
            description = "Start picture: PNG, JPEG, BMP or GIF; a shipped one by default.")
    @Nullable
    Path image;

    @Option(
            names = "--keys",
            paramLabel = "FILE|SCRIPT",
            description = "Keys by frame, such as \"W*24, RIGHT+W*24\" (W A S D move, arrows turn); \"" + DEFAULT_KEYS
                    + "\" by default.")
    String keys = DEFAULT_KEYS;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            description = "Length of the video; by default that of the script, at least 8.")
    @Nullable
    Double seconds;

    @Option(names = "--seed", paramLabel = "N", description = "Seed of all noise; ${DEFAULT-VALUE} by default.")
    long seed = 7;

    @Option(
            names = "--planner",
            paramLabel = "NAME",
            converter = PlannerChoice.Converter.class,
            description = "macro-micro (the default), frame-chain or whole-segment.")
    private PlannerChoice planner = PlannerChoice.MACRO_MICRO;

    @Option(
            names = "--scale",
            paramLabel = "N",
            description = "How many times the video is larger than the model's pictures, 1 to 8; 2 by default.")
    int scale = 2;

    @Option(
            names = "--no-super-resolution",
            description = "Show pictures as they are generated, where the model could enlarge them.")
    boolean small;

    @Option(
            names = "--cells",
            paramLabel = "N",
            description = "Frames on the contact sheet, 1 to 1000; ${DEFAULT-VALUE} by default.")
    int cells = 24;

    @ArgGroup
    @Nullable
    PromptArguments prompt;

    @Option(names = "--out", paramLabel = "DIR", description = "Where files are put; target/walk by default.")
    Path out = Path.of("target", "walk");

    @Mixin
    ModelArguments model = new ModelArguments();

    private final Interrupts interrupts;

    /** The command with its defaults. */
    public Walk() {
        this(new Interrupts());
    }

    Walk(Interrupts interrupts) {
        this.interrupts = interrupts;
    }

    /** Runs the program; ends the process only if something went wrong, so that Maven can go on. */
    public static void main(String... args) {
        Interrupts interrupts = new Interrupts();
        interrupts.install();
        int code = Cli.of(new Walk(interrupts)).execute(args);
        if (code == Cli.INTERRUPTED) {
            // All is closed and written; the native libraries run their shutdown hooks in no order.
            System.out.flush();
            System.err.flush();
            Runtime.getRuntime().halt(code);
        }
        if (code != Cli.OK) {
            System.exit(code);
        }
    }

    @Override
    public Integer call() {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        PrintWriter err = command.commandLine().getErr();
        PrintWriter log = command.commandLine().getOut();
        KeyScript script = script(command);
        Double asked = seconds;
        if (asked != null && !(asked > 0 && asked <= MAX_SECONDS)) {
            throw Cli.badArgument(
                    command, "--seconds is " + asked + "; it must lie in (0, " + (long) MAX_SECONDS + "]");
        }
        if (scale < 1 || scale > 8) {
            throw Cli.badArgument(command, "--scale is " + scale + "; it must lie in [1, 8]");
        }
        if (cells < 1 || cells > 1000) {
            throw Cli.badArgument(command, "--cells is " + cells + "; it must lie in [1, 1000]");
        }
        Path file = image;
        RgbImage picture = file == null ? shippedPicture() : RgbImage.read(file);
        Output.folder(out);
        long loading = System.nanoTime();
        try (WorldModel opened = model.open()) {
            ModelDescription description = opened.description();
            Duration loaded = Duration.ofNanos(System.nanoTime() - loading);
            double fps = description.framesPerSecond();
            double length = asked != null ? asked : Math.max(DEFAULT_SECONDS, script.frames() / fps);
            int total = 1 + (int) Math.ceil(length * fps - 1e-9);
            WorldStart start = planner.configure(
                    prompted(WorldStart.image(picture).seed(seed).script(script))
                            .superResolution(!small));
            log.printf(
                    Locale.ROOT,
                    "model %s on %s, %d×%d, loaded in %.1f s%n",
                    description.name(),
                    description.runtime(),
                    small ? description.intrinsics().width() : description.outputWidth(),
                    small ? description.intrinsics().height() : description.outputHeight(),
                    Stages.seconds(loaded));
            log.flush();
            return walk(opened, start, script, total, loaded, log, err);
        }
    }

    private int walk(
            WorldModel opened,
            WorldStart start,
            KeyScript script,
            int total,
            Duration loaded,
            PrintWriter log,
            PrintWriter err) {
        ModelDescription description = opened.description();
        Path video = out.resolve("walk.mp4");
        ContactSheet sheet = new ContactSheet(total, cells);
        int written;
        try (WorldSession session = opened.start(start)) {
            SessionStatistics statistics;
            try (Mp4Writer mp4 = new Mp4Writer(
                            video,
                            small ? description.intrinsics().width() : description.outputWidth(),
                            small ? description.intrinsics().height() : description.outputHeight(),
                            description.framesPerSecond(),
                            scale);
                    Progress progress = new Progress("walk", "frames", total, err)) {
                written = Play.frames(session, total, interrupts::requested, frame -> {
                    mp4.write(frame.image());
                    sheet.add(frame);
                    progress.advanceTo(frame.index() + 1);
                });
                statistics = session.statistics();
            }
            Duration generation = statistics.elapsed();
            if (written > 0) {
                sheet.draw().writePng(out.resolve("contact-sheet.png"));
            }
            session.memory().export(PlyFormat.BINARY, out.resolve("memory.ply"));
            Map<String, Object> report = report(description, script, written, loaded, generation, statistics);
            Output.json(out.resolve("report.json"), report);
            log.println(summary(written, generation, statistics));
            log.flush();
        }
        if (interrupts.requested() && written < total) {
            err.println("walk: stopped by the user after " + written + " of " + total + " frames; " + video + " plays");
            err.flush();
            return Cli.INTERRUPTED;
        }
        return Cli.OK;
    }

    /** One line with the figures that there are: a walk that was stopped early has no rate and answered no key. */
    String summary(int frames, Duration generation, SessionStatistics statistics) {
        StringBuilder line = new StringBuilder(frames + (frames == 1 ? " frame" : " frames"));
        if (frames > 1) {
            line.append(String.format(Locale.ROOT, " at %.1f/s", (frames - 1) / Stages.seconds(generation)));
        }
        statistics
                .timeToFirstFrame()
                .ifPresent(d -> line.append(String.format(Locale.ROOT, ", first after %.2f s", Stages.seconds(d))));
        if (!statistics.keyLatencies().isEmpty()) {
            line.append(String.format(
                    Locale.ROOT,
                    ", key to frame %.0f ms (p50) %.0f ms (p95)",
                    Stages.percentileMillis(statistics.keyLatencies(), 0.5),
                    Stages.percentileMillis(statistics.keyLatencies(), 0.95)));
        }
        return line + String.format(Locale.ROOT, ", %d points: %s", statistics.memoryPoints(), out);
    }

    private Map<String, Object> report(
            ModelDescription description,
            KeyScript script,
            int frames,
            Duration loaded,
            Duration generation,
            SessionStatistics statistics) {
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("machine", Machine.detect());
        Map<String, Object> described = new LinkedHashMap<>();
        described.put("name", description.name());
        described.put("source", model.source().toString());
        described.put("runtime", description.runtime());
        described.put("threads", model.effectiveThreads());
        described.put("parameters", description.parameters());
        described.put("width", small ? description.intrinsics().width() : description.outputWidth());
        described.put("height", small ? description.intrinsics().height() : description.outputHeight());
        described.put("framesPerSecondOfVideo", description.framesPerSecond());
        described.put("loadSeconds", Stages.round(Stages.seconds(loaded)));
        report.put("model", described);
        Path file = image;
        report.put("image", file == null ? "shipped" : file.toString());
        report.put("keys", script.toString());
        report.put("seed", seed);
        report.put("planner", planner.toString());
        report.put("frames", frames);
        report.put("videoSeconds", Stages.round(frames / description.framesPerSecond()));
        report.put("generationSeconds", Stages.round(Stages.seconds(generation)));
        report.put("framesPerSecond", Stages.round(Math.max(0, frames - 1) / Stages.seconds(generation)));
        report.put("stages", Stages.report(statistics));
        report.put(
                "timeToFirstFrameSeconds",
                statistics
                        .timeToFirstFrame()
                        .map(d -> Stages.round(Stages.seconds(d)))
                        .orElse(null));
        Map<String, Object> latency = new LinkedHashMap<>();
        latency.put("events", statistics.keyLatencies().size());
        if (!statistics.keyLatencies().isEmpty()) {
            latency.put("p50Millis", Stages.round(Stages.percentileMillis(statistics.keyLatencies(), 0.5)));
            latency.put("p95Millis", Stages.round(Stages.percentileMillis(statistics.keyLatencies(), 0.95)));
        }
        report.put("keyToFrame", latency);
        report.put("memoryPoints", statistics.memoryPoints());
        report.put("heapBytes", statistics.heapBytes());
        report.put("nativeBytes", statistics.nativeBytes());
        Machine.residentBytes().ifPresent(bytes -> report.put("residentBytes", bytes));
        return report;
    }

    private KeyScript script(CommandSpec command) {
        String text = keys;
        try {
            Path file = scriptFile();
            if (file != null) {
                text = Files.readString(file);
            }
            return KeyScript.parse(text);
        } catch (MalformedInputException e) {
            throw Cli.badArgument(command, "--keys: " + keys + " is not a text file");
        } catch (IOException e) {
            throw Cli.badArgument(command, "--keys: " + keys + " cannot be read");
        } catch (IllegalArgumentException e) {
            throw Cli.badArgument(command, "--keys: " + e.getMessage());
        }
    }

    private @Nullable Path scriptFile() {
        try {
            Path path = Path.of(keys);
            return Files.isRegularFile(path) ? path : null;
        } catch (InvalidPathException e) {
            // A script is not always a possible file name.
            return null;
        }
    }

    private WorldStart prompted(WorldStart start) {
        PromptArguments told = prompt;
        return told == null ? start : start.prompt(told.prompt());
    }

    /** The picture that is used where the user names none. */
    static RgbImage shippedPicture() {
        try (InputStream in = Walk.class.getResourceAsStream("start.png")) {
            return RgbImage.of(ImageIO.read(Objects.requireNonNull(in, "start.png")));
        } catch (IOException e) {
            throw new TeleWorldException(
                    TeleWorldException.Category.INTERNAL, "the shipped start picture cannot be read", e);
        }
    }
}
