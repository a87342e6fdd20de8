package io.teleworld.core.network;

import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Shape;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A tiny causal video autoencoder of memory blocks (TAEHV): every block sees its own input of one time step earlier,
 * which is all that has to be kept to stream. Stateless; the graphs are immutable.
 *
 * <p>Weights carry the names of the public checkpoint: {@code encoder.N.weight}, {@code decoder.N.conv.0.weight}, N
 * counting layers, activations included.
 *
 * <p>Latents that the graphs exchange are normalised by the configuration's statistics; the decoder bounds them by
 * 3·tanh(z/3).
 */
public final class VideoAutoencoder {

    private final GraphBuilder b;
    private final VideoAutoencoderConfig config;
    /** Clips per run; in a stream one clip of symbolic length. */
    private final MemoryBlockLayers layers;

    private VideoAutoencoder(GraphBuilder b, VideoAutoencoderConfig config, String part, Dim batch, Dim steps) {
        this.b = b;
        this.config = config;
        this.layers = new MemoryBlockLayers(b, part + ".", batch, steps);
    }

    /**
     * The encoder of an endless video. Input {@code frames} [4·frames,3,H,W] (whole groups), output {@code latents}
     * [frames,C,H/8,W/8]; 4 and 8 stand for the configuration's factors, {@code frames} is a symbol. Keeps the blocks'
     * memory in registers.
     */
    public static Graph encoderGraph(VideoAutoencoderConfig config, int height, int width) {
        Dim latents = Dim.symbol("frames");
        return encoder(config, height, width, Dim.of(1), latents);
    }

    /**
     * The encoder of whole clips, for training. Input {@code frames} [batch,4F,3,H,W], output {@code latents}
     * [batch,F,C,H/8,W/8]; memory starts at zero in each clip.
     *
     * @param latents F, at least 1
     */
    public static Graph encoderClipGraph(VideoAutoencoderConfig config, int height, int width, int latents) {
        return encoder(config, height, width, Dim.symbol("batch"), Dim.of(latents));
    }

    /**
     * The decoder of an endless video: input {@code latents} [frames,C,h,w], output {@code frames} [4·frames,3,8h,8w],
     * clipped to the range of pictures. Keeps the blocks' memory in registers.
     */
    public static Graph decoderGraph(VideoAutoencoderConfig config, int latentHeight, int latentWidth) {
        return decoder(config, latentHeight, latentWidth, Dim.of(1), Dim.symbol("frames"));
    }

    /**
     * The decoder of whole clips, for training: input {@code latents} [batch,F,C,h,w], output {@code frames}
     * [batch,4F,3,8h,8w], not clipped. With causal grouping the first 3 frames of each clip mean nothing.
     *
     * @param latents F, at least 1
     */
    public static Graph decoderClipGraph(
            VideoAutoencoderConfig config, int latentHeight, int latentWidth, int latents) {
        return decoder(config, latentHeight, latentWidth, Dim.symbol("batch"), Dim.of(latents));
    }

    /** Weights to start training from, encoder and decoder, by name. */
    public static Map<String, float[]> initialise(VideoAutoencoderConfig config, long seed) {
        // Each memory block starts near the identity, so that depth does not inflate the signal.
        double relu = Math.sqrt(2);
        ParameterInit init = ParameterInit.empty()
                .with(".*\\.bias", new ParameterInit.Rule.Constant(0))
                .with(".*\\.conv\\.[02]\\.weight", new ParameterInit.Rule.FanIn(relu))
                .with(".*\\.conv\\.4\\.weight", new ParameterInit.Rule.FanIn(0.2))
                .with(".*\\.weight", new ParameterInit.Rule.FanIn(1));
        int f = config.spatialFactor();
        Map<String, float[]> out = new LinkedHashMap<>(init.draw(encoderClipGraph(config, f, f, 1), seed));
        out.putAll(init.draw(decoderClipGraph(config, 1, 1, 1), seed));
        return out;
    }

