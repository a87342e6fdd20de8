package io.teleworld.training.recipe;

import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.generate.SegmentLayout.SequenceFrame;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.WorldStyle;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;

/**
 * Recorded segments as one sequence for the video transformer's masked graph: the frames of all passes, of which those
 * being denoised are filled by the caller. Mutable; confined to one thread.
 *
 * <p>Arrays over the frames being denoised are [batch, channels, frame, h, w], in the order of the sequence.
 */
final class SegmentBatch {

    private final SegmentLayout layout;
    private final GuidanceConfig guidance;
    private final LatentCache.Header header;
    private final List<SequenceFrame> sequence;
    private final List<Integer> denoised = new ArrayList<>();
    private final int batch;
    private final int channels;
    private final int area;
    private final int inputs;
    private final float[] latents;
    private final float[] times;
    private final float[] target;
    private final float[] weight;
    private final float[] known;
    private final List<Optional<WorldStyle>> styles = new ArrayList<>();

    /** A batch without segments. */
    SegmentBatch(SegmentPlan plan, GuidanceConfig guidance, boolean guided, int batch, LatentCache.Header header) {
        this.layout = new SegmentLayout(plan, guidance, guided);
        this.guidance = guidance;
        this.header = header;
        this.sequence = layout.sequence();
        this.batch = batch;
        this.channels = header.channels();
        this.area = header.height() * header.width();
        this.inputs = guidance.inputChannels(channels);
        for (int f = 0; f < sequence.size(); f++) {
            if (sequence.get(f).denoised()) {
                denoised.add(f);
            }
        }
        this.latents = new float[batch * inputs * sequence.size() * area];
        this.times = new float[batch * sequence.size()];
        this.target = new float[batch * channels * denoised.size() * area];
        this.weight = new float[batch * denoised.size() * area];
        this.known = new float[batch * denoised.size() * area];
        for (int i = 0; i < batch; i++) {
            styles.add(Optional.empty());
        }
    }

    /** Tells the transformer what a segment looks like; without this, nothing. */
    void style(int index, Optional<WorldStyle> style) {
        styles.set(index, style);
    }

    /**
     * Fills in a segment.
     *
     * @param index place in the batch
     * @param segment normalised latents
     * @param spoil deviation of the noise that is added to clean frames
     */
    void put(int index, LatentCache.Segment segment, double spoil, SplittableRandom random) {
        int frames = sequence.size();
        int masks = guidance.maskChannels();
        int place = 0;
        for (int f = 0; f < frames; f++) {
            SequenceFrame frame = sequence.get(f);
            int source = frame.frame() - 1;
            if (frame.denoised()) {
                for (int c = 0; c < channels; c++) {
                    System.arraycopy(
                            segment.target(), (source * channels + c) * area, target, at(index, c, place), area);
                }
                int cell = (index * denoised.size() + place) * area;
                System.arraycopy(segment.weight(), source * area, weight, cell, area);
                if (masks > 0 && layout.guided()) {
                    System.arraycopy(segment.mask(), source * header.maskChannels() * area, known, cell, area);
                }
                place++;
            } else {
                float[] from = frame.guidance() ? segment.guidance() : segment.context();
                for (int c = 0; c < channels; c++) {
                    int in = (source * channels + c) * area;
                    int out = input(index, c, f);
                    for (int p = 0; p < area; p++) {
                        latents[out + p] = from[in + p];
                        if (spoil > 0 && !frame.guidance()) {
                            latents[out + p] += (float) (spoil * random.nextGaussian());
                        }
                    }
                }
            }
            for (int m = 0; m < masks; m++) {
                int out = input(index, channels + m, f);
                if (frame.guidance()) {
                    System.arraycopy(segment.mask(), (source * header.maskChannels() + m) * area, latents, out, area);
                } else {
                    Arrays.fill(latents, out, out + area, SegmentLayout.TARGET_MASK);
                }
            }
            if (guidance.besideTarget() && !frame.guidance()) {
                putBeside(index, f, segment);
            }
        }
    }

