package io.teleworld.training.recipe;

import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.generate.SegmentLayout.PassKind;
import io.teleworld.core.generate.SegmentLayout.SequenceFrame;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Trains the video transformer by flow matching with teacher forcing: one sequence holds the given, guidance, noisy and
 * clean frames of a whole segment under the mask that makes it equal to generation pass by pass
 * ({@link SegmentLayout}); the loss is the mean squared error of the velocity n − x0 in noisy frames, weighted
 * by how far the truth is determined. Given and clean frames are those of the recorded roll-out. Confined to one thread.
 *
 * <p>A noise level is one of those that few-step generation visits, or follows the shifted uniform schedule; each stage of
 * each sample draws its own. At the visited levels this is also the regression of few-step distillation: x0 from the noisy
 * truth at the step list, with roll-outs of the model itself as context where the caches hold such.
 */
public final class TransformerObjective implements Objective, AutoCloseable {

    /**
     * What is drawn how often, and how much clean frames are spoilt.
     *
     * @param batch samples of a step
     * @param unguided share of steps without guidance
     * @param contextNoise largest deviation of the noise that is added to clean frames, so that generation's own errors
     *     are tolerated
     * @param scheduled share of noise levels that follow the shifted uniform schedule; the others are drawn from {@code
     *     steps}
     * @param shift of the noise schedule, at least 1
     * @param steps noise levels t/1000 that generation visits, each in (0, 1]
     */
    public record Options(
            int batch, double unguided, double contextNoise, double scheduled, double shift, List<Double> steps) {

        public Options {
            steps = List.copyOf(steps);
            if (batch < 1
                    || !(unguided >= 0 && unguided <= 1)
                    || !(scheduled >= 0 && scheduled <= 1)
                    || !(contextNoise >= 0)
                    || !(shift >= 1)) {
                throw new IllegalArgumentException("batch " + batch + ", unguided " + unguided + ", context noise "
                        + contextNoise + ", scheduled " + scheduled + ", shift " + shift + " are out of range");
            }
            if (steps.isEmpty() || steps.stream().anyMatch(s -> !(s > 0) || s > 1)) {
                throw new IllegalArgumentException("noise levels are " + steps + "; each must lie in (0, 1]");
            }
        }
    }

    private final VideoTransformerConfig config;
    private final GuidanceConfig guidance;
    private final List<SegmentPlan> plans;
    private final List<LatentCache> train;
    private final LatentCache held;
    private final float[] mean;
    private final float[] std;
    private final Options options;
    private final TorchModule net;

    /**
     * An objective.
     *
     * @param plans the ways of generating a segment; three steps of four take the first, else one of the others is drawn
     * @param train caches of one shape, each drawn equally often; borrowed
     * @param held segments to judge by; borrowed
     * @param mean per latent channel, subtracted from the cache's latents
     * @param std per latent channel, divides them then
     */
    public TransformerObjective(
            VideoTransformerConfig config,
            GuidanceConfig guidance,
            List<SegmentPlan> plans,
            Map<String, float[]> initial,
            List<LatentCache> train,
            LatentCache held,
            float[] mean,
            float[] std,
            Options options,
            String deviceId,
            Arithmetic arithmetic) {
        this.config = config;
        this.guidance = guidance;
        this.plans = List.copyOf(plans);
        this.train = List.copyOf(train);
        this.held = held;
        this.mean = mean.clone();
        this.std = std.clone();
        this.options = options;
        this.net = TorchModule.of(
                VideoTransformer.maskedGraph(
                        config, held.header().height(), held.header().width()),
                initial,
                deviceId,
                arithmetic);
    }

    /** Weights to start from: the network's own rules, with some heads that look at the same place. */
    public static Map<String, float[]> initialise(VideoTransformerConfig config, long seed) {
        Map<String, float[]> weights = new LinkedHashMap<>(VideoTransformer.initialise(config, seed));
        PositionalInitialisation.apply(config, weights);
        return weights;
    }

    /**
     * Weights for more input channels, behind those that they know; the new ones have no effect before training.
     *
     * @param inChannels at least those of {@code config}
     */
    public static Map<String, float[]> widen(
            VideoTransformerConfig config, Map<String, float[]> weights, int inChannels) {
        int known = config.inChannels();
        if (inChannels < known) {
            throw new IllegalArgumentException("input channels cannot be reduced from " + known + " to " + inChannels);
        }
        Map<String, float[]> wider = new LinkedHashMap<>(weights);
        wider.computeIfPresent("patch_embedding.weight", (name, old) -> {
            int patch = config.patchSize().stream().reduce(1, (a, b) -> a * b);
            float[] out = new float[old.length / known * inChannels];
            for (int row = 0; row < old.length / (known * patch); row++) {
                System.arraycopy(old, row * known * patch, out, row * inChannels * patch, known * patch);
            }
            return out;
        });
        return wider;
    }

