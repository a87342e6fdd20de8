package io.teleworld.goldens;

import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Teacher forcing: one masked pass over [clean | noisy] frames, by blocks (Self-Forcing) or by planned groups (MMPL).
 *
 * <p>Clean frames see clean groups up to their own, noisy ones earlier clean groups and their own noisy one. With a
 * group map, queries of group 2 do not see the clean last two frames, as the released code has it.
 */
final class MaskedKind implements GoldenKind {

    private static final int BLIND_GROUP = 2;
    private static final int HIDDEN_FRAMES = 2;

    @Override
    public String title() {
        return "teacher forcing";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return Transformers.isTransformer(c.at("config"))
                && c.hasTensor("in.clean")
                && c.hasTensor("in.noisy")
                && c.hasTensor("out.flow");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        String textName = c.hasTensor("in.text_embeds") ? "in.text_embeds" : "in.text_cond";
        VideoTransformerConfig config = Transformers.config(c, c.at("config"), textName);
        int batch = c.extent("in.clean", 0);
        int n = c.extent("in.clean", 1);
        int channels = c.extent("in.clean", 2);
        int h = c.extent("in.clean", 3);
        int w = c.extent("in.clean", 4);
        boolean[] mask = mask(c, n);
        double[] seen = new double[mask.length];
        for (int i = 0; i < seen.length; i++) {
            seen[i] = mask[i] ? 1 : 0;
        }
        report.compare("out.mask_frames", seen, c.numbers("out.mask_frames"));

        if (c.hasTensor("out.mask_token_diagonal")) {
            double[] diagonal = IntStream.range(0, 2 * n)
                    .mapToDouble(i -> seen[i * (2 * n + 1)])
                    .toArray();
            report.compare("out.mask_token_diagonal", diagonal, c.numbers("out.mask_token_diagonal"));
        }
        float[] clean = c.floats("in.clean");
        float[] noisy = c.floats("in.noisy");
        float[] given = c.floats("in.timestep");
        List<float[]> x = new ArrayList<>();
        List<float[]> t = new ArrayList<>();
        for (int b = 0; b < batch; b++) {
            x.add(Latents.part(clean, b, batch));
            x.add(Latents.part(noisy, b, batch));
            t.add(new float[n]);
            t.add(Latents.part(given, b, batch));
        }
        Map<String, HostTensor> in = new HashMap<>();
        in.put(
                "latents",
                HostTensor.ofFloats(
                        Latents.swapped(Latents.concat(x.toArray(float[][]::new)), batch, 2 * n, channels),
                        batch,
                        channels,
                        2L * n,
                        h,
                        w));
        in.put("timestep", HostTensor.ofFloats(Latents.concat(t.toArray(float[][]::new)), batch, 2L * n));
        in.put(
                "positions",
                Latents.positions(
                        IntStream.range(0, 2 * n).map(i -> i % n).boxed().toList()));
        in.put("text", c.tensor(textName));
        in.put("visibility", HostTensor.ofBooleans(mask, 2L * n, 2L * n));

        Graph graph = VideoTransformer.maskedGraph(config, h, w);
        float[] flow = run(context, graph, c.weights("weights."), in, batch, n, channels);
        report.compare("out.flow", flow, c.numbers("out.flow"));
        if (c.hasTensor("out.x0")) {
            report.compare("out.x0", clean(c, noisy, flow, given), c.numbers("out.x0"));
        }
        if (!c.tensorNames("weights_original.").isEmpty()) {
            Weights original = c.weights("weights_original.", KeyLayouts::toDiffusers);
            float[] again = run(context, graph, original, in, batch, n, channels);
            report.compare("out.flow, original layout", "out.flow", GoldenCase.widened(again), c.numbers("out.flow"));
        }
    }

    /** The velocity of the noisy halves, [B,F,C,h,w]. */
    private static float[] run(
            CheckContext context,
            Graph graph,
            Weights weights,
            Map<String, HostTensor> in,
            int batch,
            int n,
            int channels) {
        float[] v = context.run(context.compile(graph, weights), in, "velocity");
        float[] frames = Latents.swapped(v, batch, channels, 2 * n);
        float[][] noisy = new float[batch][];
        for (int b = 0; b < batch; b++) {
            noisy[b] = Latents.part(frames, 2 * b + 1, 2 * batch);
        }
        return Latents.concat(noisy);
    }

    /** x_t − σ_t·v, frame by frame. */
    private static float[] clean(GoldenCase c, float[] noisy, float[] flow, float[] t) {
        FlowMatchScheduler scheduler =
                new FlowMatchScheduler(1000, c.at("spec", "shift").asDouble(5));
        float[][] x0 = new float[t.length][];
        for (int f = 0; f < t.length; f++) {
            float[] xt = Latents.part(noisy, f, t.length);
            x0[f] = new float[xt.length];
            scheduler.cleanFromVelocity(xt, Latents.part(flow, f, t.length), t[f], x0[f]);
        }
        return Latents.concat(x0);
    }

    private static boolean[] mask(GoldenCase c, int n) {
        boolean grouped = c.has("group_map");
        List<Integer> map = grouped ? GoldenCase.integers(c.at("group_map")) : new ArrayList<>();
        int block = c.at("spec", "block").asInt(1);
        int[] group = new int[n];
        for (int i = 0; i < n; i++) {
            group[i] = grouped ? map.get(i) : i / block;
        }
        boolean[] mask = new boolean[4 * n * n];
        for (int q = 0; q < 2 * n; q++) {
            for (int k = 0; k < 2 * n; k++) {
                boolean cleanQuery = q < n;
                boolean cleanKey = k < n;
                int gq = group[q % n];
                int gk = group[k % n];
                boolean sees = cleanKey ? cleanQuery ? gk <= gq : gk < gq : !cleanQuery && gk == gq;
                boolean hidden = grouped && gq == BLIND_GROUP && cleanKey && k >= n - HIDDEN_FRAMES;
                mask[q * 2 * n + k] = sees && !hidden;
            }
        }
        return mask;
    }
}
