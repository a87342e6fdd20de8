package io.teleworld.training;

import io.teleworld.FrameChunk;
import io.teleworld.Key;
import io.teleworld.Keys;
import io.teleworld.ModelOptions;
import io.teleworld.ModelSource;
import io.teleworld.RgbImage;
import io.teleworld.WorldFrame;
import io.teleworld.WorldModel;
import io.teleworld.WorldSession;
import io.teleworld.WorldStart;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.plot.SampleSheet;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The whole way in miniature, on procedural rooms alone: trains every network for some seconds, exports a model package,
 * opens it and walks. Ends with exit code 1 if a network did not learn or the walk stands still.
 */
@Command(
        name = "tiny",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains all networks in miniature, exports them and walks; takes a few minutes.")
final class TrainTiny implements Callable<Integer> {

    private static final int FRAMES = 13;
    private static final int ROOMS = 8;
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final double LEAST_PSNR_GAIN = 1;
    private static final double MOST_ERROR_LEFT = 0.85;
    /** It starts from a trained network. */
    private static final double MOST_ERROR_LEFT_BY_FEW_STEP = 0.95;

    @Spec
    @Nullable
    CommandSpec spec;

    @Option(names = "--out", paramLabel = "DIR", description = "target/training/tiny by default.")
    Path out = Path.of("target", "training", "tiny");

    @Option(names = "--scale", paramLabel = "X", description = "Factor on the steps of each network; 1 by default.")
    double scale = 1;

    @Option(names = "--seed", paramLabel = "N", description = "Seed of all randomness; ${DEFAULT-VALUE} by default.")
    long seed = 3;

    @Option(names = "--device", paramLabel = "ID", description = "cpu (the default) or cuda:0.")
    String device = "cpu";

    @Option(
            names = "--threads",
            paramLabel = "N",
            description =
                    "Host threads, 0 for all processors; ${DEFAULT-VALUE} by default, since networks this small only"
                            + " lose by sharing an operator.")
    int threads = 1;

    private record Comparison(String what, double before, double after, boolean learnt) {}

    @Override
    public Integer call() throws IOException {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        if (!(scale > 0 && scale <= 1000) || threads < 0) {
            throw Cli.badArgument(
                    command,
                    "--scale is " + scale + ", --threads " + threads + "; (0, 1000] and at least 0 are allowed");
        }
        long begun = System.nanoTime();
        PrintWriter log = command.commandLine().getOut();
        List<Comparison> results = new ArrayList<>();

        results.add(higher("autoencoder PSNR (dB)", "held_psnr", autoencoder().train()));
        results.add(lower(
                "relative error of depth",
                "held_abs_rel",
                MOST_ERROR_LEFT,
                geometry().train()));

        EncodeSegments truth = recording("latents");
        truth.clips = Math.max(4, (int) Math.round(14 * Math.min(4, scale)));
        truth.heldClips = 2;
        truth.encode();

        results.add(lower(
                "transformer error of x0 at t = 1000",
                "x0_error_t1000",
                MOST_ERROR_LEFT,
                transformer().train()));

        EncodeSegments own = recording("rollouts");
        own.clips = 4;
        own.heldClips = 1;
        own.transformer = out.resolve("transformer");
        own.statistics = out.resolve("latents");
        own.encode();

        results.add(lower(
                "few-step error of x0 at t = 1000",
                "x0_error_t1000",
                MOST_ERROR_LEFT_BY_FEW_STEP,
                fewStep().train()));

        ExportModel export = new ExportModel();
        parse(export, "--size", "tiny", "--out", at("model"), "--latents", at("latents"));
        export.autoencoder = out.resolve("autoencoder");
        export.geometry = out.resolve("geometry");
        export.transformer = out.resolve("few-step");
        export.call();
        boolean walks = walk(log);

        boolean learnt = true;
        for (Comparison c : results) {
            log.printf(
                    Locale.ROOT,
                    "%-38s %8.3f -> %8.3f  %s%n",
                    c.what(),
                    c.before(),
                    c.after(),
                    c.learnt() ? "learnt" : "NOT LEARNT");
            learnt &= c.learnt();
        }
        log.printf(Locale.ROOT, "%.0f s; all files are in %s%n", (System.nanoTime() - begun) / 1e9, out);
        log.flush();
        return learnt && walks ? Cli.OK : Cli.FAILED;
    }

    private String at(String run) {
        return out.resolve(run).toString();
    }

    private long steps(int atScaleOne) {
        return Math.max(2, Math.round(scale * atScaleOne));
    }

    private static void parse(Object command, String... arguments) {
        new CommandLine(command).setCaseInsensitiveEnumValuesAllowed(true).parseArgs(arguments);
    }

    private String[] common(String run, long steps, int batch) {
        return new String[] {
            "--size", "tiny",
            "--out", at(run),
            "--steps", Long.toString(steps),
            "--batch", Integer.toString(batch),
            "--seed", Long.toString(seed),
            "--device", device,
            "--precision", "fp32",
            "--threads", Integer.toString(threads)
        };
    }

    private static void rooms(WorldArguments worlds) {
        worlds.kinds = List.of(WorldArguments.Kind.ROOMS);
        worlds.rooms = ROOMS;
    }

    private TrainAutoencoder autoencoder() {
        TrainAutoencoder command = new TrainAutoencoder();
        parse(command, common("autoencoder", steps(400), 4));
        rooms(command.worlds);
        command.clips = 60;
        command.crop = 32;
        command.heldClips = 6;
        return command;
    }

    private TrainGeometry geometry() {
        TrainGeometry command = new TrainGeometry();
        parse(command, common("geometry", steps(120), 8));
        rooms(command.worlds);
        command.clips = 90;
        command.heldClips = 12;
        return command;
    }

    private TrainTransformer transformer() {
        TrainTransformer command = new TrainTransformer();
        parse(command, common("transformer", steps(200), 2));
        command.latents = out.resolve("latents");
        return command;
    }

    private TrainFewStep fewStep() {
        TrainFewStep command = new TrainFewStep();
        parse(command, common("few-step", steps(200), 2));
        command.loop.weights = out.resolve("transformer");
        command.latents = out.resolve("latents");
        command.rollouts = out.resolve("rollouts");
        return command;
    }

    private EncodeSegments recording(String run) {
        EncodeSegments command = new EncodeSegments();
        parse(
                command,
                "--autoencoder",
                at("autoencoder"),
                "--geometry",
                at("geometry"),
                "--out",
                at(run),
                "--size",
                "tiny");
        command.device = device;
        command.seed = seed;
        command.threads = threads;
        rooms(command.worlds);
        return command;
    }

    private static Comparison higher(String what, String key, LoopArguments.Figures figures) {
        double b = Objects.requireNonNull(figures.before().get(key), key);
        double a = Objects.requireNonNull(figures.after().get(key), key);
        return new Comparison(what, b, a, a >= b + LEAST_PSNR_GAIN);
    }

    private static Comparison lower(String what, String key, double most, LoopArguments.Figures figures) {
        double b = Objects.requireNonNull(figures.before().get(key), key);
        double a = Objects.requireNonNull(figures.after().get(key), key);
        return new Comparison(what, b, a, a <= most * b);
    }

    /** Opens the package and generates; tells whether pictures came and change. */
    private boolean walk(PrintWriter log) throws IOException {
        TeleWorldConfig world = ModelSize.TINY.world();
        WorldArguments rooms = new WorldArguments();
        rooms(rooms);
        GroundTruthClip clip =
                new WalkClips(rooms.heldOut(), world.intrinsics(), 1, 2).next(new SplittableRandom(~seed));
        RgbImage start = new RgbImage(world.width(), world.height(), clip.rgb());
        List<RgbImage> frames = new ArrayList<>();
        try (WorldModel model = WorldModel.open(
                        ModelSource.directory(out.resolve("model")),
                        ModelOptions.DEFAULT.withRuntimes("torch").withThreads(threads));
                WorldSession session =
                        model.start(WorldStart.image(start).seed(seed).keys(Keys.of(Key.W, Key.RIGHT)))) {
            long end = System.nanoTime() + PATIENCE.toNanos();
            while (frames.size() < FRAMES && System.nanoTime() < end) {
                Optional<FrameChunk> chunk = session.next(Duration.ofMillis(200));
                if (chunk.isPresent()) {
                    for (WorldFrame frame : chunk.get().frames()) {
                        frames.add(frame.image());
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("generation was interrupted", e);
        }
        SampleSheet sheet = new SampleSheet(world.width(), world.height()).row("walk");
        frames.stream().limit(FRAMES).forEach(f -> sheet.rgb(f.rgb()));
        sheet.write(out.resolve("walk.png"));
        boolean moves = frames.size() >= FRAMES
                && !Arrays.equals(
                        frames.get(0).rgb(), frames.get(frames.size() - 1).rgb());
        log.printf(Locale.ROOT, "walk: %d frames, %s%n", frames.size(), moves ? "moving" : "NOT MOVING");
        return moves;
    }
}