    private void putBeside(int index, int f, LatentCache.Segment segment) {
        int source = sequence.get(f).frame() - 1;
        int masks = guidance.maskChannels();
        for (int c = 0; c < channels + masks; c++) {
            int out = input(index, channels + masks + c, f);
            if (!layout.guided()) {
                Arrays.fill(latents, out, out + area, c < channels ? 0 : SegmentLayout.TARGET_MASK);
            } else if (c < channels) {
                System.arraycopy(segment.guidance(), (source * channels + c) * area, latents, out, area);
            } else {
                int in = (source * header.maskChannels() + c - channels) * area;
                System.arraycopy(segment.mask(), in, latents, out, area);
            }
        }
    }

    /**
     * Sets what stands in the frames being denoised, and the noise level of their passes.
     *
     * @param noisy as {@link #target()}
     * @param levels σ per sample and stage of the plan
     */
    void noisy(float[] noisy, double[][] levels) {
        int frames = sequence.size();
        for (int i = 0; i < batch; i++) {
            int place = 0;
            for (int f = 0; f < frames; f++) {
                SequenceFrame frame = sequence.get(f);
                // Guidance in a noisy pass has the timestep of its targets, but no noise.
                if (frame.kind() == PassKind.NOISY) {
                    times[i * frames + f] = (float) (1000 * levels[i][stage(f)]);
                }
                if (frame.denoised()) {
                    for (int c = 0; c < channels; c++) {
                        System.arraycopy(noisy, at(i, c, place), latents, input(i, c, f), area);
                    }
                    place++;
                }
            }
        }
    }

    /** The velocity [batch, channels, frame, h, w] of the frames being denoised. */
    Tensor velocity(TorchModule net, VideoTransformerConfig config) {
        long[] index = denoised.stream().mapToLong(Integer::longValue).toArray();
        return velocity(net, config, layout, header, latents, times, styles)
                .index_select(2, TorchTensors.to(TorchTensors.ofLongs(index, index.length), net.deviceId()));
    }

    /**
     * The velocity [batch, channels, frames, h, w] of a whole sequence under the layout's mask.
     *
     * @param latents [batch, input channels, frames, h, w]
     * @param times [batch, frames]
     * @param styles one per sample
     */
    static Tensor velocity(
            TorchModule net,
            VideoTransformerConfig config,
            SegmentLayout layout,
            LatentCache.Header header,
            float[] latents,
            float[] times,
            List<Optional<WorldStyle>> styles) {
        List<SequenceFrame> sequence = layout.sequence();
        int frames = sequence.size();
        int batch = times.length / frames;
        float[] positions = new float[frames];
        boolean[] visible = new boolean[frames * frames];
        boolean[][] attention = layout.attentionMask();
        for (int f = 0; f < frames; f++) {
            positions[f] = sequence.get(f).position();
            System.arraycopy(attention[f], 0, visible, f * frames, frames);
        }
        Map<String, Tensor> in = new LinkedHashMap<>();
        in.put(
                "latents",
                TorchTensors.ofFloats(latents, batch, config.inChannels(), frames, header.height(), header.width()));
        in.put("timestep", TorchTensors.ofFloats(times, batch, frames));
        in.put("positions", TorchTensors.ofFloats(positions, frames));
        in.put("text", TorchTensors.ofFloats(text(styles, config), batch, config.textLen(), config.textDim()));
        in.put("visibility", TorchTensors.ofBooleans(visible, frames, frames));
        in.replaceAll((n, t) -> TorchTensors.to(t, net.deviceId()));
        return AutoencoderObjective.output(net.forward(in), "velocity");
    }

    /** Zeros where there is no style. */
    private static float[] text(List<Optional<WorldStyle>> styles, VideoTransformerConfig config) {
        int each = config.textLen() * config.textDim();
        float[] text = new float[styles.size() * each];
        for (int i = 0; i < styles.size(); i++) {
            if (styles.get(i).isPresent()) {
                float[] own = styles.get(i)
                        .get()
                        .embedding(config.textLen(), config.textDim())
                        .toFloatArray();
                System.arraycopy(own, 0, text, i * each, each);
            }
        }
        return text;
    }

