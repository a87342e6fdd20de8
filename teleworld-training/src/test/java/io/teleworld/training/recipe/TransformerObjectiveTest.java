package io.teleworld.training.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.ChainingPolicy;
import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.generate.SegmentLayout.SequenceFrame;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.plan.MacroMicroPlanner;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.WorldStyle;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchNative;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TransformerObjectiveTest {

    private static final int CHANNELS = 4;
    private static final int INPUTS = CHANNELS + 2;
    private static final int H = 4;
    private static final int W = 6;
    private static final VideoTransformerConfig CONFIG = new VideoTransformerConfig(
            List.of(1, 2, 2),
            3,
            24,
            INPUTS,
            CHANNELS,
            4,
            32,
            72,
            2,
            true,
            VideoTransformerConfig.RMS_ACROSS_HEADS,
            1e-6,
            null,
            null,
            64,
            null,
            1,
            2);

    private static final SegmentPlan PLAN = new MacroMicroPlanner(ChainingPolicy.MAX_THROUGHPUT).plan(0);

    @TempDir
    Path folder;

    private LatentCache cache;
    private final SegmentLayout layout = new SegmentLayout(PLAN, GuidanceConfig.DEFAULT, true);
    private final List<SequenceFrame> sequence = layout.sequence();

    /** Networks this small only lose by sharing an operator among threads. */
    @BeforeAll
    static void oneThread() {
        TorchNative.setThreads(1);
    }

    @BeforeEach
    void fillCache() throws IOException {
        LatentCache.Header shape = new LatentCache.Header(0, 10, CHANNELS, H, W, 2);
        SplittableRandom random = new SplittableRandom(1);
        try (LatentCache.Writer writer = new LatentCache.Writer(folder, shape)) {
            for (int s = 0; s < 3; s++) {
                float[] target = noise(random, 10 * CHANNELS * H * W);
                float[] mask = new float[10 * 2 * H * W];
                float[] weight = new float[10 * H * W];
                Arrays.fill(mask, 1);
                Arrays.fill(weight, 1);
                writer.append(new LatentCache.Segment(target, target, target, mask, weight));
            }
        }
        cache = LatentCache.open(folder);
    }

    @AfterEach
    void closeCache() {
        cache.close();
    }

    private TransformerObjective objective(Map<String, float[]> weights, VideoTransformerConfig config) {
        return objective(weights, config, GuidanceConfig.DEFAULT);
    }

    private TransformerObjective objective(
            Map<String, float[]> weights, VideoTransformerConfig config, GuidanceConfig guidance) {
        float[] ones = new float[CHANNELS];
        Arrays.fill(ones, 1);
        return new TransformerObjective(
                config,
                guidance,
                List.of(PLAN),
                weights,
                List.of(cache),
                cache,
                new float[CHANNELS],
                ones,
                new TransformerObjective.Options(2, 0, 0, 0.5, 5, List.of(1.0, 0.625)),
                "cpu",
                Arithmetic.FP32);
    }

    /** Initial weights whose last layer, zero otherwise, lets the output show. */
    private static Map<String, float[]> visible(VideoTransformerConfig config, long seed) {
        Map<String, float[]> w = new LinkedHashMap<>(TransformerObjective.initialise(config, seed));
        w.computeIfPresent("proj_out.weight", (n, v) -> {
            float[] out = noise(new SplittableRandom(seed), v.length);
            for (int i = 0; i < out.length; i++) {
                out[i] *= 0.2f;
            }
            return out;
        });
        return w;
    }

    private static float[] noise(SplittableRandom random, int n) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) random.nextGaussian();
        }
        return v;
    }

    private float[] velocity(TransformerObjective objective, float[] latents, int batch) {
        float[] times = new float[batch * sequence.size()];
        for (int i = 0; i < times.length; i++) {
            times[i] = sequence.get(i % sequence.size()).kind() == PassKind.NOISY ? 900 : 0;
        }
        try (PointerScope scope = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            return TorchTensors.toFloats(objective.velocityOf(latents, times, layout));
        }
    }

    /** Which frames can reach which through any number of layers: [query][key]. */
    private boolean[][] reach() {
        boolean[][] r = layout.attentionMask();
        int n = r.length;
        for (int k = 0; k < n; k++) {
            for (int q = 0; q < n; q++) {
                for (int j = 0; r[q][k] && j < n; j++) {
                    r[q][j] |= r[k][j];
                }
            }
        }
        return r;
    }

    @Test
    void whatAFrameMustNotSeeDoesNotChangeItsPrediction() {
        int frames = sequence.size();
        boolean[][] reach = reach();
        float[] base = noise(new SplittableRandom(4), INPUTS * frames * H * W);
        int hidden = 0;
        int seen = 0;
        try (TransformerObjective objective = objective(visible(CONFIG, 3), CONFIG)) {
            float[] before = velocity(objective, base, 1);
            for (int key = 0; key < frames; key++) {
                float[] changed = base.clone();
                for (int c = 0; c < INPUTS; c++) {
                    for (int p = 0; p < H * W; p++) {
                        changed[(c * frames + key) * H * W + p] += 2;
                    }
                }
                float[] after = velocity(objective, changed, 1);
                for (int q = 0; q < frames; q++) {
                    double difference = 0;
                    for (int c = 0; c < CHANNELS; c++) {
                        for (int p = 0; p < H * W; p++) {
                            int at = (c * frames + q) * H * W + p;
                            difference = Math.max(difference, Math.abs(after[at] - before[at]));
                        }
                    }
                    if (reach[q][key]) {
                        assertThat(difference).as("%s sees %s", q, key).isGreaterThan(1e-5);
                        seen++;
                    } else {
                        assertThat(difference).as("%s must not see %s", q, key).isLessThan(2e-5);
                        hidden++;
                    }
                }
            }
        }
        assertThat(hidden).isPositive();
        assertThat(seen).isPositive();
        // The answer itself: a noisy frame must not reach the clean copy of any frame of its own stage.
        for (int q = 0; q < frames; q++) {
            for (int k = 0; k < frames; k++) {
                SequenceFrame query = sequence.get(q);
                SequenceFrame key = sequence.get(k);
                if (query.kind() == PassKind.NOISY
                        && key.kind() == PassKind.CLEAN
                        && layout.passes().get(query.pass()).stage()
                                == layout.passes().get(key.pass()).stage()) {
                    assertThat(reach[q][k]).as("noisy %s, clean %s", query, key).isFalse();
                }
            }
        }
    }

    @Test
    void atTheStartATargetAttendsMostToGuidanceAtItsOwnPlace() {
        VideoTransformerConfig one = CONFIG.withLayers(1);
        int frames = sequence.size();
        int tokens = H / 2 * (W / 2);
        int guidance = -1;
        int target = -1;
        for (int f = 0; f < frames; f++) {
            if (sequence.get(f).kind() == PassKind.GUIDANCE && guidance < 0) {
                guidance = f;
            }
        }
        for (int f = 0; f < frames; f++) {
            if (sequence.get(f).kind() == PassKind.NOISY
                    && sequence.get(f).frame() == sequence.get(guidance).frame()) {
                target = f;
            }
        }
        int right = 0;
        int all = 0;
        for (int seed = 0; seed < 2; seed++) {
            float[] base = noise(new SplittableRandom(40 + seed), INPUTS * frames * H * W);
            // Sample 0 is the original; in sample 1+k token k of the guidance frame differs.
            float[] batch = new float[(1 + tokens) * base.length];
            for (int s = 0; s <= tokens; s++) {
                System.arraycopy(base, 0, batch, s * base.length, base.length);
                if (s > 0) {
                    for (int c = 0; c < INPUTS; c++) {
                        for (int p : pixels(s - 1)) {
                            batch[s * base.length + (c * frames + guidance) * H * W + p] *= -1;
                        }
                    }
                }
            }
            float[] v;
            try (TransformerObjective objective = objective(visible(one, seed), one)) {
                v = velocity(objective, batch, 1 + tokens);
            }
            int size = CHANNELS * frames * H * W;
            for (int q = 0; q < tokens; q++) {
                int strongest = -1;
                double most = -1;
                for (int k = 0; k < tokens; k++) {
                    double change = 0;
                    for (int c = 0; c < CHANNELS; c++) {
                        for (int p : pixels(q)) {
                            int at = (c * frames + target) * H * W + p;
                            change += Math.pow(v[(1 + k) * size + at] - v[at], 2);
                        }
                    }
                    if (change > most) {
                        most = change;
                        strongest = k;
                    }
                }
                right += strongest == q ? 1 : 0;
                all++;
            }
        }
        // By chance it would be one in six.
        assertThat((double) right / all).isGreaterThan(0.8);
    }

    private static int[] pixels(int token) {
        int y = token / (W / 2) * 2;
        int x = token % (W / 2) * 2;
        return new int[] {y * W + x, y * W + x + 1, (y + 1) * W + x, (y + 1) * W + x + 1};
    }

    @Test
    void evaluationKnowsNothingAtFirstAndFallsInTraining() {
        fallsInTraining(GuidanceConfig.DEFAULT, 20, 0.85);
    }

    @Test
    void guidanceAtTheTimestepOfItsTargetsCanBeTrained() {
        fallsInTraining(
                new GuidanceConfig(
                        GuidanceConfig.Layout.PAIRED,
                        GuidanceConfig.Order.TARGET_FIRST,
                        0,
                        GuidanceConfig.TimestepMode.SAME,
                        2,
                        false,
                        GuidanceConfig.Holes.GREY),
                8,
                0.96);
    }

    @Test
    void guidanceBesideItsTargetCanBeTrained() {
        fallsInTraining(GuidanceConfig.BESIDE_TARGET, 20, 0.85);
    }

    @Test
    void widenedWeightsGiveWhatTheyGaveBefore() {
        Map<String, float[]> weights = visible(CONFIG, 5);
        int inputs = GuidanceConfig.BESIDE_TARGET.inputChannels(CHANNELS);
        VideoTransformerConfig wide = CONFIG.withInChannels(inputs);
        try (AutoGradMode off = new AutoGradMode(false);
                TransformerObjective narrow = objective(weights, CONFIG);
                TransformerObjective wider = objective(
                        TransformerObjective.widen(CONFIG, weights, inputs), wide, GuidanceConfig.BESIDE_TARGET)) {
            double before = Objects.requireNonNull(narrow.evaluate(folder, 0).get("x0_error_t1000"));
            assertThat(Objects.requireNonNull(wider.evaluate(folder, 0).get("x0_error_t1000")))
                    .isCloseTo(before, within(1e-4 * before));
        }
        assertThatIllegalArgumentException().isThrownBy(() -> TransformerObjective.widen(CONFIG, weights, 1));
    }

    private void fallsInTraining(GuidanceConfig guidance, int steps, double factor) {
        VideoTransformerConfig config = CONFIG.withInChannels(guidance.inputChannels(CHANNELS));
        try (TransformerObjective objective = objective(TransformerObjective.initialise(config, 1), config, guidance)) {
            double before;
            try (AutoGradMode off = new AutoGradMode(false)) {
                before = objective.evaluate(folder, 0).get("x0_error_t1000");
            }
            // The velocity is zero at first, so noise is taken for the answer: variance 1 + 1.
            assertThat(before).isBetween(1.6, 2.4);
            Map<String, Double> after = new LinkedHashMap<>();
            TrainingLoop.Settings settings = new TrainingLoop.Settings(
                    folder.resolve("run"),
                    steps,
                    java.time.Duration.ofDays(1),
                    5e-3,
                    3,
                    1,
                    0.5,
                    java.time.Duration.ofDays(1),
                    2);
            new TrainingLoop(settings, objective, Optimizers::transformer, System::nanoTime)
                    .run((step, w, f) -> after.putAll(f));
            assertThat(after.get("x0_error_t1000")).isLessThan(factor * before);
        }
    }

    @Test
    void whereTheTruthIsNotDeterminedNothingIsLearnt() throws IOException {
        LatentCache.Header shape = cache.header();
        float[] target = noise(new SplittableRandom(9), 10 * CHANNELS * H * W);
        float[] other = target.clone();
        float[] mask = new float[10 * 2 * H * W];
        float[] weight = new float[10 * H * W];
        int area = H * W;
        for (int f = 0; f < 10; f++) {
            for (int p = 0; p < area; p++) {
                weight[f * area + p] = p % 2;
                for (int c = 0; c < CHANNELS && p % 2 == 0; c++) {
                    other[(f * CHANNELS + c) * area + p] += 5;
                }
            }
        }
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        float[] zero = new float[target.length];
        try (LatentCache.Writer a = new LatentCache.Writer(first, shape);
                LatentCache.Writer b = new LatentCache.Writer(second, shape)) {
            a.append(new LatentCache.Segment(target, zero, zero, mask, weight));
            b.append(new LatentCache.Segment(other, zero, zero, mask, weight));
        }
        // Initial weights predict 0 whatever they see, so that only the targets differ.
        assertThat(firstLoss(first)).isEqualTo(firstLoss(second));
        assertThat(firstLoss(first)).isGreaterThan(0.5);
    }

    @Test
    void stylesTellWhatGuidanceDoesNot() throws IOException {
        LatentCache.Header shape = cache.header();
        Path styled = folder.resolve("styled");
        float[] mask = new float[10 * 2 * H * W];
        float[] weight = new float[10 * H * W];
        Arrays.fill(weight, 1);
        float[] zero = new float[10 * CHANNELS * H * W];
        try (LatentCache.Writer writer = new LatentCache.Writer(styled, shape)) {
            // Styles that evaluation exchanges: what one is, the other is not.
            for (WorldStyle style : List.of(WorldStyle.HELL, WorldStyle.ROOM)) {
                float[] target = new float[zero.length];
                Arrays.fill(target, style == WorldStyle.HELL ? 1 : -1);
                writer.append(new LatentCache.Segment(target, zero, zero, mask, weight), Optional.of(style));
            }
        }
        float[] ones = new float[CHANNELS];
        Arrays.fill(ones, 1);
        try (LatentCache data = LatentCache.open(styled);
                TransformerObjective objective = new TransformerObjective(
                        CONFIG,
                        GuidanceConfig.DEFAULT,
                        List.of(PLAN),
                        TransformerObjective.initialise(CONFIG, 1),
                        List.of(data),
                        data,
                        new float[CHANNELS],
                        ones,
                        new TransformerObjective.Options(4, 1, 0, 0, 1, List.of(1.0)),
                        "cpu",
                        Arithmetic.FP32)) {
            Map<String, Double> figures = new LinkedHashMap<>();
            TrainingLoop.Settings settings = new TrainingLoop.Settings(
                    folder.resolve("styled-run"),
                    60,
                    java.time.Duration.ofDays(1),
                    5e-3,
                    3,
                    1,
                    0.5,
                    java.time.Duration.ofDays(1),
                    2);
            new TrainingLoop(settings, objective, Optimizers::transformer, System::nanoTime)
                    .run((step, w, f) -> figures.putAll(f));
            double right = figures.get("unguided_x0_error_styled");
            assertThat(right).isLessThan(0.7 * figures.get("unguided_x0_error_t1000"));
            assertThat(figures.get("unguided_x0_error_other_style"))
                    .isGreaterThan(figures.get("unguided_x0_error_t1000"));
        }
    }

    private double firstLoss(Path latents) {
        float[] ones = new float[CHANNELS];
        Arrays.fill(ones, 1);
        try (LatentCache one = LatentCache.open(latents);
                TransformerObjective objective = new TransformerObjective(
                        CONFIG,
                        GuidanceConfig.DEFAULT,
                        List.of(PLAN),
                        TransformerObjective.initialise(CONFIG, 1),
                        List.of(one),
                        one,
                        new float[CHANNELS],
                        ones,
                        new TransformerObjective.Options(1, 0, 0, 0, 5, List.of(1.0)),
                        "cpu",
                        Arithmetic.FP32);
                PointerScope scope = new PointerScope()) {
            return objective
                    .loss(new SplittableRandom(1), new LinkedHashMap<>())
                    .item_float();
        }
    }
}
