package io.teleworld.examples;

import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.core.network.WindowTransformer;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Node;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Networks with what comes before and after them in one graph, so that a runtime does all of it on its device: the
 * sampler's step behind the transformer, the conversion to bytes behind the decoder and behind super-resolution.
 * Stateless.
 */
final class Grafts {

    private Grafts() {}

    /**
     * Puts a graph into another one.
     *
     * @param given values for its inputs; the others are declared under their own names
     * @return its outputs by name
     */
    static Map<String, Value> graft(GraphBuilder b, Graph graph, Map<String, Value> given) {
        Map<Value, Value> moved = new HashMap<>();
        graph.inputs().forEach((n, v) -> {
            Value own = given.get(n);
            moved.put(v, own == null ? b.input(n, v.dtype(), v.shape()) : own);
        });
        graph.parameters().forEach((n, v) -> moved.put(v, b.parameter(n, v.dtype(), v.shape())));
        graph.constants().forEach((v, c) -> moved.put(v, b.constant(c)));
        for (Node node : graph.nodes()) {
            List<Value> out = b.apply(
                    node.op(),
                    node.inputs().stream()
                            .map(v -> Objects.requireNonNull(moved.get(v), node.name()))
                            .toList());
            for (int i = 0; i < out.size(); i++) {
                moved.put(node.outputs().get(i), out.get(i));
            }
        }
        Map<String, Value> outputs = new LinkedHashMap<>();
        graph.outputs().forEach((n, v) -> outputs.put(n, Objects.requireNonNull(moved.get(v), n)));
        return outputs;
    }

    /**
     * The transformer and a step of few-step sampling: x₀ = x − σ·v, then (1 − σ′)·x₀ + σ′·noise with the next level σ′.
     * Inputs of {@link VideoTransformer#cachedGraph}, {@code sigma} [1], {@code next} [1] and {@code noise} like
     * {@code latents}; output {@code latents} of the next level.
     */
    static Graph step(VideoTransformerConfig config, int height, int width, int capacity) {
        Graph network = VideoTransformer.cachedGraph(config, height, width, capacity);
        GraphBuilder b = new GraphBuilder("transformer_step");
        Value declared = Objects.requireNonNull(network.inputs().get("latents"), "latents");
        Value x = b.input("latents", DType.F32, declared.shape());
        Value noise = b.input("noise", DType.F32, declared.shape());
        Value sigma = b.input("sigma", DType.F32, Dim.of(1));
        Value next = b.input("next", DType.F32, Dim.of(1));
        Value v = Objects.requireNonNull(graft(b, network, Map.of("latents", x)).get("velocity"), "velocity");
        Value clean = b.sub(x, b.mul(v, sigma));
        b.output("latents", b.add(b.mul(clean, b.sub(b.scalar(1), next)), b.mul(noise, next)));
        return b.build();
    }

    /**
     * The streaming decoder from the transformer's layout to bytes: input {@code latents} [1,C,frames,h,w], output
     * {@code pixels} I32 [4·frames,8h,8w], R | G≪8 | B≪16.
     */
    static Graph pictures(VideoAutoencoderConfig config, int latentHeight, int latentWidth) {
        GraphBuilder b = new GraphBuilder("decoder_to_bytes");
        Dim frames = Dim.symbol("frames");
        Value x = b.input(
                "latents",
                DType.F32,
                Dim.of(1),
                Dim.of(config.latentChannels()),
                frames,
                Dim.of(latentHeight),
                Dim.of(latentWidth));
        Value rows = b.reshape(
                b.transpose(x, 0, 2, 1, 3, 4),
                frames,
                Dim.of(config.latentChannels()),
                Dim.of(latentHeight),
                Dim.of(latentWidth));
        Value y = Objects.requireNonNull(
                graft(b, VideoAutoencoder.decoderGraph(config, latentHeight, latentWidth), Map.of("latents", rows))
                        .get("frames"),
                "frames");
        b.output("pixels", pixels(b, y, config.unitRange()));
        return b.build();
    }

    /**
     * Super-resolution of a group to bytes, without the padding at the bottom and on the right: inputs of
     * {@link SuperResolutionNet#streamGraph}, output {@code pixels} I32 [4,shownHeight,shownWidth].
     */
    static Graph enlarged(SuperResolutionConfig config, int height, int width, int shownHeight, int shownWidth) {
        GraphBuilder b = new GraphBuilder("super_resolution_to_bytes");
        Graph network = SuperResolutionNet.streamGraph(config, height, width, WindowTransformer.Attention.NEIGHBOURS);
        Value y = Objects.requireNonNull(graft(b, network, Map.of()).get("enlarged"), "enlarged");
        y = b.slice(b.slice(y, 2, 0, shownHeight), 3, 0, shownWidth);
        b.output("pixels", pixels(b, y, false));
        return b.build();
    }

    /** Pictures [n,3,H,W] as I32 [n,H,W]. Sums stay below 2²⁴, where fp32 has every integer. */
    private static Value pixels(GraphBuilder b, Value x, boolean unitRange) {
        Value scaled = unitRange
                ? b.add(b.mul(x, b.scalar(255)), b.scalar(0.5))
                : b.add(b.mul(x, b.scalar(127.5)), b.scalar(128));
        Value bytes = b.cast(b.cast(b.clip(scaled, 0, 255), DType.I32), DType.F32);
        Value places = b.constant(new float[] {1, 1 << 8, 1 << 16}, 3, 1, 1);
        return b.cast(b.reduceSum(b.mul(bytes, places), false, 1), DType.I32);
    }
}