    /** A tensor over the frames being denoised, as {@link #target()}. */
    Tensor tensor(float[] values, String deviceId) {
        return tensor(values, channels, deviceId);
    }

    /** A tensor over their cells, as {@link #weight()}. */
    Tensor cells(float[] values, String deviceId) {
        return tensor(values, 1, deviceId);
    }

    /** A tensor of {@code width} channels over the frames being denoised. */
    Tensor tensor(float[] values, int width, String deviceId) {
        return TorchTensors.to(
                TorchTensors.ofFloats(values, batch, width, denoised.size(), header.height(), header.width()),
                deviceId);
    }

    /** The segment's frame, from 1, that stands at a place among those being denoised. */
    int frameOf(int place) {
        return sequence.get(denoised.get(place)).frame();
    }

    /**
     * What the frames being denoised are told beside their own latents, [batch, channels, frame, h, w]: the segment's given
     * frame, and what stands beside the target of guidance latents and masks.
     */
    float[] conditions() {
        int masks = guidance.maskChannels();
        int width = conditionChannels();
        float[] out = new float[batch * width * denoised.size() * area];
        int given = given();
        for (int i = 0; i < batch; i++) {
            for (int place = 0; place < denoised.size(); place++) {
                for (int c = 0; c < width; c++) {
                    int from = c < channels ? input(i, c, given) : input(i, masks + c, denoised.get(place));
                    System.arraycopy(latents, from, out, ((i * width + c) * denoised.size() + place) * area, area);
                }
            }
        }
        return out;
    }

    /** The channels of {@link #conditions()}. */
    int conditionChannels() {
        return conditionChannels(guidance, channels);
    }

    static int conditionChannels(GuidanceConfig guidance, int channels) {
        return channels + (guidance.besideTarget() ? channels + guidance.maskChannels() : 0);
    }

    /** The place in the sequence of the first frame, clean. */
    private int given() {
        for (int f = 0; f < sequence.size(); f++) {
            SequenceFrame frame = sequence.get(f);
            if (!frame.denoised() && !frame.guidance() && frame.frame() == 1) {
                return f;
            }
        }
        throw new IllegalStateException("the sequence has no given frame");
    }

    /** Where a channel of a frame being denoised begins in {@link #target()}. */
    int at(int index, int channel, int place) {
        return ((index * channels + channel) * denoised.size() + place) * area;
    }

    private int input(int index, int channel, int frame) {
        return ((index * inputs + channel) * sequence.size() + frame) * area;
    }

    private int stage(int frame) {
        return layout.passes().get(sequence.get(frame).pass()).stage();
    }

    /** The stage of the plan that makes a frame being denoised. */
    int stageOf(int place) {
        return stage(denoised.get(place));
    }

    /** The number of frames being denoised in a sample. */
    int places() {
        return denoised.size();
    }

    int batch() {
        return batch;
    }

    int channels() {
        return channels;
    }

    /** Cells of a latent frame. */
    int area() {
        return area;
    }

    /** Latent columns. */
    int width() {
        return header.width();
    }

    /** Stages of the plan. */
    int stages() {
        return layout.plan().stages().size();
    }

    /** The truth; not copied. */
    float[] target() {
        return target;
    }

    /** How far the truth counts, [batch, frame, h, w] in [0, 1]; not copied. */
    float[] weight() {
        return weight;
    }

    /** The share of each cell that guidance knows, [batch, frame, h, w] in [0, 1]; 0 without guidance; not copied. */
    float[] known() {
        return known;
    }

    /** Latents as the transformer wants them: unit variance per channel. */
    static void normalise(LatentCache.Segment segment, LatentCache.Header header, float[] mean, float[] std) {
        int area = header.height() * header.width();
        for (float[] latents : List.of(segment.target(), segment.context(), segment.guidance())) {
            for (int k = 0; k < latents.length; k++) {
                int c = k / area % header.channels();
                latents[k] = (latents[k] - mean[c]) / std[c];
            }
        }
    }
}
