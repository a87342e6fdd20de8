package io.teleworld.goldens;

import io.teleworld.core.network.JsonConfig;
import io.teleworld.core.network.WanAutoencoder;
import io.teleworld.core.network.WanAutoencoderConfig;
import io.teleworld.core.network.WanAutoencoderKeys;
import io.teleworld.core.network.WanAutoencoderStream;
import io.teleworld.graph.Graph;
import io.teleworld.graph.Node;
import io.teleworld.graph.Value;
import io.teleworld.runtime.Program;
import io.teleworld.runtime.Scope;
import io.teleworld.runtime.Weights;
import io.teleworld.tensor.HostTensor;
import io.teleworld.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The autoencoder of Wan 2.1: encoding and decoding in small and large chunks, caches, both namings of weights. */
final class WanVaeKind implements GoldenKind {

    @Override
    public String title() {
        return "Wan autoencoder";
    }

    @Override
    public boolean accepts(GoldenCase c) {
        return c.at("config", "_class_name").asString("").equals("AutoencoderKLWan") && c.hasTensor("in.video");
    }

    @Override
    public void check(GoldenCase c, CheckContext context, CaseReport report) {
        WanAutoencoderConfig config = JsonConfig.read(
                c.name() + ".json",
                new ByteArrayInputStream(c.at("config").toString().getBytes(StandardCharsets.UTF_8)),
                WanAutoencoderConfig.wan21());
        coded(c, context, report, config, c.weights("weights."), "");
        if (!c.tensorNames("weights_original.").isEmpty()) {
            WanAutoencoderKeys keys = new WanAutoencoderKeys(config);
            coded(c, context, report, config, c.weights("weights_original.", keys::toDiffusers), ", original layout");
        }
    }

    private static void coded(
            GoldenCase c,
            CheckContext context,
            CaseReport report,
            WanAutoencoderConfig config,
            Weights weights,
            String suffix) {
        int batch = c.extent("in.video", 0);
        int h = c.extent("in.video", 3);
        int w = c.extent("in.video", 4);
        Program encodeFirst = context.compile(WanAutoencoder.encoderGraph(config, h, w, true), weights);
        Program encodeNext = context.compile(WanAutoencoder.encoderGraph(config, h, w, false), weights);
        int lh = c.extent("in.latents", 3);
        int lw = c.extent("in.latents", 4);
        Program decodeFirst = context.compile(WanAutoencoder.decoderGraph(config, lh, lw, true), weights);
        Program decodeNext = context.compile(WanAutoencoder.decoderGraph(config, lh, lw, false), weights);
        if (suffix.isEmpty()) {
            Run run = new Run(c, context, report, config, 0, batch, suffix);
            run.inside("encode", "in.video", "encoder.", encodeFirst.graph(), encodeNext.graph(), weights);
            run.inside("decode", "in.latents", "decoder.", decodeFirst.graph(), decodeNext.graph(), weights);
        }
        for (int item = 0; item < batch; item++) {
            Run run = new Run(c, context, report, config, item, batch, suffix);
            run.encode(encodeFirst, encodeNext);
            run.decode(decodeFirst, decodeNext);
        }
    }

