package io.teleworld.goldens;

import io.teleworld.core.network.KeyLayouts;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformer.TimestepPer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/** The transformer with a camera encoder in each block, target and source joined on the frame axis (ReCamMaster). */
final class CameraBlockKind implements GoldenKind {

    @Override
    public String title() {
        return "camera-conditioned transformer";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return Transformers.isTransformer(c.at("config")) && c.hasTensor("in.cam_emb") && c.hasTensor("in.source");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        VideoTransformerConfig config = Transformers.config(c, c.at("config"), "in.text");
        long[] s = c.shape("in.target");
        int batch = (int) s[0];
        int channels = (int) s[1];
        int f = (int) s[2];
        Map<String, HostTensor> in = new HashMap<>();
        float[] target = c.floats("in.target");
        float[] source = c.floats("in.source");
        float[] camera = c.floats("in.cam_emb");
        float[][] x = new float[2 * batch * channels][];
        float[][] cameras = new float[2 * batch][];
        for (int i = 0; i < batch * channels; i++) {
            x[2 * i] = Latents.part(target, i, batch * channels);
            x[2 * i + 1] = Latents.part(source, i, batch * channels);
        }
        for (int b = 0; b < batch; b++) {
            cameras[2 * b] = Latents.part(camera, b, batch);
            cameras[2 * b + 1] = cameras[2 * b];
        }
        in.put("latents", HostTensor.ofFloats(Latents.concat(x), batch, channels, 2L * f, s[3], s[4]));
        in.put("camera", HostTensor.ofFloats(Latents.concat(cameras), batch, 2L * f, c.extent("in.cam_emb", 2)));
        in.put("timestep", c.tensor("in.timestep"));
        in.put("text", c.tensor("in.text"));
        in.put("positions", Latents.positions(IntStream.range(0, 2 * f).boxed().toList()));
        Graph graph = VideoTransformer.plainGraph(config, (int) s[3], (int) s[4], TimestepPer.SAMPLE);
        run(c, context, report, graph, c.weights("weights."), in, "");
        TransformerKind.inside(c, context, report, graph, config, in, "");
        if (!c.tensorNames("weights_original.").isEmpty()) {
            Weights original = c.weights("weights_original.", KeyLayouts::toDiffusers);
            run(c, context, report, graph, original, in, ", original layout");
        }
    }

    private static void run(
            GoldenCase c,
            CheckContext context,
            CaseReport report,
            Graph graph,
            Weights weights,
            Map<String, HostTensor> in,
            String suffix) {
        float[] v = context.run(context.compile(graph, weights), in, "velocity");
        report.compare("out.sample" + suffix, "out.sample", GoldenCase.widened(v), c.numbers("out.sample"));
        if (c.hasTensor("out.target")) {
            int rows = c.extent("out.sample", 0) * c.extent("out.sample", 1);
            float[][] first = new float[rows][];
            for (int i = 0; i < rows; i++) {
                first[i] = Latents.part(v, 2 * i, 2 * rows);
            }
            report.compare(
                    "out.target" + suffix,
                    "out.target",
                    GoldenCase.widened(Latents.concat(first)),
                    c.numbers("out.target"));
        }
    }
}
