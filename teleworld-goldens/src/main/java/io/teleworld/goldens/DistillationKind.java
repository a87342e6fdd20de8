package io.teleworld.goldens;

import io.teleworld.core.diffusion.DistributionMatching;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Program;
import io.teleworld.tensor.HostTensor;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** The losses of distribution matching distillation, from given predictions or from two score networks. */
final class DistillationKind implements GoldenKind {

    @Override
    public String title() {
        return "distribution matching";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return c.hasTensor("in.critic_noise") && c.has("spec", "tau") && c.hasTensor("out.generator.loss");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        new Run(c, context, report).run();
    }

    private static final class Run {

        private final GoldenCase c;
        private final CheckContext context;
        private final CaseReport report;
        private final FlowMatchScheduler scheduler;
        private final DistributionMatching dmd;
        private final int samples;
        private final int frames;
        private final int channels;
        private final int h;
        private final int w;

        Run(GoldenCase c, CheckContext context, CaseReport report) {
            this.c = c;
            this.context = context;
            this.report = report;
            this.scheduler = new FlowMatchScheduler(1000, c.at("spec", "shift").asDouble());
            this.dmd = new DistributionMatching(
                    scheduler,
                    c.at("spec", "guidance").asDouble(),
                    c.at("config", "min_step").asDouble(20),
                    c.at("config", "max_step").asDouble(980));
            this.samples = c.extent("in.x", 0);
            this.frames = c.extent("in.x", 1);
            this.channels = c.extent("in.x", 2);
            this.h = c.extent("in.x", 3);
            this.w = c.extent("in.x", 4);
        }

        void run() {
            float[] x = c.floats("in.x");
            double[] t = timesteps("tau");
            float[] noisy = dmd.noised(x, c.floats("in.noise"), t);
            compare("out.generator.timestep", repeated(t));
            compare("out.generator.noisy", GoldenCase.widened(noisy));
            double[] tc = timesteps("critic_tau");
            float[] noise = c.floats("in.critic_noise");
            float[] criticNoisy = dmd.noised(x, noise, tc);
            compare("out.critic.timestep", repeated(tc));
            compare("out.critic.noisy", GoldenCase.widened(criticNoisy));

            float[] cond;
            float[] uncond;
            float[] fake;
            float[] clean;
            if (c.hasTensor("in.fake_x0")) {
                cond = c.floats("in.real_cond_x0");
                uncond = c.floats("in.real_uncond_x0");
                fake = c.floats("in.fake_x0");
                clean = c.floats("in.critic_x0");
            } else {
                Program real = network("weights.real.");
                Program critic = network("weights.fake.");
                cond = predicted(real, noisy, t, "in.text_cond", "mid.real_cond_x0");
                uncond = predicted(real, noisy, t, "in.text_uncond", "mid.real_uncond_x0");
                fake = predicted(critic, noisy, t, "in.text_cond", "mid.fake_x0");
                clean = predicted(critic, criticNoisy, tc, "in.text_cond", "mid.critic_x0");
            }
            double[] g = DistributionMatching.direction(x, dmd.real(cond, uncond), fake, samples);
            compare("out.generator.kl_grad", g);
            loss("out.generator", "grad_x", DistributionMatching.generator(g));
            if (c.hasTensor("in.gradient_mask")) {
                double[] mask = c.numbers("in.gradient_mask");
                boolean[] counted = new boolean[mask.length];
                for (int i = 0; i < mask.length; i++) {
                    counted[i] = mask[i] != 0;
                }
                loss("out.generator_masked", "grad_x", DistributionMatching.generator(g, counted));
            }
            loss("out.critic", "grad_x0", dmd.critic(x, noise, criticNoisy, clean, tc));
            scalars();
        }

        private Program network(String prefix) {
            VideoTransformerConfig config = Transformers.config(c, c.at("config", "score_networks"), "in.text_cond");
            Graph graph = VideoTransformer.plainGraph(config, h, w, TimestepPer.SAMPLE);
            return context.compile(graph, c.weights(prefix));
        }

        /** The clean prediction of a network, [B,F,C,h,w]. */
        private float[] predicted(Program network, float[] noisy, double[] t, String text, String name) {
            float[] at = new float[t.length];
            for (int i = 0; i < at.length; i++) {
                at[i] = (float) t[i];
            }
            Map<String, HostTensor> in = Map.of(
                    "latents",
                    HostTensor.ofFloats(
                            Latents.swapped(noisy, samples, frames, channels), samples, channels, frames, h, w),
                    "timestep",
                    HostTensor.ofFloats(at, samples),
                    "positions",
                    Latents.positions(IntStream.range(0, frames).boxed().toList()),
                    "text",
                    c.tensor(text));
            float[] v = Latents.swapped(context.run(network, in, "velocity"), samples, channels, frames);
            float[][] x0 = new float[samples][];
            for (int s = 0; s < samples; s++) {
                float[] xt = Latents.part(noisy, s, samples);
                x0[s] = new float[xt.length];
                scheduler.cleanFromVelocity(xt, Latents.part(v, s, samples), t[s], x0[s]);
            }
            float[] all = Latents.concat(x0);
            compare(name, GoldenCase.widened(all));
            return all;
        }

        private void scalars() {
            int i = 0;
            for (JsonNode e : c.at("scalar", "loss_examples")) {
                double[] g = DistributionMatching.direction(
                        floats(e.path("x")), floats(e.path("real")), floats(e.path("fake")), 1);
                DistributionMatching.Loss loss = DistributionMatching.generator(g);
                String label = "loss example " + i++;
                report.compare(
                        label + ", direction", "out.generator.kl_grad", g, GoldenCase.doubles(e.path("kl_grad")));
                report.compare(label, "out.generator.loss", new double[] {loss.value()}, new double[] {
                    e.path("loss").asDouble()
                });
                report.compare(
                        label + ", gradient",
                        "out.generator.grad_x",
                        loss.gradient(),
                        GoldenCase.doubles(e.path("grad_x")));
            }
            for (JsonNode e : c.at("scalar", "timestep_examples")) {
                report.compare(
                        "timestep of draw " + e.path("tau").asInt(),
                        "out.generator.timestep",
                        new double[] {dmd.timestep(e.path("tau").asInt())},
                        new double[] {e.path("timestep").asDouble()});
            }
        }

        private double[] timesteps(String key) {
            return Arrays.stream(GoldenCase.doubles(c.at("spec", key)))
                    .map(dmd::timestep)
                    .toArray();
        }

        /** One per frame. */
        private double[] repeated(double[] t) {
            return IntStream.range(0, samples * frames)
                    .mapToDouble(i -> t[i / frames])
                    .toArray();
        }

        private void loss(String name, String gradient, DistributionMatching.Loss loss) {
            compare(name + ".loss", new double[] {loss.value()});
            compare(name + "." + gradient, loss.gradient());
        }

        private void compare(String name, double[] actual) {
            if (c.hasTensor(name)) {
                report.compare(name, actual, c.numbers(name));
            }
        }

        private static float[] floats(JsonNode n) {
            double[] d = GoldenCase.doubles(n);
            float[] out = new float[d.length];
            for (int i = 0; i < out.length; i++) {
                out[i] = (float) d[i];
            }
            return out;
        }
    }
}
