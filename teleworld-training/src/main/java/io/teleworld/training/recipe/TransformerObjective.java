package io.teleworld.training.recipe;

import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.WorldStyle;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
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
                told -> random.nextDouble() < FewStepRollOut.STYLED ? told : Optional.empty(),
                null);
        metrics.put(guided ? "guided" : "unguided", (double) loss.item_float());
        return loss;
    }

    private interface Chooser {
        int segment(int sample);
    }

    /**
     * @param told what is said of a segment's style
     * @param fixedLevel the noise level of all frames, or null to draw them
     */
    private Tensor loss(
            LatentCache cache,
            SegmentPlan plan,
            boolean guided,
            int batch,
            SplittableRandom random,
            Chooser chooser,
            UnaryOperator<Optional<WorldStyle>> told,
            @org.jspecify.annotations.Nullable Double fixedLevel) {
        LatentCache.Header h = cache.header();
        SegmentBatch segments = new SegmentBatch(plan, guidance, guided, batch, h);
        LatentCache.Segment segment = LatentCache.Segment.of(h);
        double[][] levels = new double[batch][plan.stages().size()];
        for (int i = 0; i < batch; i++) {
            int chosen = chooser.segment(i);
            cache.read(chosen, segment);
            Optional<WorldStyle> style = cache.style(chosen);
            if (style.isPresent()) {
                segments.style(i, told.apply(style));
            }
            SegmentBatch.normalise(segment, h, mean, std);
            for (int s = 0; s < levels[i].length; s++) {
                levels[i][s] = fixedLevel != null ? fixedLevel : drawLevel(random);
            }
            double spoil =
                    fixedLevel != null || random.nextBoolean() ? 0 : options.contextNoise() * random.nextDouble();
            segments.put(i, segment, spoil, random);
        }
        float[] x0 = segments.target();
        float[] noisy = new float[x0.length];
        float[] velocity = new float[x0.length];
        int frame = segments.area();
        for (int k = 0; k < x0.length; k++) {
            int place = k / frame % segments.places();
            int sample = k / (frame * segments.places() * segments.channels());
            double sigma = levels[sample][segments.stageOf(place)];
            float n = (float) random.nextGaussian();
            noisy[k] = (float) ((1 - sigma) * x0[k] + sigma * n);
            velocity[k] = n - x0[k];
        }
        segments.noisy(noisy, levels);
        Tensor predicted = segments.velocity(net, config);
        Tensor truth = segments.tensor(velocity, net.deviceId());
        Tensor weights = segments.cells(segments.weight(), net.deviceId());
        double total = 0;
        for (float w : segments.weight()) {
            total += w;
        }
        Tensor errors = predicted.sub(truth).square().mul(weights).sum();
        return errors.div(new Scalar(Math.max(1, total) * h.channels()));
    }

    /** The velocity of a whole sequence, see {@link SegmentBatch#velocity}. */
    Tensor velocityOf(float[] latents, float[] times, SegmentLayout layout) {
        int batch = times.length / layout.sequence().size();
        return SegmentBatch.velocity(
                net, config, layout, held.header(), latents, times, Collections.nCopies(batch, Optional.empty()));
    }

    private double drawLevel(SplittableRandom random) {
        if (random.nextDouble() >= options.scheduled()) {
            return options.steps().get(random.nextInt(options.steps().size()));
        }
        double u = 1 - random.nextDouble();
        return options.shift() * u / (1 + (options.shift() - 1) * u);
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
                    sum += error(i, guided, level, s -> Optional.empty());
                }
                // Of latents with unit variance, so 1 means that nothing is known.
                m.put(
                        (guided ? "x0_error_t" : "unguided_x0_error_t") + Math.round(1000 * level),
                        level * level * sum / n);
            }
        }
        styles(m);
        return m;
    }

    /** The error of pure noise without guidance, told the segment's style and told another. */
    private void styles(Map<String, Double> m) {
        double right = 0;
        double wrong = 0;
        int counted = 0;
        for (int i = 0; i < held.header().segments(); i++) {
            if (held.style(i).isPresent()) {
                right += error(i, false, 1, s -> s);
                wrong += error(i, false, 1, s -> s.map(WorldStyle::next));
                counted++;
            }
        }
        if (counted > 0) {
            m.put("unguided_x0_error_styled", right / counted);
            m.put("unguided_x0_error_other_style", wrong / counted);
        }
    }

    private double error(int segment, boolean guided, double level, UnaryOperator<Optional<WorldStyle>> told) {
        try (PointerScope scope = new PointerScope()) {
            return loss(held, plans.get(0), guided, 1, new SplittableRandom(segment), k -> segment, told, level)
                    .item_float();
        }
    }

    @Override
    public void close() {
        net.close();
    }
}
