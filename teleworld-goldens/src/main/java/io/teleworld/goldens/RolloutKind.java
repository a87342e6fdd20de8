package io.teleworld.goldens;

import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/**
 * Few-step generation block by block with a cache (Self-Forcing): full cache, a window with sink frames, or a given
 * first frame.
 */
final class RolloutKind implements GoldenKind {

    private static final String GROUP = VideoTransformer.CACHE_GROUP;

    @Override
    public String title() {
        return "causal roll-out";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return Transformers.isTransformer(c.at("config")) && c.hasTensor("in.renoise") && c.has("spec", "block");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        JsonNode spec = c.at("spec");
        VideoTransformerConfig config = Transformers.config(c, c.at("config"), "in.text_embeds");
        int given = c.hasTensor("in.initial_latent") ? c.extent("in.initial_latent", 1) : 0;
        int frames = given + c.extent("in.noise", 1);
        int window = spec.path("local_attn_size").asInt(-1);
        Graph graph = VideoTransformer.cachedGraph(
                config, c.extent("in.noise", 3), c.extent("in.noise", 4), window < 0 ? frames : window);
        Graph probed = graph.withOutputs(Transformers.caches(graph, config.numLayers()));
        run(c, context, report, probed, c.weights("weights."), "");
        if (!c.tensorNames("weights_original.").isEmpty()) {
            Weights original = c.weights("weights_original.", KeyLayouts::toDiffusers);
            run(c, context, report, graph, original, ", original layout");
        }
    }

    private static void run(
            GoldenCase c, CheckContext context, CaseReport report, Graph graph, Weights weights, String label) {
        Program program = context.compile(graph, weights);
        int batch = c.extent("in.noise", 0);
        for (int item = 0; item < batch; item++) {
            String suffix = (batch == 1 ? "" : ", sample " + item) + label;
            new Run(c, context, report, program, item, batch, suffix).run();
        }
    }

    private static final class Run {

        private final GoldenCase c;
        private final CheckContext context;
        private final CaseReport report;
        private final Program program;
        private final ProgramState state;
        private final CacheMirror mirror = new CacheMirror();
        private final int item;
        private final int batch;
        private final String suffix;
        private final HostTensor text;
        private final FlowMatchScheduler scheduler;
        private final int tokens;
        private final int window;
        private final int sink;

        Run(
                GoldenCase c,
                CheckContext context,
                CaseReport report,
                Program program,
                int item,
                int batch,
                String suffix) {
            this.c = c;
            this.context = context;
            this.report = report;
            this.program = program;
            this.state = context.newState(program);
            this.item = item;
            this.batch = batch;
            this.suffix = suffix;
            this.text = Transformers.text(c, "in.text_embeds", item);
            this.scheduler = new FlowMatchScheduler(1000, c.at("spec", "shift").asDouble());
            this.tokens = c.at("tokens_per_frame").asInt();
            this.window = c.at("spec", "local_attn_size").asInt(-1);
            this.sink = c.at("spec", "sink_size").asInt(0);
        }

        void run() {
            JsonNode spec = c.at("spec");
            int block = spec.path("block").asInt();
            int blocks = spec.path("blocks").asInt();
            FewStepSampler sampler = FewStepSampler.of(
                    scheduler,
                    GoldenCase.integers(spec.path("steps")),
                    spec.path("warp").asBoolean());
            report.compare(
                    "out.denoising_timesteps" + suffix,
                    "out.denoising_timesteps",
                    sampler.timesteps(),
                    c.numbers("out.denoising_timesteps"));
            List<float[]> made = new ArrayList<>();
            int first = 0;
            if (c.hasTensor("in.initial_latent")) {
                first = c.extent("in.initial_latent", 1);
                float[] initial = Latents.part(c.floats("in.initial_latent"), item, batch);
                List<Integer> ids = IntStream.range(0, first).boxed().toList();
                commit("out.initial", initial, ids, begin(ids));
                made.add(initial);
            }
            float[] noise = Latents.part(c.floats("in.noise"), item, batch);
            float[] renoise = c.floats("in.renoise");
            int again = c.extent("in.renoise", 1);
            for (int b = 0; b < blocks; b++) {
                int from = first + b * block;
                List<Integer> ids = IntStream.range(from, from + block).boxed().toList();
                List<Integer> visible = begin(ids);
                String name = "out.block." + b;
                int at = b;
                int[] drawn = {0};
                float[] x0 = sampler.sample(
                        Latents.part(noise, b, blocks),
                        (x, t, k) -> {
                            float[] v = Transformers.call(
                                    context,
                                    program,
                                    state,
                                    Transformers.options(visible, List.of()),
                                    x,
                                    ids,
                                    t,
                                    text,
                                    mirror);
                            predictions(name + ".step." + k, x, v, t);
                            return v;
                        },
                        fresh -> System.arraycopy(
                                Latents.part(renoise, (at * again + drawn[0]++) * batch + item, blocks * again * batch),
                                0,
                                fresh,
                                0,
                                fresh.length));
                compare(name + ".latents", x0);
                made.add(x0);
                commit(name + ".commit", x0, ids, visible);
                if (batch == 1) {
                    mirror.compare(c, report, "mid.cache_after_block_" + b, suffix, state.frames(GROUP));
                }
                String ends = "mid.cache_ends_after_block_" + b;
                if (c.hasTensor(ends)) {
                    int held = state.frames(GROUP).size();
                    report.compare(
                            ends + suffix,
                            ends,
                            new double[] {(double) (from + block) * tokens, (double) held * tokens},
                            c.numbers(ends));
                }
            }
            if (batch == 1) {
                mirror.compareText(c, report, suffix);
            }
            compare("out.latents", Latents.concat(made.toArray(float[][]::new)));
        }

        /** Makes room for a block; the cached frames that it sees. */
        private List<Integer> begin(List<Integer> ids) {
            List<Integer> held = state.frames(GROUP);
            int tooMany = window < 0 ? 0 : held.size() + ids.size() - window;
            if (tooMany > 0) {
                state.evict(GROUP, List.copyOf(held.subList(sink, sink + tooMany)));
            }
            return List.copyOf(state.frames(GROUP));
        }

        private void commit(String name, float[] x0, List<Integer> ids, List<Integer> visible) {
            float[] v = Transformers.call(
                    context, program, state, Transformers.options(visible, ids), x0, ids, 0, text, mirror);
            predictions(name, x0, v, 0);
        }

        private void predictions(String name, float[] x, float[] v, double t) {
            compare(name + ".flow", v);
            float[] x0 = new float[x.length];
            scheduler.cleanFromVelocity(x, v, t, x0);
            compare(name + ".x0", x0);
        }

        private void compare(String name, float[] actual) {
            if (c.hasTensor(name)) {
                double[] expected = GoldenCase.widened(Latents.part(c.floats(name), item, batch));
                report.compare(name + suffix, name, GoldenCase.widened(actual), expected);
            }
        }
    }
}
