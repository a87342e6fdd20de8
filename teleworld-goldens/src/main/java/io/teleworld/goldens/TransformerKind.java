package io.teleworld.goldens;

import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.RunOptions;
import io.teleworld.tensor.HostTensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/** The bidirectional transformer: one velocity, weights in either layout, one timestep per sample or per token. */
final class TransformerKind implements GoldenKind {

    @Override
    public String title() {
        return "diffusion transformer";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return Transformers.isTransformer(c.at("config"))
                && c.hasTensor("in.hidden_states")
                && c.hasTensor("out.sample");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        VideoTransformerConfig config = Transformers.config(c, c.at("config"), "in.encoder_hidden_states");
        int frames = c.extent("in.hidden_states", 2);
        int h = c.extent("in.hidden_states", 3);
        int w = c.extent("in.hidden_states", 4);
        boolean perToken = c.shape("in.timestep").length == 2;
        Graph graph = VideoTransformer.plainGraph(config, h, w, perToken ? TimestepPer.TOKEN : TimestepPer.SAMPLE);
        Map<String, HostTensor> in = new HashMap<>();
        in.put("latents", c.tensor("in.hidden_states"));
        in.put("timestep", c.tensor("in.timestep"));
        in.put("text", c.tensor("in.encoder_hidden_states"));
        in.put("positions", Latents.positions(IntStream.range(0, frames).boxed().toList()));
        if (c.hasTensor("in.encoder_hidden_states_image")) {
            in.put("image", c.tensor("in.encoder_hidden_states_image"));
        }
        double[] expected = c.numbers("out.sample");
        float[] v = context.run(context.compile(graph, c.weights("weights.")), in, "velocity");
        report.compare("out.sample", v, expected);
        inside(c, context, report, graph, config, in, "");
        if (!c.tensorNames("weights_original.").isEmpty()) {
            float[] o = context.run(
                    context.compile(graph, c.weights("weights_original.", KeyLayouts::toDiffusers)), in, "velocity");
            report.compare("out.sample, original layout", "out.sample", GoldenCase.widened(o), expected);
        }
        if (c.hasTensor("out.sample_original_class")) {
            report.compare("out.sample_original_class", v, c.numbers("out.sample_original_class"));
        }
        if (perToken) {
            perFrame(c, context, report, config, in);
        }
    }

    /** The stored values inside the network, by a second run that gives them out. */
    static void inside(
            GoldenCase c,
            CheckContext context,
            CaseReport report,
            Graph graph,
            VideoTransformerConfig config,
            Map<String, HostTensor> in,
            String suffix) {
        Map<String, Value> probes = TransformerProbes.of(graph, config.numLayers());
        probes.keySet().removeIf(n -> !c.hasTensor(n));
        if (probes.isEmpty()) {
            return;
        }
        Program p = context.compile(graph.withOutputs(probes), c.weights("weights."));
        Map<String, float[]> values = context.runAll(p, context.newState(p), RunOptions.DEFAULT, in);
        for (String n : probes.keySet()) {
            float[] v = TransformerProbes.ordered(n, Objects.requireNonNull(values.get(n), n), c.shape(n));
            double[] expected = c.numbers(n);
            // A camera's vectors are stored for one half of the frames; both halves have the same.
            float[] same = v.length == 2 * expected.length ? Latents.part(v, 0, 2) : v;
            report.compare(n + suffix, n, GoldenCase.widened(same), expected);
        }
    }

    /** Where all tokens of a frame have one timestep, the graph with one per frame must agree. */
    private static void perFrame(
            GoldenCase c,
            CheckContext context,
            CaseReport report,
            VideoTransformerConfig config,
            Map<String, HostTensor> in) {
        long[] s = c.shape("in.hidden_states");
        int batch = (int) s[0];
        int frames = (int) s[2];
        float[] tokens = c.floats("in.timestep");
        int each = tokens.length / (batch * frames);
        float[] t = new float[batch * frames];
        for (int i = 0; i < tokens.length; i++) {
            t[i / each] = tokens[i - i % each];
            if (tokens[i] != t[i / each]) {
                return;
            }
        }
        in.put("timestep", HostTensor.ofFloats(t, batch, frames));
        Graph graph = VideoTransformer.plainGraph(config, (int) s[3], (int) s[4], TimestepPer.FRAME);
        float[] v = context.run(context.compile(graph, c.weights("weights.")), in, "velocity");
        report.compare("out.sample, timestep per frame", "out.sample", GoldenCase.widened(v), c.numbers("out.sample"));
    }
}
