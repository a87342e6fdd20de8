package io.teleworld.goldens;

import io.teleworld.core.diffusion.FewStepSampler;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.diffusion.UniPcSolver;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** Noise tables, step lists and solvers on fields that are given in closed form. Needs no runtime. */
final class SchedulersKind implements GoldenKind {

    private static final int TRAIN_TIMESTEPS = 1000;

    @Override
    public String title() {
        return "schedulers";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return c.has("data", "unipc") || c.has("data", "flow_match");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        if (c.has("data", "unipc")) {
            uniPc(c.at("data", "unipc"), report);
        }
        if (c.has("data", "flow_match")) {
            flowMatch(c.at("data", "flow_match"), report);
        }
    }

    private static void uniPc(JsonNode u, CaseReport report) {
        double[] start = GoldenCase.doubles(u.path("x_start"));
        for (JsonNode table : u.path("tables")) {
            String implementation = table.path("implementation").asString();
            String label =
                    "UniPC " + implementation + ", shift " + table.path("shift").asDouble() + ", "
                            + table.path("steps").asInt() + " steps: ";
            UniPcSolver solver = new UniPcSolver(
                    implementation.equals("original") ? UniPcSolver.Table.ORIGINAL : UniPcSolver.Table.DIFFUSERS,
                    table.path("steps").asInt(),
                    table.path("shift").asDouble());
            report.compare(label + "sigmas", "tables", solver.sigmas(), GoldenCase.doubles(table.path("sigmas")));
            double[] timesteps =
                    Arrays.stream(solver.timesteps()).asDoubleStream().toArray();
            report.compare(label + "timesteps", "timesteps", timesteps, GoldenCase.doubles(table.path("timesteps")));
            for (Map.Entry<String, JsonNode> field : table.path("trajectories").properties()) {
                trajectory(label, solver, field.getKey(), field.getValue(), start, timesteps, report);
            }
        }
    }

    private static void trajectory(
            String label,
            UniPcSolver solver,
            String field,
            JsonNode expected,
            double[] start,
            double[] timesteps,
            CaseReport report) {
        UniPcSolver.Run run = solver.start();
        double[] x = start;
        for (int k = 0; k < timesteps.length; k++) {
            double[] v = new double[x.length];
            for (int i = 0; i < v.length; i++) {
                v[i] = field.equals("linear")
                        ? linear(x[i], timesteps[k])
                        : Math.sin(1.7 * x[i]) + 0.3 * x[i] - timesteps[k] / 1500;
            }
            x = run.step(x, v);
            JsonNode after = expected.isArray() ? expected.path(k) : expected.path("after_step_" + (k + 1));
            if (!after.isMissingNode()) {
                report.compare(
                        label + field + ", step " + k,
                        "trajectories, from the listed sigmas",
                        x,
                        GoldenCase.doubles(after));
            }
        }
    }

    private static void flowMatch(JsonNode f, CaseReport report) {
        for (JsonNode table : f.path("tables")) {
            double shift = table.path("shift").asDouble();
            String label = "flow matching, shift " + shift + ": ";
            FlowMatchScheduler s = new FlowMatchScheduler(TRAIN_TIMESTEPS, shift);
            int n = table.path("timesteps").size();
            double[] t = new double[n];
            double[] sigma = new double[n];
            double[] weight = new double[n];
            for (int i = 0; i < n; i++) {
                t[i] = s.timestep(i);
                sigma[i] = s.sigma(t[i]);
                weight[i] = s.trainingWeight(t[i]);
            }
            // Timesteps are 1000 σ in float32; a σ within the tables' limit moves them by 1000 times that.
            report.compare(
                    label + "timesteps / 1000",
                    "tables",
                    scaled(t),
                    scaled(GoldenCase.doubles(table.path("timesteps"))));
            report.compare(label + "sigmas", "tables", sigma, GoldenCase.doubles(table.path("sigmas")));
            report.compare(
                    label + "training weights", "tables", weight, GoldenCase.doubles(table.path("training_weights")));
        }
        for (JsonNode w : f.path("warps")) {
            FlowMatchScheduler s =
                    new FlowMatchScheduler(TRAIN_TIMESTEPS, w.path("shift").asDouble());
            report.compare(
                    "warped " + w.path("list") + ", shift " + w.path("shift") + ", / 1000",
                    "tables",
                    scaled(s.warp(GoldenCase.integers(w.path("list")))),
                    scaled(GoldenCase.doubles(w.path("warped"))));
        }
        for (JsonNode l : f.path("lookups")) {
            FlowMatchScheduler s =
                    new FlowMatchScheduler(TRAIN_TIMESTEPS, l.path("shift").asDouble());
            double t = l.path("timestep").asDouble();
            report.compare(
                    "look-up of " + t + ", shift " + l.path("shift"),
                    "tables",
                    new double[] {s.sigma(t), s.trainingWeight(t)},
                    new double[] {
                        l.path("sigma").asDouble(), l.path("training_weight").asDouble()
                    });
        }
        for (JsonNode run : f.path("few_step")) {
            fewStep(run, report);
        }
    }

    private static void fewStep(JsonNode run, CaseReport report) {
        FlowMatchScheduler scheduler =
                new FlowMatchScheduler(TRAIN_TIMESTEPS, run.path("shift").asDouble());
        FewStepSampler sampler = FewStepSampler.of(
                scheduler,
                GoldenCase.integers(run.path("list")),
                run.path("warped").asBoolean());
        JsonNode steps = run.path("steps");
        String label = "few steps " + run.path("list") + ", shift " + run.path("shift") + ": ";
        List<Integer> asked = new ArrayList<>();
        float[] x0 = sampler.sample(
                floats(steps.path(0).path("x")),
                (x, t, k) -> {
                    report.compare(
                            label + "x of step " + k,
                            "few_step",
                            GoldenCase.widened(x),
                            GoldenCase.doubles(steps.path(k).path("x")));
                    asked.add(k);
                    float[] v = new float[x.length];
                    for (int i = 0; i < v.length; i++) {
                        v[i] = (float) linear(x[i], t);
                    }
                    return v;
                },
                noise -> Arrays.fill(noise, (float)
                        steps.path(asked.size() - 1).path("noise").asDouble()));
        report.compare(
                label + "result",
                "few_step",
                GoldenCase.widened(x0),
                GoldenCase.doubles(steps.path(steps.size() - 1).path("x0")));
    }

    private static double linear(double x, double t) {
        return 0.5 * x - 0.2 + t / 2000;
    }

    private static double[] scaled(double[] timesteps) {
        return Arrays.stream(timesteps).map(t -> t / TRAIN_TIMESTEPS).toArray();
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
