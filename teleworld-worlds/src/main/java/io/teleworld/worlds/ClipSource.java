package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * An endless, numbered supply of clips, made on the fly: clip i is a function of the settings, the seed and i alone.
 *
 * <p>Thread-safe; each thread takes a {@link Worker} of its own. Neighbouring clips come from eight worlds in turn, and
 * a world stays for sixteen of its turns, so that worlds are not built for every clip.
 */
public final class ClipSource {

    private static final int LANES = 8;
    private static final int TURNS = 16;

    private final WorldPool pool;
    private final Intrinsics intrinsics;
    private final int frames;
    private final long seed;
    private final int samplesPerAxis;

    /**
     * A source.
     *
     * @param pool the worlds
     * @param intrinsics the camera, whose size is the size of the frames
     * @param frames frames per clip, at least 1
     * @param seed what all clips grow from
     * @param samplesPerAxis edge samples per pixel and axis, see {@link RenderTarget}; 2 is good
     */
    public ClipSource(WorldPool pool, Intrinsics intrinsics, int frames, long seed, int samplesPerAxis) {
        if (frames < 1) {
            throw new IllegalArgumentException("clips have " + frames + " frames; they must have at least 1");
        }
        this.pool = pool;
        this.intrinsics = intrinsics;
        this.frames = frames;
        this.seed = seed;
        this.samplesPerAxis = samplesPerAxis;
    }

    /** The working memory of one thread. */
    public Worker worker() {
        return new Worker();
    }

    /** Makes clips on one thread. */
    public final class Worker {

        private final TrajectorySampler sampler = new TrajectorySampler();
        private final RenderTarget target =
                new RenderTarget(intrinsics.width(), intrinsics.height(), samplesPerAxis, true);

        private Worker() {}

        /** Clip number {@code index}, rendered; the kinds of path are mixed, most are random walks. */
        public Clip clip(long index) {
            return make(index, null);
        }

        /** Clip number {@code index} as a path of the given kind. */
        public Clip clip(long index, TrajectoryKind kind) {
            return make(index, kind);
        }

        private Clip make(long index, @Nullable TrajectoryKind wanted) {
            long lane = Math.floorMod(index, (long) LANES);
            long era = Math.floorDiv(index, (long) LANES * TURNS);
            SplittableRandom random = new SplittableRandom(mix(seed, index, 1));
            TrajectoryKind kind = wanted == null ? draw(random) : wanted;
            IllegalStateException last = new IllegalStateException("no world tried");
            for (int attempt = 0; attempt < 16; attempt++) {
                String name = pool.pick(new SplittableRandom(mix(seed, era * LANES + lane, 2 + attempt)));
                World world = pool.world(name);
                try {
                    return Clip.render(world, sampler.sample(world, intrinsics, frames, kind, random), target);
                } catch (IllegalStateException e) {
                    // This world has no such path; the next one may.
                    last = e;
                }
            }
            throw last;
        }

        private TrajectoryKind draw(SplittableRandom random) {
            int r = random.nextInt(100);
            // A full turn in less than three seconds is a blur.
            boolean longEnough = frames >= 3 * TrajectorySampler.FPS;
            if (r < 12) {
                return TrajectoryKind.OUT_AND_BACK;
            }
            if (r < 24) {
                return TrajectoryKind.ORBIT;
            }
            return r < 29 && longEnough ? TrajectoryKind.FULL_TURN : TrajectoryKind.RANDOM;
        }
    }

    private static long mix(long a, long b, long c) {
        long z = a * 0x9E3779B97F4A7C15L + b * 0xD1B54A32D192ED03L + c * 0x8CB92BA72F3D8DD7L;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
