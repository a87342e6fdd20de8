package io.teleworld.core.network;

import static io.teleworld.core.network.Goldens.assertMaxRel;
import static io.teleworld.core.network.Goldens.compile;
import static io.teleworld.core.network.Goldens.positions;
import static io.teleworld.core.network.Goldens.swapped;
import static io.teleworld.core.network.Goldens.timesteps;
import static io.teleworld.core.network.Goldens.tiny;
import static io.teleworld.core.network.Goldens.weights;
import static org.assertj.core.api.Assertions.assertThat;

import io.teleworld.ChainingPolicy;
import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.diffusion.UniPcSolver;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.generate.SegmentLayout.Pass;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.plan.SegmentMap;
import io.teleworld.core.weights.Safetensors;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.RunOptions;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class TransformerGoldenTest {

    private static final double LIMIT = 1e-4;
    private static final int FRAME = 16 * 4 * 6;

    private final Scope scope = Scope.root("golden");

    @AfterEach
    void close() {
        scope.close();
    }

    private float[] run(Program p, Map<String, HostTensor> inputs) {
        return run(p, inputs, p.newState(scope), RunOptions.DEFAULT);
    }

    private float[] run(Program p, Map<String, HostTensor> inputs, ProgramState state, RunOptions options) {
        Tensor out = p.run(inputs, state, options, scope).get("velocity");
        return Objects.requireNonNull(out).toFloatArray();
    }

    // ------------------------------------------------------------------------------------------ plain

    @Test
    void textToVideoFollowsDiffusers() throws IOException {
        Safetensors g = Goldens.open("wan_dit_t2v_tiny");
        Program p = compile(
                VideoTransformer.plainGraph(tiny(16, null, 512), 8, 12, TimestepPer.SAMPLE), weights(g, "weights."));
        assertMaxRel("velocity", run(p, plain(g)), g.tensor("out.sample").toFloatArray(), LIMIT);
    }

    @Test
    void theOriginalNamesNameTheSameWeights() throws IOException {
        Weights original = weights(Goldens.open("wan_dit_t2v_tiny.original"), "weights_original.");
        Weights diffusers = weights(Goldens.open("wan_dit_t2v_tiny"), "weights.");
        assertThat(original.names()).hasSameSizeAs(diffusers.names());
        for (String n : original.names()) {
            assertThat(original.get(n).toFloatArray())
                    .as(n)
                    .isEqualTo(diffusers.get(KeyLayouts.toDiffusers(n)).toFloatArray());
        }
    }

    @Test
    void imageToVideoFollowsDiffusers() throws IOException {
        Safetensors g = Goldens.open("wan_dit_i2v_tiny");
        Program p = compile(
                VideoTransformer.plainGraph(tiny(36, 32, 512), 8, 12, TimestepPer.SAMPLE), weights(g, "weights."));
        Map<String, HostTensor> in = plain(g);
        in.put("image", g.tensor("in.encoder_hidden_states_image"));
        assertMaxRel("velocity", run(p, in), g.tensor("out.sample").toFloatArray(), LIMIT);
    }

    @Test
    void timestepsPerTokenFollowDiffusers() throws IOException {
        Safetensors g = Goldens.open("wan_dit_per_token_timestep");
        Program tokens = compile(
                VideoTransformer.plainGraph(tiny(16, null, 512), 8, 12, TimestepPer.TOKEN), weights(g, "weights."));
        float[] expected = g.tensor("out.sample").toFloatArray();
        assertMaxRel("per token", run(tokens, plain(g)), expected, LIMIT);

        float[] t = g.tensor("in.timestep").toFloatArray();
        Program frames = compile(
                VideoTransformer.plainGraph(tiny(16, null, 512), 8, 12, TimestepPer.FRAME), weights(g, "weights."));
        Map<String, HostTensor> in = plain(g);
        in.put("timestep", HostTensor.ofFloats(new float[] {t[0], t[24], t[48]}, 1, 3));
        assertMaxRel("per frame", run(frames, in), expected, LIMIT);
    }

    @Test
    void onlyDifferencesOfPositionsCount() throws IOException {
        Safetensors g = Goldens.open("wan_dit_t2v_tiny");
        Program p = compile(
                VideoTransformer.plainGraph(tiny(16, null, 512), 8, 12, TimestepPer.SAMPLE), weights(g, "weights."));
        Map<String, HostTensor> in = plain(g);
        float[] before = run(p, in);
        in.put("positions", positions(100, 101, 102));
        assertMaxRel("shifted", run(p, in), before, 1e-5);
        in.put("positions", positions(0, 1, 7));
        float[] moved = run(p, in);
        double difference = 0;
        for (int i = 0; i < moved.length; i++) {
            difference = Math.max(difference, Math.abs(moved[i] - before[i]));
        }
        assertThat(difference).isGreaterThan(1e-3);
    }

    private static Map<String, HostTensor> plain(Safetensors g) {
        Map<String, HostTensor> in = new HashMap<>();
        in.put("latents", g.tensor("in.hidden_states"));
        in.put("timestep", g.tensor("in.timestep"));
        in.put("text", g.tensor("in.encoder_hidden_states"));
        in.put("positions", positions(0, 1, 2));
        return in;
    }

    // ------------------------------------------------------------------------------------------ cached

    @Test
    void cachedGenerationFollowsSelfForcing() throws IOException {
        Safetensors g = Goldens.open("causal_rollout");
        Program p = compile(VideoTransformer.cachedGraph(tiny(16, null, 48), 4, 6, 9), weights(g, "weights."));
        ProgramState state = p.newState(scope);
        FewStepSampler sampler = FewStepSampler.of(new FlowMatchScheduler(1000, 5), List.of(1000, 750, 500, 250), true);
        float[] noise = g.tensor("in.noise").toFloatArray();
        float[] renoise = g.tensor("in.renoise").toFloatArray();
        HostTensor text = g.tensor("in.text_embeds");
        for (int block = 0; block < 3; block++) {
            int first = 3 * block;
            int[] frames = {first, first + 1, first + 2};
            List<Integer> visible =
                    java.util.stream.IntStream.range(0, first).boxed().toList();
            RunOptions see = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, visible);
            int at = block;
            int[] drawn = {0};
            float[] x0 = sampler.sample(
                    java.util.Arrays.copyOfRange(noise, first * FRAME, (first + 3) * FRAME),
                    (x, t, k) -> {
                        float[] v = call(p, state, see, x, frames, t, text);
                        assertMaxRel(
                                "block " + at + ", step " + k,
                                v,
                                g.tensor("out.block." + at + ".step." + k + ".flow")
                                        .toFloatArray(),
                                LIMIT);
                        return v;
                    },
                    fresh -> System.arraycopy(renoise, (at * 3 + drawn[0]++) * 3 * FRAME, fresh, 0, fresh.length));
            assertMaxRel(
                    "block " + block,
                    x0,
                    g.tensor("out.block." + block + ".latents").toFloatArray(),
                    LIMIT);
            RunOptions commit = see.withWritten(VideoTransformer.CACHE_GROUP, List.of(first, first + 1, first + 2));
            call(p, state, commit, x0, frames, 0, text);
        }
        assertThat(state.frames(VideoTransformer.CACHE_GROUP)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
    }

    /** One run on frames in the order [F,C,h,w]; the velocity in the same order. */
    private float[] call(
            Program p, ProgramState state, RunOptions options, float[] x, int[] frames, double t, HostTensor text) {
        int n = frames.length;
        Map<String, HostTensor> in = Map.of(
                "latents", swapped(HostTensor.ofFloats(x, 1, n, 16, 4, 6)),
                "timestep", timesteps(n, t),
                "positions", positions(frames),
                "text", text);
        Tensor v = Objects.requireNonNull(p.run(in, state, options, scope).get("velocity"));
        return swapped(v).toFloatArray();
    }

    @Test
    void plannedGroupsFollowMmpl() throws IOException {
        Safetensors g = Goldens.open("mmpl_t2v_cached");
        Program p = compile(VideoTransformer.cachedGraph(tiny(16, null, 32), 4, 6, 15), weights(g, "weights."));
        ProgramState with = p.newState(scope);
        ProgramState without = p.newState(scope);
        UniPcSolver solver = new UniPcSolver(UniPcSolver.Table.ORIGINAL, 4, 5);
        float[] noise = g.tensor("in.noise").toFloatArray();
        float[] neighbours = g.tensor("in.neighbour_noise").toFloatArray();
        int[][] groups = {{0, 1}, {2, 3, 10, 11, 12, 19, 20}, {4, 5, 6, 7, 8, 9}, {13, 14, 15, 16, 17, 18}};
        for (int i = 0; i < groups.length; i++) {
            int[] frames = groups[i];
            List<Integer> visible = new ArrayList<>(with.frames(VideoTransformer.CACHE_GROUP));
            if (i == 2) {
                visible.removeAll(List.of(19, 20));
            }
            RunOptions see = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, visible);
            float[] x = new float[frames.length * FRAME];
            for (int f = 0; f < frames.length; f++) {
                System.arraycopy(noise, frames[f] * FRAME, x, f * FRAME, FRAME);
            }
            if (i >= 2) {
                System.arraycopy(neighbours, (2 * i - 4) * FRAME, x, 0, FRAME);
                System.arraycopy(neighbours, (2 * i - 3) * FRAME, x, (frames.length - 1) * FRAME, FRAME);
            }
            float[] x0 = solver.sample(x, (s, t, k) -> {
                float[] c = call(p, with, see, s, frames, t, g.tensor("in.text_cond"));
                float[] u = call(p, without, see, s, frames, t, g.tensor("in.text_uncond"));
                for (int e = 0; e < c.length; e++) {
                    c[e] = u[e] + 5 * (c[e] - u[e]);
                }
                return c;
            });
            assertMaxRel(
                    "group " + i, x0, g.tensor("out.group." + i + ".latents").toFloatArray(), LIMIT);
            if (i < 3) {
                RunOptions commit = see.withWritten(
                        VideoTransformer.CACHE_GROUP,
                        java.util.Arrays.stream(frames).boxed().toList());
                if (i == 2) {
                    // Room for 15 frames: this group is written, the hidden ones stay.
                    assertThat(visible).hasSize(7);
                }
                call(p, with, commit, x0, frames, 0, g.tensor("in.text_cond"));
                call(p, without, commit, x0, frames, 0, g.tensor("in.text_uncond"));
            }
        }
    }

    // ------------------------------------------------------------------------------------------ masked

    @Test
    void teacherForcingFollowsSelfForcing() throws IOException {
        Safetensors g = Goldens.open("causal_teacher_forcing");
        assertMaxRel(
                "velocity",
                masked(g, 9, g.tensor("in.text_embeds")),
                g.tensor("out.flow").toFloatArray(),
                LIMIT);
    }

    @Test
    void teacherForcingOfGroupsFollowsMmpl() throws IOException {
        Safetensors g = Goldens.open("mmpl_t2v_masked");
        assertMaxRel(
                "velocity",
                masked(g, 21, g.tensor("in.text_cond")),
                g.tensor("out.flow").toFloatArray(),
                LIMIT);
    }

    /** One pass over [clean | noisy] under the stored mask; the noisy half's velocity as [F,C,h,w]. */
    private float[] masked(Safetensors g, int n, HostTensor text) {
        VideoTransformerConfig config = tiny(16, null, Math.toIntExact(text.shape()[1]));
        Program p = compile(VideoTransformer.maskedGraph(config, 4, 6), weights(g, "weights."));
        float[] x = new float[2 * n * FRAME];
        System.arraycopy(g.tensor("in.clean").toFloatArray(), 0, x, 0, n * FRAME);
        System.arraycopy(g.tensor("in.noisy").toFloatArray(), 0, x, n * FRAME, n * FRAME);
        float[] t = new float[2 * n];
        System.arraycopy(g.tensor("in.timestep").toFloatArray(), 0, t, n, n);
        int[] at = new int[2 * n];
        boolean[] mask = new boolean[4 * n * n];
        java.nio.ByteBuffer stored = g.tensor("out.mask_frames").hostBuffer();
        for (int i = 0; i < mask.length; i++) {
            mask[i] = stored.get(i) != 0;
        }
        for (int i = 0; i < 2 * n; i++) {
            at[i] = i % n;
        }
        Map<String, HostTensor> in = Map.of(
                "latents", swapped(HostTensor.ofFloats(x, 1, 2L * n, 16, 4, 6)),
                "timestep", HostTensor.ofFloats(t, 1, 2L * n),
                "positions", positions(at),
                "text", text,
                "visibility", HostTensor.ofBooleans(mask, 2L * n, 2L * n));
        Tensor v = Objects.requireNonNull(
                p.run(in, p.newState(scope), RunOptions.DEFAULT, scope).get("velocity"));
        return java.util.Arrays.copyOfRange(swapped(v).toFloatArray(), n * FRAME, 2 * n * FRAME);
    }

    @Test
    void aGuidedSegmentInOneMaskedRunEqualsItsPassesWithACache() throws IOException {
        Safetensors g = Goldens.open("causal_rollout");
        HostTensor text = g.tensor("in.text_embeds");
        SegmentLayout layout = new SegmentLayout(
                SegmentMap.MACRO_MICRO.plan(ChainingPolicy.MAX_THROUGHPUT), GuidanceConfig.DEFAULT, true);
        List<SegmentLayout.SequenceFrame> sequence = layout.sequence();
        int n = sequence.size();
        SplittableRandom random = new SplittableRandom(5);
        float[] x = new float[n * FRAME];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        float[] t = new float[n];
        int[] at = new int[n];
        boolean[] mask = new boolean[n * n];
        boolean[][] visibility = layout.attentionMask();
        for (int i = 0; i < n; i++) {
            t[i] = sequence.get(i).kind() == PassKind.NOISY ? 600 : 0;
            at[i] = sequence.get(i).position();
            System.arraycopy(visibility[i], 0, mask, i * n, n);
        }
        Program masked = compile(VideoTransformer.maskedGraph(tiny(16, null, 48), 4, 6), weights(g, "weights."));
        Map<String, HostTensor> in = Map.of(
                "latents", swapped(HostTensor.ofFloats(x, 1, n, 16, 4, 6)),
                "timestep", HostTensor.ofFloats(t, 1, n),
                "positions", positions(at),
                "text", text,
                "visibility", HostTensor.ofBooleans(mask, n, n));
        Tensor whole = Objects.requireNonNull(masked.run(in, masked.newState(scope), RunOptions.DEFAULT, scope)
                .get("velocity"));
        float[] expected = swapped(whole).toFloatArray();

        int capacity = SegmentLayout.cacheCapacity(layout.plan(), GuidanceConfig.DEFAULT);
        Program cached =
                compile(VideoTransformer.cachedGraph(tiny(16, null, 48), 4, 6, capacity), weights(g, "weights."));
        ProgramState state = cached.newState(scope);
        int from = 0;
        for (Pass pass : layout.passes()) {
            int count = pass.frames().size();
            RunOptions options = RunOptions.DEFAULT.withVisible(VideoTransformer.CACHE_GROUP, pass.visible());
            if (pass.written()) {
                options = options.withWritten(VideoTransformer.CACHE_GROUP, pass.ids());
            }
            int[] frames = pass.positions().stream().mapToInt(Integer::intValue).toArray();
            float[] part = java.util.Arrays.copyOfRange(x, from * FRAME, (from + count) * FRAME);
            double time = pass.kind() == PassKind.NOISY ? 600 : 0;
            float[] v = call(cached, state, options, part, frames, time, text);
            assertMaxRel(
                    pass.toString(),
                    v,
                    java.util.Arrays.copyOfRange(expected, from * FRAME, (from + count) * FRAME),
                    1e-5);
            from += count;
        }
        assertThat(from).isEqualTo(n);
    }
}
