package io.teleworld.core.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.teleworld.ChainingPolicy;
import io.teleworld.FrameGenerator.SegmentGeneration;
import io.teleworld.GenerationStage;
import io.teleworld.GuidanceLatent;
import io.teleworld.LatentFrame;
import io.teleworld.SegmentInput;
import io.teleworld.SegmentPlan;
import io.teleworld.core.TinyModel;
import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.generate.SegmentLayout.SequenceFrame;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.plan.SegmentMap;
import io.teleworld.runtime.Precision;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.DType;
import io.teleworld.tensor.HostTensor;
import io.teleworld.testkit.ReferenceRuntime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DiffusionGeneratorTest {

    private static final VideoTransformerConfig CONFIG = TinyModel.TRANSFORMER;
    private static final int H = 2;
    private static final int W = 4;
    private static final int SIZE = 4 * H * W;
    private static final SegmentPlan PLAN =
            SegmentMap.parse("0 1 2 1 3 1", true).plan(ChainingPolicy.MAX_THROUGHPUT);

    private final ReferenceRuntime runtime = new ReferenceRuntime();
    private final Scope scope = Scope.root("test");

    @AfterEach
    void close() {
        scope.close();
        runtime.close();
    }

    private static VideoTransformerConfig config(GuidanceConfig guidance) {
        return CONFIG.withInChannels(guidance.inputChannels(CONFIG.latentChannels()));
    }

    private static Weights weights(GuidanceConfig guidance) {
        return Weights.of(TinyModel.transformerWeights(config(guidance)));
    }

    private DiffusionGenerator generator(List<Integer> steps, GuidanceConfig guidance) {
        VideoTransformerConfig config = config(guidance);
        int capacity = SegmentLayout.cacheCapacity(PLAN, guidance);
        Program program = scope.adopt(runtime.compile(
                VideoTransformer.cachedGraph(config, H, W, capacity), weights(guidance), Precision.FP32));
        FewStepSampler sampler = FewStepSampler.of(new FlowMatchScheduler(1000, 5), steps, true);
        return new DiffusionGenerator(config, guidance, sampler, 0, program, capacity, H, W, scope);
    }

    private static SegmentInput input(long seed, boolean guided) {
        SplittableRandom random = new SplittableRandom(4);
        List<GuidanceLatent> guidance = new ArrayList<>();
        for (int f = 0; guided && f < PLAN.length(); f++) {
            guidance.add(new GuidanceLatent(
                    new LatentFrame(4, H, W, gaussian(random, SIZE)),
                    gaussian(random, H * W),
                    gaussian(random, H * W)));
        }
        LatentFrame first = new LatentFrame(4, H, W, gaussian(random, SIZE));
        return new SegmentInput(0, PLAN, Map.of(1, first), guidance, seed);
    }

    private static float[] gaussian(SplittableRandom random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static Map<Integer, LatentFrame> run(DiffusionGenerator generator, SegmentInput input) {
        Map<Integer, LatentFrame> all = new HashMap<>(input.given());
        try (SegmentGeneration generation = generator.begin(input)) {
            for (GenerationStage stage : PLAN.stages()) {
                all.putAll(generation.generate(stage, () -> false));
            }
        }
        return all;
    }

    /** Every way of laying out guidance. */
    private static List<GuidanceConfig> everyGuidance() {
        List<GuidanceConfig> all = new ArrayList<>();
        for (GuidanceConfig.Layout kind : GuidanceConfig.Layout.values()) {
            for (GuidanceConfig.Order order : GuidanceConfig.Order.values()) {
                for (GuidanceConfig.TimestepMode mode : GuidanceConfig.TimestepMode.values()) {
                    for (int offset : new int[] {0, 6}) {
                        for (boolean beside : new boolean[] {false, true}) {
                            all.add(new GuidanceConfig(
                                    kind, order, offset, mode, 2, beside, GuidanceConfig.Holes.GREY));
                        }
                    }
                }
            }
        }
        return all;
    }

    /** Each step of generation, pass by pass with a cache, gives the velocity of training's masked sequence. */
    @Test
    void cachedPassesEqualTheMaskedSequenceOfTraining() {
        List<Integer> steps = List.of(1000, 500);
        for (GuidanceConfig guidance : everyGuidance()) {
            SegmentInput input = input(11, true);
            assertMasked(input, run(generator(steps, guidance), input), steps, guidance, true);
        }
        SegmentInput input = input(11, false);
        Map<Integer, LatentFrame> made = run(generator(steps, GuidanceConfig.DEFAULT), input);
        assertMasked(input, made, steps, GuidanceConfig.DEFAULT, false);
        made = run(generator(steps, GuidanceConfig.BESIDE_TARGET), input);
        assertMasked(input, made, steps, GuidanceConfig.BESIDE_TARGET, false);
    }

    /** Order is none of attention's business; the rest is. */
    @Test
    void onlyTheOrderOfGuidanceLeavesFramesAsTheyAre() {
        Map<List<Object>, float[]> byRest = new HashMap<>();
        for (GuidanceConfig g : everyGuidance()) {
            float[] last = Objects.requireNonNull(run(generator(List.of(1000, 500), g), input(3, true))
                            .get(6))
                    .values();
            float[] other =
                    byRest.putIfAbsent(List.of(g.layout(), g.ropeOffset(), g.timestepMode(), g.besideTarget()), last);
            if (other != null) {
                assertThat(last).as("%s", g).containsExactly(other, within(1e-4f));
            }
        }
        List<float[]> different = new ArrayList<>(byRest.values());
        assertThat(different).hasSize(16);
        for (int i = 0; i < different.size(); i++) {
            for (int k = 0; k < i; k++) {
                double most = 0;
                for (int v = 0; v < SIZE; v++) {
                    most = Math.max(
                            most, Math.abs(different.get(i)[v] - different.get(k)[v]));
                }
                assertThat(most).isGreaterThan(1e-3);
            }
        }
    }

    private void assertMasked(
            SegmentInput input,
            Map<Integer, LatentFrame> made,
            List<Integer> steps,
            GuidanceConfig guidance,
            boolean guided) {
        SegmentLayout layout = new SegmentLayout(PLAN, guidance, guided);
        List<SequenceFrame> sequence = layout.sequence();
        int n = sequence.size();
        FlowMatchScheduler scheduler = new FlowMatchScheduler(1000, 5);
        double[] timesteps = FewStepSampler.of(scheduler, steps, true).timesteps();
        Program program = scope.adopt(runtime.compile(
                VideoTransformer.maskedGraph(config(guidance), H, W), weights(guidance), Precision.FP32));
        Map<Integer, float[]> x = noise(input.seed(), 0);
        Map<Integer, float[]> clean = new HashMap<>();
        double moved = 0;
        for (int step = 0; step < timesteps.length; step++) {
            float[] velocity = velocity(program, layout, input, made, guidance, x, timesteps[step]);
            Map<Integer, float[]> fresh = noise(input.seed(), step + 1);
            for (int i = 0; i < n; i++) {
                if (!sequence.get(i).denoised()) {
                    continue;
                }
                int frame = sequence.get(i).frame();
                float[] v = new float[SIZE];
                for (int c = 0; c < 4; c++) {
                    System.arraycopy(velocity, (c * n + i) * H * W, v, c * H * W, H * W);
                }
                for (float value : v) {
                    moved = Math.max(moved, Math.abs(value));
                }
                float[] noisy = Objects.requireNonNull(x.get(frame));
                float[] x0 = new float[SIZE];
                scheduler.cleanFromVelocity(noisy, v, timesteps[step], x0);
                clean.put(frame, x0);
                if (step + 1 < timesteps.length) {
                    scheduler.addNoise(x0, Objects.requireNonNull(fresh.get(frame)), timesteps[step + 1], noisy);
                }
            }
        }
        assertThat(moved).isGreaterThan(0.1);
        assertThat(clean).hasSize(5);
        clean.forEach((frame, values) -> assertThat(
                        Objects.requireNonNull(made.get(frame)).values())
                .as("%s, frame %d", guidance, frame)
                .containsExactly(values, within(1e-4f)));
    }

    /** The noise of a step, by frame. */
    private static Map<Integer, float[]> noise(long seed, int step) {
        Map<Integer, float[]> noise = new HashMap<>();
        for (int s = 0; s < PLAN.stages().size(); s++) {
            List<Integer> frames = PLAN.stages().get(s).frames();
            float[] all = gaussian(new SplittableRandom(Seeds.of(seed, s, step)), frames.size() * SIZE);
            for (int i = 0; i < frames.size(); i++) {
                noise.put(frames.get(i), java.util.Arrays.copyOfRange(all, i * SIZE, (i + 1) * SIZE));
            }
        }
        return noise;
    }

    /** The whole sequence in one run: [channel, frame, h, w]. */
    private float[] velocity(
            Program program,
            SegmentLayout layout,
            SegmentInput input,
            Map<Integer, LatentFrame> made,
            GuidanceConfig guidance,
            Map<Integer, float[]> noisy,
            double timestep) {
        List<SequenceFrame> sequence = layout.sequence();
        int n = sequence.size();
        int channels = config(guidance).inChannels();
        float[] latents = new float[channels * n * H * W];
        float[] times = new float[n];
        float[] positions = new float[n];
        for (int i = 0; i < n; i++) {
            SequenceFrame f = sequence.get(i);
            float[] one = new float[channels * H * W];
            GuidanceLatent known = layout.guided() ? input.guidance().get(f.frame() - 1) : null;
            if (f.guidance()) {
                SegmentLayout.writeGuidance(input.guidance().get(f.frame() - 1), guidance, one, 0);
            } else if (f.denoised()) {
                float[] values = Objects.requireNonNull(noisy.get(f.frame())).clone();
                SegmentLayout.writeTarget(new LatentFrame(4, H, W, values), known, guidance, one, 0);
            } else {
                SegmentLayout.writeTarget(Objects.requireNonNull(made.get(f.frame())), known, guidance, one, 0);
            }
            for (int c = 0; c < channels; c++) {
                System.arraycopy(one, c * H * W, latents, (c * n + i) * H * W, H * W);
            }
            times[i] = f.kind() == PassKind.NOISY ? (float) timestep : 0;
            positions[i] = f.position();
        }
        boolean[][] mask = layout.attentionMask();
        boolean[] flat = new boolean[n * n];
        for (int q = 0; q < n; q++) {
            System.arraycopy(mask[q], 0, flat, q * n, n);
        }
        return Objects.requireNonNull(program.run(
                                Map.of(
                                        "latents", HostTensor.ofFloats(latents, 1, channels, n, H, W),
                                        "timestep", HostTensor.ofFloats(times, 1, n),
                                        "positions", HostTensor.ofFloats(positions, n),
                                        "text", HostTensor.zeros(DType.F32, 1, CONFIG.textLen(), CONFIG.textDim()),
                                        "visibility", HostTensor.ofBooleans(flat, n, n)),
                                program.newState(scope),
                                RunOptions.DEFAULT,
                                scope)
                        .get("velocity"))
                .toFloatArray();
    }

    @Test
    void noiseDependsOnTheSeedAndStatesAreReusedClean() {
        DiffusionGenerator generator = generator(List.of(1000, 500), GuidanceConfig.DEFAULT);
        Map<Integer, LatentFrame> first = run(generator, input(1, true));
        Map<Integer, LatentFrame> again = run(generator, input(1, true));
        Map<Integer, LatentFrame> other = run(generator, input(2, true));
        Map<Integer, LatentFrame> unguided = run(generator, input(1, false));
        for (int f = 2; f <= 6; f++) {
            float[] a = Objects.requireNonNull(first.get(f)).values();
            assertThat(Objects.requireNonNull(again.get(f)).values()).isEqualTo(a);
            assertThat(Objects.requireNonNull(other.get(f)).values()).isNotEqualTo(a);
            assertThat(Objects.requireNonNull(unguided.get(f)).values()).isNotEqualTo(a);
        }
    }

    @Test
    void cancellationComesBetweenSteps() {
        DiffusionGenerator generator = generator(List.of(1000, 500), GuidanceConfig.DEFAULT);
        int[] asked = new int[1];
        try (SegmentGeneration generation = generator.begin(input(1, true))) {
            assertThatThrownBy(() -> generation.generate(PLAN.stages().get(0), () -> ++asked[0] == 4))
                    .isInstanceOf(CancellationException.class);
        }
        assertThat(asked[0]).isEqualTo(4);
        assertThat(run(generator, input(1, true))).hasSize(6);
    }

    @Test
    void stagesOutOfOrderAndPlansThatDoNotFitAreRefused() {
        DiffusionGenerator generator = generator(List.of(1000), GuidanceConfig.DEFAULT);
        try (SegmentGeneration generation = generator.begin(input(1, true))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> generation.generate(PLAN.stages().get(1), () -> false))
                    .withMessageContaining("in order");
        }
        SegmentPlan longer =
                SegmentMap.parse("0 1 2 2 2 2 2 2 2 2 2 2 1 3 3 1", true).plan(ChainingPolicy.MAX_THROUGHPUT);
        LatentFrame first = new LatentFrame(4, H, W, new float[SIZE]);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> generator.begin(new SegmentInput(0, longer, Map.of(1, first), List.of(), 0)))
                .withMessageContaining("cached frames");
    }
}