    @Override
    public Map<String, Tensor> parameters() {
        return net.parameters();
    }

    @Override
    public int batchSize() {
        return options.batch();
    }

    @Override
    public Tensor loss(SplittableRandom random, Map<String, Double> metrics) {
        SegmentPlan plan = plans.get(0);
        if (plans.size() > 1 && random.nextInt(4) == 0) {
            plan = plans.get(1 + random.nextInt(plans.size() - 1));
        }
        boolean guided = random.nextDouble() >= options.unguided();
        LatentCache cache = train.get(random.nextInt(train.size()));
        Tensor loss = loss(
                cache,
                plan,
                guided,
                options.batch(),
                random,
                i -> random.nextInt(cache.header().segments()),
                null);
        metrics.put(guided ? "guided" : "unguided", (double) loss.item_float());
        return loss;
    }

    private interface Chooser {
        int segment(int sample);
    }

    /** @param fixedLevel the noise level of all frames, or null to draw them */
    private Tensor loss(
            LatentCache cache,
            SegmentPlan plan,
            boolean guided,
            int batch,
            SplittableRandom random,
            Chooser chooser,
            @org.jspecify.annotations.Nullable Double fixedLevel) {
        SegmentLayout layout = new SegmentLayout(plan, guidance, guided);
        List<SequenceFrame> sequence = layout.sequence();
        LatentCache.Header h = cache.header();
        int frames = sequence.size();
        int channels = h.channels();
        int masks = guidance.maskChannels();
        int area = h.height() * h.width();
        int inputs = guidance.inputChannels(channels);
        List<Integer> noisy = new ArrayList<>();
        for (int f = 0; f < frames; f++) {
            if (sequence.get(f).denoised()) {
                noisy.add(f);
            }
        }
        float[] latents = new float[batch * inputs * frames * area];
        float[] times = new float[batch * frames];
        float[] velocity = new float[batch * channels * noisy.size() * area];
        float[] weight = new float[batch * noisy.size() * area];
        LatentCache.Segment segment = LatentCache.Segment.of(h);
        float[] mask = segment.mask();
        for (int i = 0; i < batch; i++) {
            cache.read(chooser.segment(i), segment);
            normalise(segment.target(), channels, area);
            normalise(segment.context(), channels, area);
            normalise(segment.guidance(), channels, area);
            double[] level = new double[plan.stages().size()];
            for (int s = 0; s < level.length; s++) {
                level[s] = fixedLevel != null ? fixedLevel : drawLevel(random);
            }
            double spoil =
                    fixedLevel != null || random.nextBoolean() ? 0 : options.contextNoise() * random.nextDouble();
            int noisyIndex = 0;
            for (int f = 0; f < frames; f++) {
                SequenceFrame frame = sequence.get(f);
                int source = frame.frame() - 1;
                boolean isNoisy = frame.denoised();
                // Guidance in a noisy pass has the timestep of its targets, but no noise.
                double sigma = frame.kind() == PassKind.NOISY
                        ? level[layout.passes().get(frame.pass()).stage()]
                        : 0;
                times[i * frames + f] = (float) (1000 * sigma);
                float[] from = frame.guidance() ? segment.guidance() : isNoisy ? segment.target() : segment.context();
                for (int c = 0; c < channels; c++) {
                    int in = (source * channels + c) * area;
                    int out = ((i * inputs + c) * frames + f) * area;
                    int v = ((i * channels + c) * noisy.size() + noisyIndex) * area;
                    for (int p = 0; p < area; p++) {
                        float x0 = from[in + p];
                        if (isNoisy) {
                            float n = (float) random.nextGaussian();
                            latents[out + p] = (float) ((1 - sigma) * x0 + sigma * n);
                            velocity[v + p] = n - x0;
                        } else if (spoil > 0 && !frame.guidance()) {
                            latents[out + p] = (float) (x0 + spoil * random.nextGaussian());
                        } else {
                            latents[out + p] = x0;
                        }
                    }
                }
                for (int m = 0; m < masks; m++) {
                    int out = ((i * inputs + channels + m) * frames + f) * area;
                    int in = (source * h.maskChannels() + m) * area;
                    for (int p = 0; p < area; p++) {
                        latents[out + p] = frame.guidance() ? mask[in + p] : SegmentLayout.TARGET_MASK;
                    }
                }
                if (guidance.besideTarget() && !frame.guidance()) {
                    for (int c = 0; c < channels + masks; c++) {
                        int out = ((i * inputs + channels + masks + c) * frames + f) * area;
                        if (!guided) {
                            Arrays.fill(latents, out, out + area, c < channels ? 0 : SegmentLayout.TARGET_MASK);
                        } else if (c < channels) {
                            System.arraycopy(segment.guidance(), (source * channels + c) * area, latents, out, area);
                        } else {
                            int in = (source * h.maskChannels() + c - channels) * area;
                            System.arraycopy(mask, in, latents, out, area);
                        }
                    }
                }
                if (isNoisy) {
                    System.arraycopy(
                            segment.weight(), source * area, weight, (i * noisy.size() + noisyIndex) * area, area);
                    noisyIndex++;
                }
            }
        }
        Tensor out = velocityOf(latents, times, layout, sequence, batch, inputs, h);
        long[] index = noisy.stream().mapToLong(Integer::longValue).toArray();
        Tensor predicted =
                out.index_select(2, TorchTensors.to(TorchTensors.ofLongs(index, index.length), net.deviceId()));
        Tensor truth = TorchTensors.to(
                TorchTensors.ofFloats(velocity, batch, channels, index.length, h.height(), h.width()), net.deviceId());
        Tensor weights = TorchTensors.to(
                TorchTensors.ofFloats(weight, batch, 1, index.length, h.height(), h.width()), net.deviceId());
        double total = 0;
        for (float w : weight) {
            total += w;
        }
        Tensor errors = predicted.sub(truth).square().mul(weights).sum();
        return errors.div(new Scalar(Math.max(1, total) * channels));
    }

