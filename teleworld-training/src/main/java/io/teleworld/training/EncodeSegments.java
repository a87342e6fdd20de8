package io.teleworld.training;

import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.runtime.RuntimeOptions;
import io.teleworld.runtime.RuntimeRegistry;
import io.teleworld.runtime.TensorRuntime;
import io.teleworld.runtime.TensorRuntimeProvider;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.RolloutRecorder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Renders walks, plays sessions along them and records their segments: the folder receives caches {@code train} and
 * {@code held}, and the statistics of the latents. Run again with more clips, it goes on where it stopped.
 */
@Command(
        name = "encode",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description =
                "Records segments of sessions for the transformer: with the truth in the generator's place, or with a"
                        + " transformer's own roll-outs.")
final class EncodeSegments implements Callable<Integer> {

    private static final Logger LOG = LoggerFactory.getLogger(EncodeSegments.class);

    private static final int SAMPLES_PER_AXIS = 2;
    private static final long REPORT_NANOS = 30_000_000_000L;

    @Spec
    @Nullable
    CommandSpec spec;

    @Mixin
    WorldArguments worlds = new WorldArguments();

    @Option(
            names = "--autoencoder",
            paramLabel = "FILE",
            description = "Its weights; target/training/autoencoder by default.")
    Path autoencoder = Path.of("target", "training", "autoencoder");

    @Option(
            names = "--geometry",
            paramLabel = "FILE",
            description = "The geometry net's weights; target/training/geometry by default.")
    Path geometry = Path.of("target", "training", "geometry");

    @Option(
            names = "--start-geometry",
            paramLabel = "FILE",
            description = "The weights of a geometry net for start pictures; none by default.")
    @Nullable
    Path startGeometry;

    @Option(
            names = "--transformer",
            paramLabel = "FILE",
            description = "Records the roll-outs of this transformer; by default the truth is played.")
    @Nullable
    Path transformer;

    @Option(
            names = "--statistics",
            paramLabel = "DIR",
            description = "With --transformer: where the statistics of its latents are.")
    @Nullable
    Path statistics;

    @Option(names = "--out", paramLabel = "DIR", description = "target/training/latents by default.")
    Path out = Path.of("target", "training", "latents");

    @Option(names = "--size", description = "nano (the default, as shipped) or tiny.")
    ModelSize size = ModelSize.NANO;

    @Option(names = "--clips", paramLabel = "N", description = "Walks in all; 300 by default.")
    int clips = 300;

    @Option(names = "--segments", paramLabel = "N", description = "Segments of a walk, 1 to 20; 3 by default.")
    int segments = 3;

    @Option(names = "--held-clips", paramLabel = "N", description = "Walks through other maps.")
    int heldClips = 10;

    @Option(
            names = "--runtime",
            paramLabel = "NAME",
            split = ",",
            description = "Runtimes, the preferred one first; ${DEFAULT-VALUE} by default.")
    List<String> runtimes = List.of("onnx", "torch");

    @Option(names = "--device", paramLabel = "ID", description = "cpu (the default) or cuda:0.")
    String device = "cpu";

    @Option(names = "--seed", paramLabel = "N", description = "Seed of the walks; ${DEFAULT-VALUE} by default.")
    long seed = 3;

    @Option(names = "--threads", paramLabel = "N", description = "Host threads; all processors by default.")
    int threads;

    @Override
    public Integer call() throws IOException {
        encode();
        return Cli.OK;
    }

    /** Fills both caches and returns the statistics. */
    LatentStatistics encode() throws IOException {
        CommandSpec command = Objects.requireNonNull(spec, "command specification");
        if (clips < 1 || heldClips < 1 || threads < 0 || segments < 1 || segments > 20) {
            throw Cli.badArgument(
                    command,
                    "--clips is " + clips + ", --held-clips " + heldClips + ", --threads " + threads + ", --segments "
                            + segments + "; at least 1, 1, 0 and 1 to 20 are allowed");
        }
        if ((transformer == null) != (statistics == null)) {
            throw Cli.badArgument(command, "--transformer and --statistics go together");
        }
        TeleWorldConfig world = size.world();
        NetworkFile<VideoAutoencoderConfig> codec = NetworkFile.autoencoder(autoencoder, size.autoencoder());
        NetworkFile<GeometryNetConfig> depth = NetworkFile.read(geometry, size.geometry());
        Path first = startGeometry;
        NetworkFile<GeometryNetConfig> start = first == null ? null : NetworkFile.read(first, size.geometry());
        TensorRuntimeProvider provider =
                RuntimeRegistry.load(EncodeSegments.class.getClassLoader()).firstAvailable(runtimes);
        try (TensorRuntime runtime = provider.create(new RuntimeOptions(device, threads));
                RolloutRecorder recorder = new RolloutRecorder(world, codec, depth, start, student(), runtime)) {
            fill("train", recorder, worlds.training(), clips, seed);
            fill("held", recorder, worlds.heldOut(), heldClips, ~seed);
        }
        try (LatentCache cache = LatentCache.open(out.resolve("train"))) {
            LatentStatistics found = LatentStatistics.of(cache);
            found.write(out);
            return found;
        }
    }

    private RolloutRecorder.@Nullable Student student() {
        Path weights = transformer;
        Path folder = statistics;
        return weights == null || folder == null
                ? null
                : new RolloutRecorder.Student(
                        NetworkFile.read(weights, size.transformer()), size.scheduler(), LatentStatistics.read(folder));
    }

    private void fill(
            String name, RolloutRecorder recorder, List<WalkClips.WorldFactory> factories, int count, long salt)
            throws IOException {
        WalkClips walks =
                new WalkClips(factories, size.world().intrinsics(), recorder.clipFrames(segments), SAMPLES_PER_AXIS);
        long begun = System.nanoTime();
        long reported = begun;
        double covered = 0;
        try (LatentCache.Writer writer = new LatentCache.Writer(out.resolve(name), recorder.header())) {
            int first = writer.segments() / segments;
            for (int c = first; c < count; c++) {
                // Each clip has numbers of its own, so that going on repeats nothing.
                SplittableRandom random =
                        new SplittableRandom(new SplittableRandom(salt * 0x5DEECE66DL + c).nextLong());
                covered += recorder.record(walks.next(random), random.nextLong(), writer);
                long now = System.nanoTime();
                if (now - reported > REPORT_NANOS || c + 1 == count) {
                    reported = now;
                    double rate = (c + 1 - first) / Math.max(1e-9, (now - begun) / 1e9);
                    LOG.info(String.format(
                            Locale.ROOT,
                            "encode %s: %d of %d clips, %.2f clips/s, %.0f s left, guidance covers %.0f %%",
                            name,
                            c + 1,
                            count,
                            rate,
                            (count - c - 1) / rate,
                            100 * covered / (c + 1 - first)));
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("recording was interrupted", e);
        }
    }
}
