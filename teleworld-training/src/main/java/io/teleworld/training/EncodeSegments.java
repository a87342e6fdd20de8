package io.teleworld.training;

import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.LatentStatistics;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.SegmentEncoder;
import io.teleworld.training.torch.TorchNative;
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
 * Renders walks, simulates the guidance of their segments and encodes both: the folder receives caches {@code train} and
 * {@code held}, and the statistics of the latents. Run again with more clips, it goes on where it stopped.
 */
@Command(
        name = "encode",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Encodes segments and simulated guidance for the transformer.")
final class EncodeSegments implements Callable<Integer> {

    private static final Logger LOG = LoggerFactory.getLogger(EncodeSegments.class);

    /** Two segments that follow each other, and the ones between. */
    private static final int CLIP_FRAMES = 73;

    private static final List<Integer> TRAIN_STARTS = List.of(0, 12, 24, 36);
    private static final List<Integer> HELD_STARTS = List.of(36);
    private static final double DEPTH_NOISE = 0.03;
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

    @Option(names = "--out", paramLabel = "DIR", description = "target/training/latents by default.")
    Path out = Path.of("target", "training", "latents");

    @Option(names = "--size", description = "nano (the default, as shipped) or tiny.")
    ModelSize size = ModelSize.NANO;

    @Option(names = "--clips", paramLabel = "N", description = "Clips in all, of 4 segments each; 600 by default.")
    int clips = 600;

    @Option(names = "--held-clips", paramLabel = "N", description = "Clips of other maps, one segment each.")
    int heldClips = 24;

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
        if (clips < 1 || heldClips < 1 || threads < 0) {
            throw Cli.badArgument(
                    Objects.requireNonNull(spec, "command specification"),
                    "--clips is " + clips + ", --held-clips " + heldClips + ", --threads " + threads
                            + "; at least 1, 1 and 0 are allowed");
        }
        TorchNative.setThreads(threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
        NetworkFile<VideoAutoencoderConfig> network = NetworkFile.read(autoencoder, size.autoencoder());
        TeleWorldConfig world = size.world();
        int frames = world.segments().groups().size();
        try (SegmentEncoder encoder =
                new SegmentEncoder(network, frames, world.height(), world.width(), DEPTH_NOISE, device)) {
            fill("train", encoder, worlds.training(), clips, TRAIN_STARTS, seed);
            fill("held", encoder, worlds.heldOut(), heldClips, HELD_STARTS, ~seed);
        }
        try (LatentCache cache = LatentCache.open(out.resolve("train"))) {
            LatentStatistics statistics = LatentStatistics.of(cache);
            statistics.write(out);
            return statistics;
        }
    }

    private void fill(
            String name,
            SegmentEncoder encoder,
            List<WalkClips.WorldFactory> factories,
            int count,
            List<Integer> starts,
            long salt)
            throws IOException {
        WalkClips walks = new WalkClips(factories, size.world().intrinsics(), CLIP_FRAMES, SAMPLES_PER_AXIS);
        long begun = System.nanoTime();
        long reported = begun;
        double covered = 0;
        try (LatentCache.Writer writer = new LatentCache.Writer(out.resolve(name), encoder.header())) {
            int first = writer.segments() / starts.size();
            for (int c = first; c < count; c++) {
                // Each clip has numbers of its own, so that going on repeats nothing.
                SplittableRandom random =
                        new SplittableRandom(new SplittableRandom(salt * 0x5DEECE66DL + c).nextLong());
                GroundTruthClip clip = walks.next(random);
                for (int start : starts) {
                    covered += encoder.append(clip, start, random, writer) / starts.size();
                }
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
        }
    }
}