    /** One video of the batch. Arrays are [C,T,H,W]. */
    private record Run(
            GoldenCase c,
            CheckContext context,
            CaseReport report,
            WanAutoencoderConfig config,
            int item,
            int batch,
            String suffix) {

        void encode(Program first, Program next) {
            int frames = c.extent("in.video", 2);
            int group = config.temporalFactor();
            List<Integer> small = new ArrayList<>(List.of(1));
            for (int f = 1; f < frames; f += group) {
                small.add(group);
            }
            Map<String, float[]> parts = stream("encode", "in.video", "features", first, next, small);
            compare("out.encode.moments", get(parts, "moments"));
            compare("out.encode.latents", get(parts, "latents"));
            int count = small.size();
            float[] moments = get(parts, "moments");
            compare("out.encode.mean", Arrays.copyOf(moments, moments.length / 2));
            float[] image = time(get(parts, "latents"), config.zDim(), count, 0, 1);
            compare("out.encode.image_latents", image);
            if (frames > 1) {
                Map<String, float[]> large = stream("", "in.video", "features", first, next, List.of(1, frames - 1));
                compare("out.encode.moments_1_plus_rest", get(large, "moments"));
                agree("encode, large against small chunks", get(large, "moments"), moments);
            }
        }

        void decode(Program first, Program next) {
            int count = c.extent("in.latents", 2);
            compare("out.decode.z", denormalised());
            List<Integer> small = new ArrayList<>();
            for (int k = 0; k < count; k++) {
                small.add(1);
            }
            Map<String, float[]> parts = stream("decode", "in.latents", "unclipped", first, next, small);
            compare("out.decode.video", get(parts, "frames"));
            compare("out.decode.video_unclamped", get(parts, "unclipped"));
            if (count > 1) {
                Map<String, float[]> large = stream("", "in.latents", "unclipped", first, next, List.of(1, count - 1));
                compare("out.decode.video_unclamped_1_plus_rest", get(large, "unclipped"));
                agree("decode, large against small chunks", get(large, "unclipped"), get(parts, "unclipped"));
            }
        }

        /** The latents on the scale of the encoder's means. */
        private float[] denormalised() {
            float[] z = Latents.part(c.floats("in.latents"), item, batch);
            int each = z.length / config.zDim();
            for (int i = 0; i < z.length; i++) {
                int channel = i / each;
                z[i] = (float) (z[i] * config.latentsStd().get(channel)
                        + config.latentsMean().get(channel));
            }
            return z;
        }

        /** All outputs, joined along time; compares what the case stores of single chunks and of caches. */
        private Map<String, float[]> stream(
                String way, String input, String perChunk, Program first, Program next, List<Integer> chunks) {
            long[] s = c.shape(input);
            int channels = (int) s[1];
            int total = (int) s[2];
            float[] all = Latents.part(c.floats(input), item, batch);
            Map<String, List<Tensor>> outputs = new LinkedHashMap<>();
            try (Scope scope = context.scope().child("stream");
                    WanAutoencoderStream stream = new WanAutoencoderStream(first, next, scope)) {
                int at = 0;
                for (int k = 0; k < chunks.size(); k++) {
                    int n = chunks.get(k);
                    HostTensor chunk =
                            HostTensor.ofFloats(time(all, channels, total, at, at + n), 1, channels, n, s[3], s[4]);
                    at += n;
                    Map<String, Tensor> out = stream.next(chunk, scope);
                    out.forEach((name, t) -> outputs.computeIfAbsent(name, x -> new ArrayList<>())
                            .add(t));
                    if (!way.isEmpty()) {
                        compare(
                                "out." + way + ".chunk." + k,
                                Objects.requireNonNull(out.get(perChunk)).toFloatArray());
                        String caches = "mid." + way + ".cache_after_chunk_" + k + ".";
                        for (Map.Entry<String, Tensor> cache : stream.caches().entrySet()) {
                            String slot = cache.getKey().substring(WanAutoencoder.CACHE.length());
                            compare(caches + slot, cache.getValue().toFloatArray());
                        }
                    }
                }
                Map<String, float[]> joined = new LinkedHashMap<>();
                outputs.forEach((name, list) -> joined.put(name, joined(list)));
                return joined;
            }
        }

        /** The stored results of modules during single chunks, by runs that give them out. */
        void inside(String way, String input, String part, Graph first, Graph next, Weights weights) {
            Map<String, Value> early = probes("mid." + way + ".chunk_0.", part, first);
            Map<String, Value> late = probes("mid." + way + ".chunk_1.", part, next);
            if (batch > 1 || (early.isEmpty() && late.isEmpty())) {
                return;
            }
            long[] s = c.shape(input);
            int group = way.equals("encode") ? config.temporalFactor() : 1;
            float[] all = c.floats(input);
            try (Scope scope = context.scope().child("probes");
                    WanAutoencoderStream stream = new WanAutoencoderStream(
                            context.compile(first.withOutputs(early), weights),
                            context.compile(next.withOutputs(late), weights),
                            scope)) {
                float[] one = time(all, (int) s[1], (int) s[2], 0, 1);
                compareAll(early, stream.next(HostTensor.ofFloats(one, 1, s[1], 1, s[3], s[4]), scope));
                if (s[2] > group) {
                    float[] more = time(all, (int) s[1], (int) s[2], 1, 1 + group);
                    compareAll(late, stream.next(HostTensor.ofFloats(more, 1, s[1], group, s[3], s[4]), scope));
                }
            }
        }

        /** The last value of each module that the case stores. */
        private Map<String, Value> probes(String prefix, String part, Graph graph) {
            Map<String, Value> found = new LinkedHashMap<>();
            for (String name : c.tensorNames(prefix)) {
                String module = part + name.substring(prefix.length()) + ".";
                for (Node n : graph.nodes()) {
                    if (n.name().startsWith(module)) {
                        found.put(name, n.output());
                    }
                }
            }
            return found;
        }

        private void compareAll(Map<String, Value> probes, Map<String, Tensor> out) {
            probes.keySet()
                    .forEach(n ->
                            compare(n, Objects.requireNonNull(out.get(n), n).toFloatArray()));
        }

        private static float[] joined(List<Tensor> parts) {
            int channels = (int) parts.get(0).shape()[1];
            int total = parts.stream().mapToInt(t -> (int) t.shape()[2]).sum();
            int place = (int) (parts.get(0).shape()[3] * parts.get(0).shape()[4]);
            float[] out = new float[channels * total * place];
            int at = 0;
            for (Tensor t : parts) {
                int n = (int) t.shape()[2];
                float[] v = t.toFloatArray();
                for (int ch = 0; ch < channels; ch++) {
                    System.arraycopy(v, ch * n * place, out, (ch * total + at) * place, n * place);
                }
                at += n;
            }
            return out;
        }

        /** Frames from (inclusive) to (exclusive) of [C,T,H,W]. */
        private static float[] time(float[] all, int channels, int total, int from, int to) {
            int place = all.length / (channels * total);
            int n = to - from;
            float[] out = new float[channels * n * place];
            for (int ch = 0; ch < channels; ch++) {
                System.arraycopy(all, (ch * total + from) * place, out, ch * n * place, n * place);
            }
            return out;
        }

        private static float[] get(Map<String, float[]> parts, String name) {
            return Objects.requireNonNull(parts.get(name), name);
        }

        private void compare(String name, float[] actual) {
            if (c.hasTensor(name)) {
                double[] expected = GoldenCase.widened(Latents.part(c.floats(name), item, batch));
                report.compare(name + suffix, name, GoldenCase.widened(actual), expected);
            }
        }

        private void agree(String label, float[] actual, float[] expected) {
            report.compare(
                    label + suffix, GoldenCase.widened(actual), GoldenCase.widened(expected), CaseReport.maxRel(1e-5));
        }
    }
}
