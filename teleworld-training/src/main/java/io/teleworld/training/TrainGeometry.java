package io.teleworld.training;

import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.GeometryNet;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.training.data.AutoencodedFrames;
import io.teleworld.training.data.ClipPool;
import io.teleworld.training.data.ClipSupply;
import io.teleworld.training.data.DecodedClips;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.WalkClips;
import io.teleworld.training.recipe.GeometryObjective;
import io.teleworld.training.recipe.NetworkFile;
import io.teleworld.training.recipe.Optimizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Trains the net that finds depth, confidence and moving things in a picture. */
@Command(
        name = "geometry",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains the geometry net.")
final class TrainGeometry extends TrainingCommand {

    private static final int CLIP_FRAMES = 4;
    private static final int ATTENTION_BLOCKS = 4;
    private static final int START_ATTENTION_BLOCKS = 8;
    private static final int ATTENTION_HEADS = 4;

    /** Frames of a walk that start pictures are drawn from: far enough apart to show something else. */
    private static final List<Integer> STARTS = List.of(0, 16, 32, 48);

    /** Frames between the keyframes of a session: latents 2, 6 and 10 of segments of 36 frames. */
    private static final int[] GAPS = {4, 16, 16};

    private static final int WARMUP = 60;

    @Mixin
    WorldArguments worlds = new WorldArguments();

    @Option(names = "--clips", paramLabel = "N", description = "The most rendered clips held in memory.")
    int clips = 2500;

    @Option(names = "--held-clips", paramLabel = "N", description = "Pictures of other maps to judge by.")
    int heldClips = 24;

    @Option(
            names = "--autoencoder",
            paramLabel = "FILE",
            description = "Weights of the autoencoder that some pictures go through first; none by default.")
    @Nullable
    Path autoencoder;

    @Option(
            names = "--decoded",
            paramLabel = "X",
            description = "With --autoencoder: the share of pictures that go through it; ${DEFAULT-VALUE} by default.")
    double decoded = 0.7;

    @Option(
            names = "--keyframes",
            paramLabel = "N",
            description =
                    "Keyframes of a sample; 2 or more give the network attention over the last N. By default 1, or what "
                            + "--weights was trained with.")
    @Nullable
    Integer keyframes;

    @Option(
            names = "--start",
            description =
                    "Trains the network for the picture that a session starts from: clean, nothing known of it, its"
                            + " depth judged up to scale.")
    boolean forStart;

    @Override
    LoopArguments.Figures train() {
        loop.prepare(command(), "geometry");
        if (forStart && (keyframes != null || autoencoder != null)) {
            throw Cli.badArgument(
                    command(),
                    "--start is given with --keyframes or --autoencoder; a start picture is single and clean");
        }
        LoopArguments.Start<GeometryNetConfig> start = start();
        int frames = forStart || start.config().attentionBlocks() == 0
                ? 1
                : start.config().earlierKeyframes() + 1;
        TeleWorldConfig world = size.world();
        SplittableRandom random = new SplittableRandom(loop.seed);
        WalkClips judge = new WalkClips(worlds.heldOut(), world.intrinsics(), schedules(frames), 1);
        List<GroundTruthClip> held = judge.take(heldClips, random);
        WalkClips walks;
        if (forStart) {
            walks = new WalkClips(worlds.training(), world.intrinsics(), List.of(STARTS), 1);
        } else if (frames == 1) {
            walks = new WalkClips(worlds.training(), world.intrinsics(), CLIP_FRAMES, 1);
        } else {
            walks = new WalkClips(worlds.training(), world.intrinsics(), schedules(frames), 1);
        }
        int batch = loop.batch(frames == 1 ? 16 : 4);
        Path codec = autoencoder;
        if (codec == null) {
            return train(start, walks, held, frames, batch, random);
        }
        if (!(decoded >= 0 && decoded <= 1)) {
            throw Cli.badArgument(command(), "--decoded is " + decoded + "; it must lie in [0, 1]");
        }
        NetworkFile<VideoAutoencoderConfig> file = NetworkFile.autoencoder(codec, size.autoencoder());
        try (DecodedClips seen = new DecodedClips(
                walks,
                new AutoencodedFrames(1, world.height(), world.width(), file.config(), file.arrays(), loop.device),
                decoded)) {
            return train(start, seen, held, frames, batch, random);
        }
    }

    private LoopArguments.Figures train(
            LoopArguments.Start<GeometryNetConfig> start,
            ClipSupply source,
            List<GroundTruthClip> held,
            int frames,
            int batch,
            SplittableRandom random) {
        boolean newAttention = !forStart
                && start.config().attentionBlocks() > 0
                && start.config().attentionBlocks() != attentionGiven;
        try (ClipPool pool = new ClipPool(source, clips, 1, random.nextLong())) {
            pool.await(60);
            try (GeometryObjective objective = new GeometryObjective(
                    start.config(),
                    start.weights(),
                    pool,
                    held,
                    forStart ? GeometryObjective.Use.START : GeometryObjective.Use.KEYFRAMES,
                    frames,
                    batch,
                    loop.device,
                    loop.arithmetic(true))) {
                return loop.train(
                        "geometry",
                        start.config(),
                        objective,
                        p -> Optimizers.geometry(p, newAttention),
                        Optimizers.GEOMETRY_RATE,
                        WARMUP);
            }
        }
    }

    /** Attention blocks of what {@code --weights} names. */
    private int attentionGiven;

    /** The network to begin with; blocks that its file lacks are drawn, and do nothing at first. */
    private LoopArguments.Start<GeometryNetConfig> start() {
        LoopArguments.Start<GeometryNetConfig> given =
                loop.start(size.geometry(), GeometryNet::initialise, NetworkFile::read);
        attentionGiven = given.config().attentionBlocks();
        if (forStart) {
            int heads = Math.max(given.config().attentionHeads(), ATTENTION_HEADS);
            return grown(given, Math.max(given.config().attentionBlocks(), START_ATTENTION_BLOCKS), heads, 1);
        }
        Integer wanted = keyframes;
        if (wanted == null) {
            return given;
        }
        if (wanted < 1) {
            throw Cli.badArgument(command(), "--keyframes is " + wanted + "; it must be at least 1");
        }
        int blocks = given.config().attentionBlocks();
        if (wanted == 1 && blocks == 0) {
            return given;
        }
        if (wanted == 1) {
            throw Cli.badArgument(command(), "--keyframes is 1 but --weights has attention over keyframes");
        }
        return grown(
                given,
                blocks == 0 ? ATTENTION_BLOCKS : blocks,
                blocks == 0 ? ATTENTION_HEADS : given.config().attentionHeads(),
                wanted - 1);
    }

    private LoopArguments.Start<GeometryNetConfig> grown(
            LoopArguments.Start<GeometryNetConfig> given, int blocks, int heads, int earlierKeyframes) {
        GeometryNetConfig config = given.config().withAttention(blocks, heads, earlierKeyframes);
        Map<String, float[]> weights = new LinkedHashMap<>(GeometryNet.initialise(config, loop.seed));
        weights.putAll(given.weights());
        return new LoopArguments.Start<>(config, weights);
    }

    /** Which frames of a walk are keyframes, from each of a segment's keyframes on. */
    static List<List<Integer>> schedules(int frames) {
        List<List<Integer>> all = new ArrayList<>();
        for (int phase = 0; phase < GAPS.length; phase++) {
            List<Integer> shown = new ArrayList<>(List.of(0));
            for (int i = 1; i < frames; i++) {
                shown.add(shown.get(i - 1) + GAPS[(phase + i - 1) % GAPS.length]);
            }
            all.add(shown);
        }
        return all;
    }
}
