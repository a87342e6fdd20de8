package io.teleworld.goldens;

import io.teleworld.core.diffusion.UniPcSolver;
import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.ProgramState;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * Planned groups (MMPL): groups of frames that need not be neighbours, sampled with UniPC and guidance, each seeing the
 * committed groups before it. Which frames each call sees is taken from the case's own log and compared with what the
 * cache then holds.
 */
final class GroupsKind implements GoldenKind {

    private static final String GROUP = VideoTransformer.CACHE_GROUP;

    @Override
    public String title() {
        return "planned groups";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return Transformers.isTransformer(c.at("config"))
                && c.has("call_groups")
                && c.hasTensor("in.noise")
                && c.hasTensor("in.text_uncond");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        VideoTransformerConfig config = Transformers.config(c, c.at("config"), "in.text_cond");
        // The last group is never written.
        int last = c.at("call_groups").get(c.at("call_groups").size() - 1).size();
        int capacity = c.extent("in.noise", 1) - last;
        Graph graph = VideoTransformer.cachedGraph(config, c.extent("in.noise", 3), c.extent("in.noise", 4), capacity);
        Graph probed = graph.withOutputs(Transformers.caches(graph, config.numLayers()));
        new Run(c, context, report, context.compile(probed, c.weights("weights.")), "").run();
        if (!c.tensorNames("weights_original.").isEmpty()) {
            Weights original = c.weights("weights_original.", KeyLayouts::toDiffusers);
            new Run(c, context, report, context.compile(graph, original), ", original layout").run();
        }
    }

    private static final class Run {

        private final GoldenCase c;
        private final CheckContext context;
        private final CaseReport report;
        private final String suffix;
        private final Program program;
        private final ProgramState with;
        private final ProgramState without;
        private final CacheMirror mirror = new CacheMirror();
        private final HostTensor cond;
        private final HostTensor uncond;
        private final int frameSize;

        Run(GoldenCase c, CheckContext context, CaseReport report, Program program, String suffix) {
            this.c = c;
            this.context = context;
            this.report = report;
            this.suffix = suffix;
            this.program = program;
            this.with = context.newState(program);
            this.without = context.newState(program);
            this.cond = c.tensor("in.text_cond");
            this.uncond = c.tensor("in.text_uncond");
            this.frameSize = c.extent("in.noise", 2) * c.extent("in.noise", 3) * c.extent("in.noise", 4);
        }

        void run() {
            JsonNode spec = c.at("spec");
            UniPcSolver solver = new UniPcSolver(
                    UniPcSolver.Table.ORIGINAL,
                    spec.path("sampling_steps").asInt(),
                    spec.path("shift").asDouble());
            double[] timesteps =
                    Arrays.stream(solver.timesteps()).asDoubleStream().toArray();
            report.compare(
                    "out.scheduler_timesteps" + suffix,
                    "out.scheduler_timesteps",
                    timesteps,
                    c.numbers("out.scheduler_timesteps"));
            int given = spec.path("initial").asInt(0);
            double guidance = spec.path("guidance").asDouble();
            float[] all = c.floats("in.noise").clone();
            JsonNode groups = c.at("call_groups");
            int[] fresh = {0};
            for (int i = 0; i < groups.size(); i++) {
                List<Integer> frames = GoldenCase.integers(groups.get(i));
                List<Integer> visible = visible(frames);
                float[] x0;
                if (frames.get(frames.size() - 1) < given) {
                    x0 = Latents.frames(c.floats("in.initial_latent"), frames, frameSize);
                } else {
                    float[] x = Latents.frames(c.floats("in.noise"), frames, frameSize);
                    // The groups that are filled in start from noise of their own at both ends.
                    if (c.hasTensor("in.neighbour_noise") && i >= groups.size() - 2) {
                        float[] ends = c.floats("in.neighbour_noise");
                        System.arraycopy(ends, fresh[0]++ * frameSize, x, 0, frameSize);
                        System.arraycopy(ends, fresh[0]++ * frameSize, x, x.length - frameSize, frameSize);
                    }
                    x0 = sample(solver, x, frames, visible, guidance, i);
                }
                compare("out.group." + i + ".latents", x0);
                for (int f = 0; f < frames.size(); f++) {
                    System.arraycopy(x0, f * frameSize, all, frames.get(f) * frameSize, frameSize);
                }
                if (i + 1 < groups.size()) {
                    call(with, cond, visible, frames, x0, frames, 0);
                    call(without, uncond, visible, frames, x0, frames, 0);
                }
                if (i == groups.size() - 3) {
                    mirror.compare(c, report, "mid.cache_after_plan", suffix, slots());
                }
            }
            compare("out.latents", all);
            if (c.hasTensor("out.handoff")) {
                compare("out.handoff", Latents.frames(all, handoff(), frameSize));
            }
        }

