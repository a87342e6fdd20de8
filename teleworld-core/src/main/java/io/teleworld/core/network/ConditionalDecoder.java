package io.teleworld.core.network;

import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.graph.Dim;
import io.teleworld.graph.Graph;
import io.teleworld.graph.GraphBuilder;
import io.teleworld.graph.Value;
import io.teleworld.tensor.DType;
import java.util.List;

/**
 * The conditional tiny decoder (FlashVSR, arXiv 2510.12747): memory blocks as in {@link VideoAutoencoder}, fed by latents
 * and by the small pictures of the same group of frames. Stateless; the graphs are immutable.
 */
public final class ConditionalDecoder {

    private final GraphBuilder b;
    private final SuperResolutionConfig.Decoder config;
    private final MemoryBlockLayers layers;

    private ConditionalDecoder(
            GraphBuilder b, String prefix, SuperResolutionConfig.Decoder config, Dim batch, Dim steps) {
        this.b = b;
        this.config = config;
        this.layers = new MemoryBlockLayers(b, prefix + "decoder.", batch, steps);
    }

    /**
     * The decoder of an endless video: inputs {@code latents} [groups,C,h,w] and {@code frames} [4·groups,3,h·p,w·p] with
     * condition patches of p, output {@code decoded} [4·groups,3,…], not clipped. Keeps the blocks' memory in registers.
     */
    public static Graph graph(SuperResolutionConfig.Decoder config, int latentChannels, int height, int width) {
        GraphBuilder b = new GraphBuilder("conditional_decoder");
        Dim groups = Dim.symbol("groups");
        long p = config.conditionPatch();
        Value latents = b.input("latents", DType.F32, groups, Dim.of(latentChannels), Dim.of(height), Dim.of(width));
        Value frames = b.input(
                "frames",
                DType.F32,
                groups.times(SuperResolutionConfig.GROUP),
                Dim.of(3),
                Dim.of(height * p),
                Dim.of(width * p));
        b.output("decoded", pictures(b, config, cells(b, "", config, latents, frames, Dim.of(1), groups)));
        return b.build();
    }

    /**
     * Decodes {@code latents} [batch·groups,C,h,w] with {@code frames} [batch·groups·4,3,h·p,w·p] to pictures in cells of
     * the decoder's patch² pixels: [batch·groups·4,3·patch²,…], by colour, row and column. In a stream batch is 1, else
     * every clip starts without memory.
     */
    static Value cells(
            GraphBuilder b,
            String prefix,
            SuperResolutionConfig.Decoder config,
            Value latents,
            Value frames,
            Dim batch,
            Dim groups) {
        return new ConditionalDecoder(b, prefix, config, batch, groups).decoded(latents, frames);
    }

    /** Puts pictures together from their cells. */
    static Value pictures(GraphBuilder b, SuperResolutionConfig.Decoder config, Value cells) {
        return config.patch() == 1 ? cells : b.depthToSpace(cells, config.patch());
    }

    private Value decoded(Value latents, Value frames) {
        Value x = b.concat(1, condition(frames), latents);
        x = b.mul(b.tanh(b.mul(x, b.scalar(1.0 / 3))), b.scalar(3));
        layers.next();
        List<Stage> stages = config.stages();
        x = layers.relu(layers.convolution(x, stages.get(0).width(), 1, true));
        x = again(x);
        int space = 1;
        for (int s = 0; s < stages.size(); s++) {
            Stage stage = stages.get(s);
            for (int i = 0; i < stage.blocks(); i++) {
                x = layers.memoryBlock(x, stage.width());
            }
            x = layers.growAndEnlarge(x, stage.time(), stage.space());
            space *= stage.space();
            Integer detail = config.detailStage();
            if (detail != null && detail == s) {
                x = b.concat(1, x, detail(frames, space));
            }
            int next = s + 1 < stages.size() ? stages.get(s + 1).width() : config.headWidth();
            x = layers.convolution(x, next, 1, false);
        }
        x = again(layers.relu(x));
        return layers.convolution(x, 3L * config.patch() * config.patch(), 1, true);
    }

    /** Channels of a group's pictures, ordered by colour, frame, row and column: [n,3·4·p²,h,w]. */
    private Value condition(Value frames) {
        int p = config.conditionPatch();
        Value x = LowQualityProjection.unshuffled(b, frames, p);
        Dim n = layers.clips().times(layers.steps());
        Dim group = Dim.of(SuperResolutionConfig.GROUP);
        Dim colours = Dim.of(3);
        Dim cells = Dim.of((long) p * p);
        x = b.transpose(b.reshape(x, n, group, colours, cells, x.dim(2), x.dim(3)), 0, 2, 1, 3, 4, 5);
        return b.reshape(x, n, cells.times(3L * SuperResolutionConfig.GROUP), x.dim(4), x.dim(5));
    }

    /** The small pictures as channels at a resolution {@code space} times that of the latents. */
    private Value detail(Value frames, int space) {
        int p = config.conditionPatch();
        if (p % space != 0 || !frames.dim(0).equals(layers.clips().times(layers.steps()))) {
            throw new IllegalArgumentException("detail_stage has no resolution that pictures fold to: they are " + p
                    + " times the latents' size, the stage " + space + " times, and it must be at full frame rate");
        }
        return LowQualityProjection.unshuffled(b, frames, p / space);
    }

    private Value again(Value x) {
        if (!config.identityConvolutions()) {
            return x;
        }
        return layers.relu(layers.convolution(x, x.dim(1).known(), 1, false));
    }
}
