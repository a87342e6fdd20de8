package io.teleworld.core.diffusion;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

final class SamplersTest {

    private static JsonNode golden = JsonMapper.shared().createObjectNode();

    @BeforeAll
    static void read() throws IOException {
        try (InputStream in = SamplersTest.class.getResourceAsStream("/goldens/schedulers.json")) {
            golden = JsonMapper.shared().readTree(Objects.requireNonNull(in)).get("data");
        }
    }

    @Test
    void flowMatchingTablesAreThoseOfTheReference() {
        for (JsonNode table : golden.get("flow_match").get("tables")) {
            FlowMatchScheduler s =
                    new FlowMatchScheduler(1000, table.get("shift").asDouble());
            for (int i = 0; i < 1000; i++) {
                double t = table.get("timesteps").get(i).asDouble();
                assertThat(s.timestep(i)).isCloseTo(t, within(2e-4));
                assertThat(s.sigma(t)).isCloseTo(table.get("sigmas").get(i).asDouble(), within(1e-6));
                assertThat(s.trainingWeight(t))
                        .isCloseTo(table.get("training_weights").get(i).asDouble(), within(1e-5));
            }
        }
    }

    @Test
    void timestepsStandForTheNearestEntry() {
        for (JsonNode l : golden.get("flow_match").get("lookups")) {
            FlowMatchScheduler s = new FlowMatchScheduler(1000, l.get("shift").asDouble());
            double t = l.get("timestep").asDouble();
            assertThat(s.sigma(t)).isCloseTo(l.get("sigma").asDouble(), within(1e-6));
            assertThat(s.trainingWeight(t)).isCloseTo(l.get("training_weight").asDouble(), within(1e-5));
        }
    }

    @Test
    void stepListsAreWarped() {
        for (JsonNode w : golden.get("flow_match").get("warps")) {
            double[] t = new FlowMatchScheduler(1000, w.get("shift").asDouble()).warp(integers(w.get("list")));
            assertThat(t).containsExactly(doubles(w.get("warped")), within(2e-4));
        }
        assertThatThrownBy(() -> new FlowMatchScheduler(1000, 5).warp(List.of(1001)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("[0, 1000]");
    }

    @Test
    void fewStepLoopsFollowTheReference() {
        for (JsonNode run : golden.get("flow_match").get("few_step")) {
            FlowMatchScheduler scheduler =
                    new FlowMatchScheduler(1000, run.get("shift").asDouble());
            FewStepSampler sampler = FewStepSampler.of(
                    scheduler, integers(run.get("list")), run.get("warped").asBoolean());
            JsonNode steps = run.get("steps");
            List<Integer> asked = new ArrayList<>();
            float[] x0 = sampler.sample(
                    floats(steps.get(0).get("x")),
                    (x, t, k) -> {
                        assertThat(t).isCloseTo(steps.get(k).get("timestep").asDouble(), within(2e-4));
                        assertThat(x).containsExactly(floats(steps.get(k).get("x")), within(1e-6f));
                        asked.add(k);
                        float[] v = new float[x.length];
                        for (int i = 0; i < v.length; i++) {
                            v[i] = (float) linear(x[i], t);
                        }
                        return v;
                    },
                    noise -> java.util.Arrays.fill(noise, (float)
                            steps.get(asked.size() - 1).get("noise").asDouble()));
            assertThat(asked).hasSize(steps.size());
            assertThat(x0).containsExactly(floats(steps.get(steps.size() - 1).get("x0")), within(1e-6f));
        }
    }

    @Test
    void uniPcFollowsTheReference() {
        JsonNode uniPc = golden.get("unipc");
        double[] start = doubles(uniPc.get("x_start"));
        for (JsonNode table : uniPc.get("tables")) {
            UniPcSolver solver = new UniPcSolver(
                    table.get("implementation").asString().equals("original")
                            ? UniPcSolver.Table.ORIGINAL
                            : UniPcSolver.Table.DIFFUSERS,
                    table.get("steps").asInt(),
                    table.get("shift").asDouble());
            assertThat(solver.sigmas()).containsExactly(doubles(table.get("sigmas")), within(1e-6));
            assertThat(solver.timesteps())
                    .isEqualTo(integers(table.get("timesteps")).stream()
                            .mapToInt(Integer::intValue)
                            .toArray());
            for (String field : List.of("linear", "sine")) {
                UniPcSolver.Run run = solver.start();
                double[] x = start;
                JsonNode expected = table.get("trajectories").get(field);
                for (int k = 0; k < solver.timesteps().length; k++) {
                    double[] v = new double[x.length];
                    for (int i = 0; i < v.length; i++) {
                        double t = solver.timesteps()[k];
                        v[i] = field.equals("linear") ? linear(x[i], t) : Math.sin(1.7 * x[i]) + 0.3 * x[i] - t / 1500;
                    }
                    x = run.step(x, v);
                    JsonNode after = expected.isArray() ? expected.get(k) : expected.get("after_step_" + (k + 1));
                    if (after != null) {
                        assertThat(x)
                                .as("%s, %s, step %d", table.get("shift"), field, k)
                                .containsExactly(doubles(after), within(2e-6));
                    }
                }
                double[] last = x;
                assertThatThrownBy(() -> run.step(last, last)).isInstanceOf(IllegalStateException.class);
            }
        }
    }

    @Test
    void theWrittenCheckValues() {
        float[] x = new UniPcSolver(UniPcSolver.Table.DIFFUSERS, 5, 5).sample(new float[] {1f, 2f}, (s, t, k) ->
                new float[] {(float) linear(s[0], t), (float) linear(s[1], t)});
        assertThat(x).containsExactly(new float[] {0.4779409f, 1.0550584f}, within(1e-5f));
        assertThat(SchedulerConfig.FEW_STEP.sampler().timesteps())
                .containsExactly(new double[] {1000, 937.5, 833.33331, 625}, within(1e-4));
    }

    @Test
    void noiseAndVelocityInvertEachOther() {
        FlowMatchScheduler s = new FlowMatchScheduler(1000, 5);
        float[] x0 = {1, -2};
        float[] n = {0.5f, 3};
        float[] xt = new float[2];
        s.addNoise(x0, n, 640, xt);
        float[] back = new float[2];
        s.cleanFromVelocity(xt, new float[] {n[0] - x0[0], n[1] - x0[1]}, 640, back);
        assertThat(back).containsExactly(x0, within(1e-6f));
    }

    private static double linear(double x, double t) {
        return 0.5 * x - 0.2 + t / 2000;
    }

    private static List<Integer> integers(JsonNode n) {
        List<Integer> out = new ArrayList<>();
        n.forEach(e -> out.add(e.asInt()));
        return out;
    }

    private static double[] doubles(JsonNode n) {
        double[] out = new double[n.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = n.get(i).asDouble();
        }
        return out;
    }

    private static float[] floats(JsonNode n) {
        float[] out = new float[n.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) n.get(i).asDouble();
        }
        return out;
    }

    @Test
    void fewerStepsAreSpreadOverTheListAndBeginWithTheFirst() {
        SchedulerConfig four = SchedulerConfig.FEW_STEP;
        assertThat(four.withSteps(4)).isEqualTo(four);
        assertThat(four.withSteps(2).denoisingSteps()).containsExactly(1000, 500);
        assertThat(four.withSteps(1).denoisingSteps()).containsExactly(1000);
        assertThatIllegalArgumentException().isThrownBy(() -> four.withSteps(5)).withMessageContaining("[1, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> four.withSteps(0));
    }
}