    /** The velocity [batch, channels, frames, h, w] of a whole sequence under the layout's mask. */
    Tensor velocityOf(
            float[] latents,
            float[] times,
            SegmentLayout layout,
            List<SequenceFrame> sequence,
            int batch,
            int inputs,
            LatentCache.Header h) {
        int frames = sequence.size();
        float[] positions = new float[frames];
        boolean[] visible = new boolean[frames * frames];
        boolean[][] attention = layout.attentionMask();
        for (int f = 0; f < frames; f++) {
            positions[f] = sequence.get(f).position();
            System.arraycopy(attention[f], 0, visible, f * frames, frames);
        }
        Map<String, Tensor> in = new LinkedHashMap<>();
        in.put("latents", TorchTensors.ofFloats(latents, batch, inputs, frames, h.height(), h.width()));
        in.put("timestep", TorchTensors.ofFloats(times, batch, frames));
        in.put("positions", TorchTensors.ofFloats(positions, frames));
        in.put("text", TorchTensors.zeros(batch, config.textLen(), config.textDim()));
        in.put("visibility", TorchTensors.ofBooleans(visible, frames, frames));
        in.replaceAll((n, t) -> TorchTensors.to(t, net.deviceId()));
        return AutoencoderObjective.output(net.forward(in), "velocity");
    }

    private double drawLevel(SplittableRandom random) {
        if (random.nextDouble() >= options.scheduled()) {
            return options.steps().get(random.nextInt(options.steps().size()));
        }
        double u = 1 - random.nextDouble();
        return options.shift() * u / (1 + (options.shift() - 1) * u);
    }

    private void normalise(float[] latents, int channels, int area) {
        for (int k = 0; k < latents.length; k++) {
            int c = k / area % channels;
            latents[k] = (latents[k] - mean[c]) / std[c];
        }
    }

    @Override
    public Map<String, Double> evaluate(Path folder, long step) {
        Map<String, Double> m = new TreeMap<>();
        int n = held.header().segments();
        for (double level : options.steps()) {
            for (boolean guided : new boolean[] {true, false}) {
                if (!guided && level < 1) {
                    continue;
                }
                double sum = 0;
                for (int i = 0; i < n; i++) {
                    int segment = i;
                    try (PointerScope scope = new PointerScope()) {
                        sum += loss(held, plans.get(0), guided, 1, new SplittableRandom(segment), k -> segment, level)
                                .item_float();
                    }
                }
                // Of latents with unit variance, so 1 means that nothing is known.
                m.put(
                        (guided ? "x0_error_t" : "unguided_x0_error_t") + Math.round(1000 * level),
                        level * level * sum / n);
            }
        }
        return m;
    }

    @Override
    public void close() {
        net.close();
    }
}
