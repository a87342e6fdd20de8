package io.teleworld.training.recipe;

import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.graph.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Widens the decoder of a trained autoencoder so that it gives at first what it gave before (Net2Net, arXiv 1511.05641):
 * channels are added that nothing reads yet, with weights as for a new network. Stateless.
 */
public final class DecoderGrowth {

    private DecoderGrowth() {}

    /**
     * The sizes of an autoencoder whose decoder is as wide as another's, nowhere narrower than it was.
     *
     * @throws IllegalArgumentException if the two decoders differ in more than their widths
     */
    public static VideoAutoencoderConfig sizes(VideoAutoencoderConfig from, VideoAutoencoderConfig wide) {
        List<Stage> stages = new ArrayList<>();
        boolean alike = from.decoderStages().size() == wide.decoderStages().size();
        for (int i = 0; alike && i < from.decoderStages().size(); i++) {
            Stage old = from.decoderStages().get(i);
            Stage target = wide.decoderStages().get(i);
            alike = old.blocks() == target.blocks() && old.space() == target.space() && old.time() == target.time();
            stages.add(new Stage(Math.max(old.width(), target.width()), old.blocks(), old.space(), old.time()));
        }
        if (!alike) {
            throw new IllegalArgumentException("the decoder's stages are " + from.decoderStages() + ", wanted are "
                    + wide.decoderStages() + "; only their widths may differ");
        }
        return new VideoAutoencoderConfig(
                from.imageChannels(),
                from.latentChannels(),
                from.patchSize(),
                from.encoderStemWidth(),
                from.encoderStages(),
                stages,
                Math.max(from.decoderHeadWidth(), wide.decoderHeadWidth()),
                from.unitRange(),
                from.grouping(),
                from.latentsMean(),
                from.latentsStd());
    }

    /**
     * The weights of the wider autoencoder by name: the encoder's as they are, the decoder's among new ones.
     *
     * @param wide of {@link #sizes}
     * @param seed of the new weights
     */
    public static Map<String, float[]> widened(
            VideoAutoencoderConfig from, Map<String, float[]> weights, VideoAutoencoderConfig wide, long seed) {
        Map<String, float[]> out = new LinkedHashMap<>(VideoAutoencoder.initialise(wide, seed));
        weights.forEach((n, w) -> {
            if (n.startsWith("encoder.")) {
                out.put(n, w.clone());
            }
        });
        Map<String, Value> old =
                VideoAutoencoder.decoderClipGraph(from, 1, 1, 1).parameters();
        VideoAutoencoder.decoderClipGraph(wide, 1, 1, 1)
                .parameters()
                .forEach((n, v) -> place(
                        n,
                        AutoencoderObjective.required(weights, n),
                        extents(AutoencoderObjective.required(old, n)),
                        AutoencoderObjective.required(out, n),
                        extents(v)));
        return out;
    }

    private static int[] extents(Value v) {
        int[] e = {1, 1, 1};
        for (int i = 0; i < v.shape().rank(); i++) {
            int axis = Math.min(i, 2);
            e[axis] = Math.toIntExact(e[axis] * v.shape().dim(i).known());
        }
        return e;
    }

    /** Puts old weights [out,in,taps] among new ones; old results do not read new channels. */
    private static void place(String name, float[] old, int[] from, float[] wide, int[] to) {
        // A memory block joins its input and the past one; a grown time step's channels follow those of the one before.
        int inParts = name.endsWith(".conv.0.weight") ? 2 : 1;
        int outParts = name.endsWith(".conv.weight") ? from[0] / from[1] : 1;
        for (int o = 0; o < from[0]; o++) {
            int row = moved(o, from[0], to[0], outParts);
            Arrays.fill(wide, row * to[1] * to[2], (row + 1) * to[1] * to[2], 0);
            for (int i = 0; i < from[1]; i++) {
                int column = moved(i, from[1], to[1], inParts);
                System.arraycopy(old, (o * from[1] + i) * from[2], wide, (row * to[1] + column) * to[2], from[2]);
            }
        }
    }

    private static int moved(int index, int from, int to, int parts) {
        int part = from / parts;
        return index / part * (to / parts) + index % part;
    }
}