    private static Graph encoder(VideoAutoencoderConfig config, int height, int width, Dim batch, Dim latents) {
        int factor = config.spatialFactor();
        if (height < factor || width < factor || height % factor != 0 || width % factor != 0) {
            throw new IllegalArgumentException("picture is " + height + "×" + width + " (height × width); both must be"
                    + " positive multiples of " + factor);
        }
        GraphBuilder b = new GraphBuilder("video_encoder");
        Dim steps = latents.times(config.temporalFactor());
        VideoAutoencoder net = new VideoAutoencoder(b, config, "encoder", batch, steps);
        Shape frame = Shape.of(config.imageChannels(), height, width);
        Value x = net.foldedInput("frames", frame);
        x = net.spaceToDepth(x);
        MemoryBlockLayers layers = net.layers;
        x = layers.relu(layers.convolution(x, config.encoderStemWidth(), 1, true));
        for (Stage stage : config.encoderStages()) {
            x = layers.pool(x, stage.time());
            x = layers.convolution(x, stage.width(), stage.space(), false);
            for (int i = 0; i < stage.blocks(); i++) {
                x = layers.memoryBlock(x, stage.width());
            }
        }
        x = layers.convolution(x, config.latentChannels(), 1, true);
        if (!config.latentsMean().isEmpty()) {
            x = b.div(b.sub(x, net.channels(config.latentsMean())), net.channels(config.latentsStd()));
        }
        b.output("latents", net.unfolded(x));
        return b.build();
    }

    private static Graph decoder(VideoAutoencoderConfig config, int height, int width, Dim batch, Dim latents) {
        if (height < 1 || width < 1) {
            throw new IllegalArgumentException(
                    "latent is " + height + "×" + width + " (height × width); both must be positive");
        }
        GraphBuilder b = new GraphBuilder("video_decoder");
        VideoAutoencoder net = new VideoAutoencoder(b, config, "decoder", batch, latents);
        Value x = net.foldedInput("latents", Shape.of(config.latentChannels(), height, width));
        if (!config.latentsMean().isEmpty()) {
            x = b.add(b.mul(x, net.channels(config.latentsStd())), net.channels(config.latentsMean()));
        }
        x = b.mul(b.tanh(b.mul(x, b.scalar(1.0 / 3))), b.scalar(3));
        MemoryBlockLayers layers = net.layers;
        layers.next();
        List<Stage> stages = config.decoderStages();
        x = layers.relu(layers.convolution(x, stages.get(0).width(), 1, true));
        for (int s = 0; s < stages.size(); s++) {
            Stage stage = stages.get(s);
            for (int i = 0; i < stage.blocks(); i++) {
                x = layers.memoryBlock(x, stage.width());
            }
            x = layers.growAndEnlarge(x, stage.time(), stage.space());
            int next = s + 1 < stages.size() ? stages.get(s + 1).width() : config.decoderHeadWidth();
            x = layers.convolution(x, next, 1, false);
        }
        x = layers.relu(x);
        int p = config.patchSize();
        x = layers.convolution(x, (long) config.imageChannels() * p * p, 1, true);
        x = p == 1 ? x : b.depthToSpace(x, p);
        if (layers.stream()) {
            x = b.clip(x, config.unitRange() ? 0 : -1, 1);
        }
        b.output("frames", net.unfolded(x));
        return b.build();
    }

    // ------------------------------------------------------------------------------------------ layers

    /** Declares the input and folds clips into the first axis: [clips·steps,C,H,W]. */
    private Value foldedInput(String name, Shape frame) {
        List<Dim> dims =
                new ArrayList<>(layers.stream() ? List.of(layers.steps()) : List.of(layers.clips(), layers.steps()));
        dims.addAll(frame.dims());
        Value x = b.input(name, DType.F32, new Shape(dims));
        return b.reshape(x, layers.clips().times(layers.steps()), frame.dim(0), frame.dim(1), frame.dim(2));
    }

    private Value unfolded(Value x) {
        return layers.stream() ? x : b.reshape(x, layers.clips(), layers.steps(), x.dim(1), x.dim(2), x.dim(3));
    }

    private Value channels(List<Double> values) {
        float[] v = new float[values.size()];
        for (int i = 0; i < v.length; i++) {
            v[i] = values.get(i).floatValue();
        }
        return b.constant(v, 1, v.length, 1, 1);
    }

    private Value spaceToDepth(Value x) {
        int p = config.patchSize();
        if (p == 1) {
            return x;
        }
        Dim n = x.dim(0);
        Dim c = x.dim(1);
        Dim h = x.dim(2).dividedBy(p);
        Dim w = x.dim(3).dividedBy(p);
        Dim side = Dim.of(p);
        Value blocks = b.transpose(b.reshape(x, n, c, h, side, w, side), 0, 1, 3, 5, 2, 4);
        return b.reshape(blocks, n, c.times((long) p * p), h, w);
    }
}
