package io.teleworld;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a world begins. Immutable: every setter returns a changed copy.
 *
 * <p>A component that is not set is the model's own: the macro-micro planner, the geometry network, the rendered
 * memory, the video transformer, the streaming autoencoder, and its super-resolution, if it has one.
 */
public final class WorldStart {

    private final @Nullable Path file;
    private final @Nullable RgbImage image;
    private final long seed;
    private final @Nullable Planner planner;
    private final @Nullable FrameGenerator generator;
    private final @Nullable Reconstructor reconstructor;
    private final @Nullable Guidance guidance;
    private final @Nullable StreamDecoder streamDecoder;
    private final @Nullable SuperResolver superResolver;
    private final boolean superResolution;
    private final boolean memory;
    private final boolean idleDrift;
    private final ChainingPolicy chaining;
    private final int lookahead;
    private final int queuedChunks;
    private final Keys keys;
    private final KeyScript script;
    private final @Nullable CameraPath path;
    private final @Nullable Prompt prompt;

    private WorldStart(Builder b) {
        this.file = b.file;
        this.image = b.image;
        this.seed = b.seed;
        this.planner = b.planner;
        this.generator = b.generator;
        this.reconstructor = b.reconstructor;
        this.guidance = b.guidance;
        this.streamDecoder = b.streamDecoder;
        this.superResolver = b.superResolver;
        this.superResolution = b.superResolution;
        this.memory = b.memory;
        this.idleDrift = b.idleDrift;
        this.chaining = b.chaining;
        this.lookahead = b.lookahead;
        this.queuedChunks = b.queuedChunks;
        this.keys = b.keys;
        this.script = b.script;
        this.path = b.path;
        this.prompt = b.prompt;
    }

    /** Starts from a picture file: PNG, JPEG, BMP or GIF, of any aspect; it is read when the world starts. */
    public static WorldStart image(Path file) {
        Builder b = new Builder();
        b.file = Objects.requireNonNull(file, "file");
        return new WorldStart(b);
    }

    /** Starts from a picture of any size and aspect. */
    public static WorldStart image(RgbImage image) {
        Builder b = new Builder();
        b.image = Objects.requireNonNull(image, "image");
        return new WorldStart(b);
    }

    /** The seed of all noise; 0 by default. The same seed, keys, machine and thread count give the same frames. */
    public WorldStart seed(long value) {
        Builder b = new Builder(this);
        b.seed = value;
        return new WorldStart(b);
    }

    /** Another planner; the chaining policy then has no effect. */
    public WorldStart planner(Planner value) {
        Builder b = new Builder(this);
        b.planner = Objects.requireNonNull(value, "planner");
        return new WorldStart(b);
    }

    /** Another generator. */
    public WorldStart frameGenerator(FrameGenerator value) {
        Builder b = new Builder(this);
        b.generator = Objects.requireNonNull(value, "frame generator");
        return new WorldStart(b);
    }

    /** Another reconstructor. */
    public WorldStart reconstructor(Reconstructor value) {
        Builder b = new Builder(this);
        b.reconstructor = Objects.requireNonNull(value, "reconstructor");
        return new WorldStart(b);
    }

    /** Another guidance; {@link Guidance#off()} generates without. */
    public WorldStart guidance(Guidance value) {
        Builder b = new Builder(this);
        b.guidance = Objects.requireNonNull(value, "guidance");
        return new WorldStart(b);
    }

    /** Another stream decoder. */
    public WorldStart streamDecoder(StreamDecoder value) {
        Builder b = new Builder(this);
        b.streamDecoder = Objects.requireNonNull(value, "stream decoder");
        return new WorldStart(b);
    }

    /**
     * Whether frames are put out enlarged by the model's own super-resolution, if it has one; true by default. The memory
     * and what is generated do not depend on it.
     */
    public WorldStart superResolution(boolean value) {
        Builder b = new Builder(this);
        b.superResolution = value;
        return new WorldStart(b);
    }

    /** Another super-resolution of the frames that are put out. */
    public WorldStart superResolver(SuperResolver value) {
        Builder b = new Builder(this);
        b.superResolver = Objects.requireNonNull(value, "super-resolver");
        return new WorldStart(b);
    }

    /**
     * Whether the world remembers; true by default. Without memory the guidance shows only what the latest segment's
     * keyframes saw, so that keys still steer but a place that was left is forgotten.
     */
    public WorldStart memory(boolean value) {
        Builder b = new Builder(this);
        b.memory = value;
        return new WorldStart(b);
    }

    /** Whether the camera drifts forward very slowly while no key is held; true by default (paper §3.4.1). */
    public WorldStart idleDrift(boolean value) {
        Builder b = new Builder(this);
        b.idleDrift = value;
        return new WorldStart(b);
    }

    /** Which planned frame begins the next segment; {@link ChainingPolicy#MAX_THROUGHPUT} by default. */
    public WorldStart chaining(ChainingPolicy value) {
        Builder b = new Builder(this);
        b.chaining = Objects.requireNonNull(value, "chaining policy");
        return new WorldStart(b);
    }

    /**
     * How many segments may be planned ahead of the one that is being populated: 0 (the default) answers keys soonest
     * on one device, 1 or more keeps several devices busy.
     *
     * <p>With 0 the next segment begins from the very pictures that were shown; to look ahead, its first picture is decoded
     * apart from the planned frames.
     *
     * @param segments in [0, 8]
     */
    public WorldStart lookahead(int segments) {
        if (segments < 0 || segments > 8) {
            throw new IllegalArgumentException("look-ahead is " + segments + " segments; it must lie in [0, 8]");
        }
        Builder b = new Builder(this);
        b.lookahead = segments;
        return new WorldStart(b);
    }

