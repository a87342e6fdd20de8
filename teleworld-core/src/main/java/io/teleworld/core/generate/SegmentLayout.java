package io.teleworld.core.generate;

import io.teleworld.GenerationStage;
import io.teleworld.GuidanceFrame;
import io.teleworld.GuidanceLatent;
import io.teleworld.LatentFrame;
import io.teleworld.RgbImage;
import io.teleworld.SegmentPlan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The one place that says how a segment becomes tokens of the video transformer; generation and training both use it.
 *
 * <p>A segment of N latent frames is a list of {@linkplain Pass passes}. Each pass is a run of the transformer over some
 * frames; it sees itself (in both directions) and the cached frames that it names, and may put its own keys and values
 * into the cache:
 *
 * <ol>
 *   <li>GIVEN: the given clean frames at t = 0, seeing nothing else.
 *   <li>for each stage GUIDANCE: the guidance of its frames at t = 0, seeing nothing else (with
 *       {@link GuidanceConfig.Layout#PREFIX} one such pass for all N frames before the first stage).
 *   <li>for each stage NOISY: its frames at the noise level being denoised, seeing the clean frames that its plan makes
 *       visible and its guidance. Nothing is cached.
 *   <li>for each stage CLEAN: its finished frames at t = 0, seeing the same; written to the cache. Left out where no
 *       later stage sees any of them.
 * </ol>
 *
 * <p>With {@link GuidanceConfig.TimestepMode#SAME} there are no GUIDANCE passes. Guidance frames stand in the NOISY and
 * CLEAN passes instead, on the frame axis with the target frames, at the pass's timestep. A CLEAN pass then writes its
 * guidance too, since a run writes all of its frames, but no pass sees it again.
 *
 * <p>Cache ids: target frame f (from 1) has id f, its guidance N+f. Temporal rope positions: target frame f has f−1, its
 * guidance f−1+{@code ropeOffset}. Channels: C latent ones as the autoencoder normalises them, then the mask channels:
 * −1 in target frames; in guidance, channel C is the known fraction and channel C+1 the dynamic fraction. With
 * {@link GuidanceConfig#besideTarget} both follow once more: a target frame's guidance, zeros in guidance.
 *
 * <p>Immutable.
 *
 * @see <a href="https://arxiv.org/abs/2508.03334">MMPL, for visibility by group</a>
 */
public final class SegmentLayout {

    /** What all mask channels of target frames hold. */
    public static final float TARGET_MASK = -1;

    /** What the holes of a guidance picture hold, in the range [−1, 1] of the autoencoder: mid-grey. */
    public static final float HOLE_VALUE = 0;

    /** What a pass is for. */
    public enum PassKind {
        /** Given clean frames. */
        GIVEN,
        /** Guidance. */
        GUIDANCE,
        /** Frames being denoised. */
        NOISY,
        /** Finished frames. */
        CLEAN
    }

    /**
     * A frame of tokens.
     *
     * @param guidance whether it is guidance, or else a target frame
     * @param frame 1-based frame of the segment
     * @param position temporal rope position
     * @param id cache id
     */
    public record TokenFrame(boolean guidance, int frame, int position, int id) {}

    /**
     * A run of the transformer.
     *
     * @param kind what it is for
     * @param stage index of its stage in the plan, or −1 for the given frames and the guidance of a whole segment
     * @param frames its frames in the order of the frame axis
     * @param visible ids of the cached frames that it sees beside its own
     */
    public record Pass(PassKind kind, int stage, List<TokenFrame> frames, List<Integer> visible) {

        public Pass {
            frames = List.copyOf(frames);
            visible = List.copyOf(visible);
        }

        /** The cache ids of its own frames; also those of a NOISY pass, which writes nothing. */
        public List<Integer> ids() {
            return frames.stream().map(TokenFrame::id).toList();
        }

        /** The temporal rope position of each frame. */
        public List<Integer> positions() {
            return frames.stream().map(TokenFrame::position).toList();
        }

        /** Whether its keys and values stay in the cache. */
        public boolean written() {
            return kind != PassKind.NOISY;
        }
    }

    private final SegmentPlan plan;
    private final GuidanceConfig config;
    private final boolean guided;
    private final List<Pass> passes;

    /**
     * Lays out a segment.
     *
     * @param guided whether there is guidance; without it no guidance is seen
     */
    public SegmentLayout(SegmentPlan plan, GuidanceConfig config, boolean guided) {
        this.plan = plan;
        this.config = config;
        this.guided = guided;
        List<Pass> all = new ArrayList<>();
        all.add(new Pass(PassKind.GIVEN, -1, targets(plan.given()), List.of()));
        boolean prefix = config.layout() == GuidanceConfig.Layout.PREFIX;
        boolean cached = config.timestepMode() == GuidanceConfig.TimestepMode.CLEAN;
        List<TokenFrame> wholeGuidance =
                guidance(IntStream.rangeClosed(1, plan.length()).boxed().toList());
        if (guided && prefix && cached) {
            all.add(new Pass(PassKind.GUIDANCE, -1, wholeGuidance, List.of()));
        }
        for (int s = 0; s < plan.stages().size(); s++) {
            GenerationStage stage = plan.stages().get(s);
            List<Integer> seen = new ArrayList<>(stage.visible());
            List<TokenFrame> frames = targets(stage.frames());
            if (guided) {
                List<TokenFrame> guidance = prefix ? wholeGuidance : guidance(stage.frames());
                if (cached) {
                    if (!prefix) {
                        all.add(new Pass(PassKind.GUIDANCE, s, guidance, List.of()));
                    }
                    guidance.forEach(g -> seen.add(g.id()));
                } else {
                    frames = joined(guidance, frames);
                }
            }
            all.add(new Pass(PassKind.NOISY, s, frames, seen));
            if (isSeenLater(s)) {
                all.add(new Pass(PassKind.CLEAN, s, frames, seen));
            }
        }
        this.passes = List.copyOf(all);
    }

    private static List<TokenFrame> targets(List<Integer> frames) {
        return frames.stream().map(f -> new TokenFrame(false, f, f - 1, f)).toList();
    }

    private List<TokenFrame> guidance(List<Integer> frames) {
        return frames.stream()
                .map(f -> new TokenFrame(true, f, f - 1 + config.ropeOffset(), guidanceId(f)))
                .toList();
    }

    private <T> List<T> joined(List<T> guidance, List<T> targets) {
        boolean guidanceFirst = config.order() == GuidanceConfig.Order.GUIDANCE_FIRST;
        List<T> all = new ArrayList<>(guidanceFirst ? guidance : targets);
        all.addAll(guidanceFirst ? targets : guidance);
        return all;
    }

    private boolean isSeenLater(int stage) {
        Set<Integer> made = new HashSet<>(plan.stages().get(stage).frames());
        for (int s = stage + 1; s < plan.stages().size(); s++) {
            for (int f : plan.stages().get(s).visible()) {
                if (made.contains(f)) {
                    return true;
                }
            }
        }
        return false;
    }

    /** The cache id of the guidance of a 1-based frame. */
    public int guidanceId(int frame) {
        return plan.length() + frame;
    }

    /** The plan that is laid out. */
    public SegmentPlan plan() {
        return plan;
    }

    /** Whether there is guidance. */
    public boolean guided() {
        return guided;
    }

    /** All passes in the order in which generation runs them (a NOISY pass once per step). */
    public List<Pass> passes() {
        return passes;
    }

    /** The passes before the first stage. */
    public List<Pass> opening() {
        return passesOf(-1);
    }

    /** The passes of a stage, in order. */
    public List<Pass> passesOf(int stage) {
        return passes.stream().filter(p -> p.stage() == stage).toList();
    }

    /** The most frames that the cache holds at once, guidance included. */
    public static int cacheCapacity(SegmentPlan plan, GuidanceConfig config) {
        return cacheCapacity(plan, config, true);
    }

    /** The most frames that the cache holds at once, with guidance or without. */
    public static int cacheCapacity(SegmentPlan plan, GuidanceConfig config, boolean guided) {
        Set<Integer> written = new HashSet<>();
        for (Pass p : new SegmentLayout(plan, config, guided).passes()) {
            if (p.written()) {
                written.addAll(p.ids());
            }
        }
        return written.size();
    }

    /**
     * A frame of the sequence in which training runs all passes at once.
     *
     * @param pass index into {@link #passes()}
     * @param kind of its pass
     * @param tokens what it is
     */
    public record SequenceFrame(int pass, PassKind kind, TokenFrame tokens) {

        /** Whether it is guidance, in whatever pass. */
        public boolean guidance() {
            return tokens.guidance();
        }

        /** Whether it is a target frame being denoised, whose velocity counts. */
        public boolean denoised() {
            return kind == PassKind.NOISY && !guidance();
        }

        /** 1-based frame of the segment. */
        public int frame() {
            return tokens.frame();
        }

        /** Temporal rope position. */
        public int position() {
            return tokens.position();
        }
    }

    /**
     * All frames of all passes: the order of frames when training runs them in one sequence. Pass by pass, but with
     * {@link GuidanceConfig.Order#TARGET_FIRST} a GUIDANCE pass stands behind the other passes of its stage.
     */
    public List<SequenceFrame> sequence() {
        List<SequenceFrame> all = new ArrayList<>();
        for (int stage = -1; stage < plan.stages().size(); stage++) {
            List<SequenceFrame> guidance = new ArrayList<>();
            List<SequenceFrame> others = new ArrayList<>();
            for (int p = 0; p < passes.size(); p++) {
                Pass pass = passes.get(p);
                if (pass.stage() == stage) {
                    for (TokenFrame f : pass.frames()) {
                        (pass.kind() == PassKind.GUIDANCE ? guidance : others)
                                .add(new SequenceFrame(p, pass.kind(), f));
                    }
                }
            }
            // The given frames come before everything.
            all.addAll(stage < 0 ? others : joined(guidance, others));
            if (stage < 0) {
                all.addAll(guidance);
            }
        }
        return all;
    }

    /**
     * Which frames of {@link #sequence()} attend to which: [query][key]. Running the sequence in one go under this mask
     * equals running the passes one after the other with a cache.
     */
    public boolean[][] attentionMask() {
        List<SequenceFrame> frames = sequence();
        boolean[][] mask = new boolean[frames.size()][frames.size()];
        for (int q = 0; q < mask.length; q++) {
            SequenceFrame query = frames.get(q);
            Set<Integer> visible = new HashSet<>(passes.get(query.pass()).visible());
            for (int k = 0; k < mask.length; k++) {
                SequenceFrame key = frames.get(k);
                boolean cached = key.kind() != PassKind.NOISY
                        && key.pass() < query.pass()
                        && visible.contains(key.tokens().id());
                mask[q][k] = query.pass() == key.pass() || cached;
            }
        }
        return mask;
    }

    /**
     * Writes a target frame, noisy or clean, as the transformer's input [input channels, h, w] at {@code offset}.
     *
     * @param guidance that of the frame, for the channels beside it; null without guidance: zeros with {@link #TARGET_MASK}
     */
    public static void writeTarget(
            LatentFrame frame, @Nullable GuidanceLatent guidance, GuidanceConfig config, float[] out, int offset) {
        System.arraycopy(frame.values(), 0, out, offset, frame.size());
        int from = offset + frame.size();
        int masks = config.maskChannels() * frame.height() * frame.width();
        Arrays.fill(out, from, from + masks, TARGET_MASK);
        if (config.besideTarget()) {
            from += masks;
            if (guidance == null) {
                Arrays.fill(out, from, from + frame.size(), 0);
                Arrays.fill(out, from + frame.size(), from + frame.size() + masks, TARGET_MASK);
            } else {
                writeLatentAndMasks(guidance, config, out, from);
            }
        }
    }

    /** Writes a guidance frame as the transformer's input [input channels, h, w] at {@code offset}. */
    public static void writeGuidance(GuidanceLatent frame, GuidanceConfig config, float[] out, int offset) {
        int size = config.inputChannels(frame.latent().channels()) * frame.known().length;
        Arrays.fill(out, offset, offset + size, 0);
        writeLatentAndMasks(frame, config, out, offset);
    }

    private static void writeLatentAndMasks(GuidanceLatent frame, GuidanceConfig config, float[] out, int offset) {
        LatentFrame latent = frame.latent();
        System.arraycopy(latent.values(), 0, out, offset, latent.size());
        int at = offset + latent.size();
        int area = latent.height() * latent.width();
        if (config.maskChannels() >= 1) {
            System.arraycopy(frame.known(), 0, out, at, area);
        }
        if (config.maskChannels() >= 2) {
            System.arraycopy(frame.dynamic(), 0, out, at + area, area);
        }
    }

    /** Writes a picture as the autoencoder sees it: [3, H, W] at {@code offset}, value 2·byte/255 − 1. */
    public static void writePixels(RgbImage image, float[] out, int offset) {
        int n = image.width() * image.height();
        byte[] rgb = image.rgb();
        for (int i = 0; i < n; i++) {
            for (int c = 0; c < 3; c++) {
                out[offset + c * n + i] = (rgb[3 * i + c] & 0xff) * (2f / 255) - 1;
            }
        }
    }

    /** Writes a guidance picture as the autoencoder sees it: as {@link #writePixels}, with its holes as they are told. */
    public static void writeGuidancePixels(GuidanceFrame frame, GuidanceConfig.Holes holes, float[] out, int offset) {
        writePixels(frame.image(), out, offset);
        byte[] layers = frame.layers();
        if (holes == GuidanceConfig.Holes.SMOOTH) {
            HoleFilling.fill(frame.image().width(), frame.image().height(), layers, out, offset);
            return;
        }
        for (int i = 0; i < layers.length; i++) {
            if (layers[i] == GuidanceFrame.HOLE) {
                for (int c = 0; c < 3; c++) {
                    out[offset + c * layers.length + i] = HOLE_VALUE;
                }
            }
        }
    }

    /**
     * A mask at latent resolution: the mean, over the pixel frames that latent frame {@code latent} holds (1 or 4) and
     * over each square of {@code block}×{@code block} pixels, of 1 where the layer counts and 0 elsewhere.
     *
     * @param frames the segment's guidance, pixel frame 0 first
     * @param latent 1-based latent frame
     * @param block pixels per latent cell, which divides width and height
     * @param dynamicOnly whether only {@link GuidanceFrame#DYNAMIC} counts; otherwise everything but holes
     * @return h·w values in [0, 1]
     */
    public static float[] latentMask(List<GuidanceFrame> frames, int latent, int block, boolean dynamicOnly) {
        int first = SegmentPlan.firstPixelFrame(latent);
        int last = SegmentPlan.lastPixelFrame(latent);
        int width = frames.get(first).image().width();
        int height = frames.get(first).image().height();
        if (width % block != 0 || height % block != 0) {
            throw new IllegalArgumentException(
                    "guidance is " + width + "×" + height + " pixels; both must be multiples of " + block);
        }
        int w = width / block;
        int[] counts = new int[w * (height / block)];
        for (int f = first; f <= last; f++) {
            byte[] layers = frames.get(f).layers();
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    byte layer = layers[y * width + x];
                    if (dynamicOnly ? layer == GuidanceFrame.DYNAMIC : layer != GuidanceFrame.HOLE) {
                        counts[y / block * w + x / block]++;
                    }
                }
            }
        }
        float[] mask = new float[counts.length];
        float scale = 1f / ((last - first + 1) * block * block);
        for (int i = 0; i < mask.length; i++) {
            mask[i] = counts[i] * scale;
        }
        return mask;
    }

    /**
     * Joins encoded guidance and its masks.
     *
     * @param frames the segment's guidance, 4N−3 pixel frames
     * @param latents their encoding by a fresh streaming encoder, N latent frames
     */
    public static List<GuidanceLatent> guidanceLatents(List<GuidanceFrame> frames, List<LatentFrame> latents) {
        int expected = SegmentPlan.lastPixelFrame(latents.size()) + 1;
        if (frames.size() != expected) {
            throw new IllegalArgumentException("guidance has " + frames.size() + " pixel frames; " + latents.size()
                    + " latent frames need " + expected);
        }
        int block = frames.get(0).image().width() / latents.get(0).width();
        List<GuidanceLatent> all = new ArrayList<>();
        for (int f = 1; f <= latents.size(); f++) {
            all.add(new GuidanceLatent(
                    latents.get(f - 1), latentMask(frames, f, block, false), latentMask(frames, f, block, true)));
        }
        return all;
    }
}