        /** The frame of each slot: all that are ever written, in ascending order. */
        private List<Integer> slots() {
            Set<Integer> frames = new TreeSet<>();
            JsonNode groups = c.at("call_groups");
            for (int i = 0; i + 1 < groups.size(); i++) {
                frames.addAll(GoldenCase.integers(groups.get(i)));
            }
            return List.copyOf(frames);
        }

        private float[] sample(
                UniPcSolver solver,
                float[] x,
                List<Integer> frames,
                List<Integer> visible,
                double guidance,
                int group) {
            return solver.sample(x, (s, t, k) -> {
                float[] v = call(with, cond, visible, List.of(), s, frames, t);
                float[] u = call(without, uncond, visible, List.of(), s, frames, t);
                if (k == 0) {
                    compare("mid.group." + group + ".first_flow_cond", v);
                    compare("mid.group." + group + ".first_flow_uncond", u);
                }
                float[] guided = new float[v.length];
                for (int e = 0; e < v.length; e++) {
                    guided[e] = (float) (u[e] + guidance * (v[e] - u[e]));
                }
                return guided;
            });
        }

        private float[] call(
                ProgramState state,
                HostTensor text,
                List<Integer> visible,
                List<Integer> written,
                float[] x,
                List<Integer> frames,
                double t) {
            return Transformers.call(
                    context,
                    program,
                    state,
                    Transformers.options(visible, written),
                    x,
                    frames,
                    t,
                    text,
                    state == with ? mirror : new CacheMirror());
        }

        /** What the log says that a group sees, without itself; it must be cached. */
        private List<Integer> visible(List<Integer> frames) {
            Set<Integer> seen = new TreeSet<>();
            for (JsonNode call : c.at("call_log")) {
                if (GoldenCase.integers(call.path("frames")).equals(frames)) {
                    seen.addAll(GoldenCase.integers(call.path("visible_frames")));
                }
            }
            seen.removeAll(frames);
            Set<Integer> missing = new LinkedHashSet<>(seen);
            missing.removeAll(with.frames(GROUP));
            if (!missing.isEmpty()) {
                throw new IllegalStateException(
                        "frames " + frames + " should see " + missing + "; the cache holds " + with.frames(GROUP));
            }
            return List.copyOf(seen);
        }

        /** Text to video: the first frame and the plan; with a given frame: the first frame and the last two. */
        private List<Integer> handoff() {
            int n = c.extent("in.noise", 1);
            if (c.at("spec", "initial").asInt(0) > 0) {
                return List.of(0, n - 2, n - 1);
            }
            TreeSet<Integer> frames =
                    new TreeSet<>(GoldenCase.integers(c.at("call_groups").get(1)));
            frames.add(0);
            return List.copyOf(frames);
        }

        private void compare(String name, float[] actual) {
            if (c.hasTensor(name)) {
                report.compare(name + suffix, name, GoldenCase.widened(actual), c.numbers(name));
            }
        }
    }
}