    /**
     * How many chunks wait for the reader before generation pauses; 16 by default.
     *
     * @param chunks in [1, 1024]
     */
    public WorldStart queuedChunks(int chunks) {
        if (chunks < 1 || chunks > 1024) {
            throw new IllegalArgumentException("frame queue is " + chunks + " chunks; it must lie in [1, 1024]");
        }
        Builder b = new Builder(this);
        b.queuedChunks = chunks;
        return new WorldStart(b);
    }

    /** The keys that are held from the first segment on; none by default. They are no key event. */
    public WorldStart keys(Keys value) {
        Builder b = new Builder(this);
        b.keys = Objects.requireNonNull(value, "keys");
        return new WorldStart(b);
    }

    /**
     * Keys by frame, together with those that are held by {@link WorldSession#control}; none by default. A script acts
     * on exactly its frames, however fast generation is, so that a run can be repeated. Each change in it is a key event.
     */
    public WorldStart script(KeyScript value) {
        Builder b = new Builder(this);
        b.script = Objects.requireNonNull(value, "key script");
        return new WorldStart(b);
    }

    /** A path that the camera follows whatever the keys are, for measurements against ground truth; none by default. */
    public WorldStart cameraPath(CameraPath value) {
        Builder b = new Builder(this);
        b.path = Objects.requireNonNull(value, "camera path");
        return new WorldStart(b);
    }

    /** What the world is told to look like; nothing by default. */
    public WorldStart prompt(Prompt value) {
        Builder b = new Builder(this);
        b.prompt = Objects.requireNonNull(value, "prompt");
        return new WorldStart(b);
    }

    /**
     * The start picture; read from its file at each call.
     *
     * @throws io.teleworld.error.TeleWorldException of category USER if the file is not a usable picture
     */
    public RgbImage readImage() {
        if (image != null) {
            return image;
        }
        return RgbImage.read(Objects.requireNonNull(file, "file"));
    }

    /** The seed of all noise. */
    public long seed() {
        return seed;
    }

    /** The planner, if another than the model's own is set. */
    public Optional<Planner> planner() {
        return Optional.ofNullable(planner);
    }

    /** The generator, if another than the model's own is set. */
    public Optional<FrameGenerator> frameGenerator() {
        return Optional.ofNullable(generator);
    }

    /** The reconstructor, if another than the model's own is set. */
    public Optional<Reconstructor> reconstructor() {
        return Optional.ofNullable(reconstructor);
    }

    /** The guidance, if another than the rendered memory is set. */
    public Optional<Guidance> guidance() {
        return Optional.ofNullable(guidance);
    }

    /** The stream decoder, if another than the model's own is set. */
    public Optional<StreamDecoder> streamDecoder() {
        return Optional.ofNullable(streamDecoder);
    }

    /** Whether the model's own super-resolution is used. */
    public boolean superResolution() {
        return superResolution;
    }

    /** The super-resolution, if another than the model's own is set. */
    public Optional<SuperResolver> superResolver() {
        return Optional.ofNullable(superResolver);
    }

    /** Whether the world remembers. */
    public boolean memory() {
        return memory;
    }

    /** Whether the camera drifts while no key is held. */
    public boolean idleDrift() {
        return idleDrift;
    }

    /** Which planned frame begins the next segment. */
    public ChainingPolicy chaining() {
        return chaining;
    }

    /** How many segments may be planned ahead. */
    public int lookahead() {
        return lookahead;
    }

    /** How many chunks wait for the reader. */
    public int queuedChunks() {
        return queuedChunks;
    }

    /** The keys that are held at the start. */
    public Keys keys() {
        return keys;
    }

    /** The keys by frame. */
    public KeyScript script() {
        return script;
    }

    /** The path that the camera follows, if there is one. */
    public Optional<CameraPath> cameraPath() {
        return Optional.ofNullable(path);
    }

    /** What the world is told to look like, if anything. */
    public Optional<Prompt> prompt() {
        return Optional.ofNullable(prompt);
    }

    private static final class Builder {
        private @Nullable Path file;
        private @Nullable RgbImage image;
        private long seed;
        private @Nullable Planner planner;
        private @Nullable FrameGenerator generator;
        private @Nullable Reconstructor reconstructor;
        private @Nullable Guidance guidance;
        private @Nullable StreamDecoder streamDecoder;
        private @Nullable SuperResolver superResolver;
        private boolean superResolution = true;
        private boolean memory = true;
        private boolean idleDrift = true;
        private ChainingPolicy chaining = ChainingPolicy.MAX_THROUGHPUT;
        private int lookahead;
        private int queuedChunks = 16;
        private Keys keys = Keys.NONE;
        private KeyScript script = KeyScript.NONE;
        private @Nullable CameraPath path;
        private @Nullable Prompt prompt;

        Builder() {}

        Builder(WorldStart s) {
            file = s.file;
            image = s.image;
            seed = s.seed;
            planner = s.planner;
            generator = s.generator;
            reconstructor = s.reconstructor;
            guidance = s.guidance;
            streamDecoder = s.streamDecoder;
            superResolver = s.superResolver;
            superResolution = s.superResolution;
            memory = s.memory;
            idleDrift = s.idleDrift;
            chaining = s.chaining;
            lookahead = s.lookahead;
            queuedChunks = s.queuedChunks;
            keys = s.keys;
            script = s.script;
            path = s.path;
            prompt = s.prompt;
        }
    }
}
