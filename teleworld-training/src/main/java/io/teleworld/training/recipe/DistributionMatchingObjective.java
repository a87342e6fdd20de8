package io.teleworld.training.recipe;

import io.teleworld.SegmentPlan;
import io.teleworld.core.diffusion.DistributionMatching;
import io.teleworld.core.diffusion.FlowMatchScheduler;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.optim.AdamW;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.optim.OptimizerGroup;
import io.teleworld.training.optim.ParameterGroups;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Distils the video transformer into few steps by matching distributions (DMD2, arXiv 2405.14867, with self-forced
 * roll-outs, arXiv 2506.08009): a generator is moved along the difference between what a frozen teacher and a critic make
 * of its noised samples; the critic learns the generator's distribution by flow matching, several updates for each of the
 * generator's.
 *
 * <p>A sample begins as noise and takes the generator's own steps up to a drawn exit, of which only the last has a
 * gradient. The frames that later stages see are those of recorded roll-outs, as constants. Where guidance knows a cell,
 * the truth may hold the generator too ({@link Options#regression}): distributions say nothing about which of the likely
 * pictures is the true one. Confined to one thread.
 */
public final class DistributionMatchingObjective implements Objective, AutoCloseable {

    /** What the generator's parameters are called. */
    public static final String GENERATOR = "generator.";

    private static final String CRITIC = "critic.";

    /**
     * How it is distilled.
     *
     * @param batch samples of an update
     * @param criticUpdates updates of the critic for one of the generator, in the mean; at least 1
     * @param guidance factor g of the teacher's cond + g·(cond − uncond), where uncond sees no guidance of the memory; 0
     *     leaves the pass without guidance out
     * @param regression weight of the mean squared error to the truth in cells that guidance knows
     * @param shift of the noise levels at which distributions are compared, at least 1
     * @param steps noise levels σ that generation visits, falling, each in (0, 1]
     */
    public record Options(
            int batch, int criticUpdates, double guidance, double regression, double shift, List<Double> steps) {

        public Options {
            steps = List.copyOf(steps);
            if (batch < 1 || criticUpdates < 1 || !(guidance >= 0) || !(regression >= 0) || !(shift >= 1)) {
                throw new IllegalArgumentException("batch " + batch + ", critic updates " + criticUpdates
                        + ", guidance " + guidance + ", regression " + regression + ", shift " + shift
                        + " are out of range");
            }
            if (steps.isEmpty() || steps.stream().anyMatch(s -> !(s > 0) || s > 1)) {
                throw new IllegalArgumentException("noise levels are " + steps + "; each must lie in (0, 1]");
            }
        }
    }

    private static final int TRAIN_TIMESTEPS = 1000;
    private static final double MIN_TIMESTEP = 20;
    private static final double MAX_TIMESTEP = 980;

    private final VideoTransformerConfig config;
    private final GuidanceConfig guidance;
    private final SegmentPlan plan;
    private final List<LatentCache> train;
    private final LatentCache held;
    private final float[] mean;
    private final float[] std;
    private final Options options;
    private final DistributionMatching matching;
    private final TorchModule generator;
    private final TorchModule critic;
    private final TorchModule teacher;
    private final Map<String, Tensor> parameters = new LinkedHashMap<>();

    /**
     * An objective.
     *
     * @param plan how a segment is generated
     * @param student weights that the generator starts from
     * @param flow weights of the flow-matching teacher, which the critic starts from too
     * @param train caches of one shape, each drawn equally often; borrowed
     * @param held segments to judge by; borrowed
     * @param mean per latent channel, subtracted from the cache's latents
     * @param std per latent channel, divides them then
     */
    public DistributionMatchingObjective(
            VideoTransformerConfig config,
            GuidanceConfig guidance,
            SegmentPlan plan,
            Map<String, float[]> student,
            Map<String, float[]> flow,
            List<LatentCache> train,
            LatentCache held,
            float[] mean,
            float[] std,
            Options options,
            String deviceId,
            Arithmetic arithmetic) {
        this.config = config;
        this.guidance = guidance;
        this.plan = plan;
        this.train = List.copyOf(train);
        this.held = held;
        this.mean = mean.clone();
        this.std = std.clone();
        this.options = options;
        this.matching = new DistributionMatching(
                new FlowMatchScheduler(TRAIN_TIMESTEPS, options.shift()),
                options.guidance(),
                MIN_TIMESTEP,
                MAX_TIMESTEP);
        var graph = VideoTransformer.maskedGraph(
                config, held.header().height(), held.header().width());
        this.generator = TorchModule.of(graph, student, deviceId, arithmetic);
        this.critic = TorchModule.of(graph, flow, deviceId, arithmetic);
        this.teacher = TorchModule.of(graph, flow, deviceId, arithmetic);
        generator.parameters().forEach((n, t) -> parameters.put(GENERATOR + n, t));
        critic.parameters().forEach((n, t) -> parameters.put(CRITIC + n, t));
    }

    /**
     * AdamW without momentum for both networks, as Self-Forcing has it.
     *
     * @param criticFactor the critic's learning rate over the generator's, positive
     */
    public static Optimizer optimizer(Map<String, Tensor> parameters, double criticFactor) {
        AdamW.Options adam = new AdamW.Options(0, 0.999, 1e-8, 0.01);
        return new OptimizerGroup()
                .add(ParameterGroups.adamW(ParameterGroups.select(parameters, n -> n.startsWith(GENERATOR)), adam), 1)
                .add(
                        ParameterGroups.adamW(ParameterGroups.select(parameters, n -> n.startsWith(CRITIC)), adam),
                        criticFactor);
    }

    /** The parameters of generator and critic, told apart by their prefixes. */
    @Override
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    /** The generator's weights under the network's own names. */
    @Override
    public Map<String, HostTensor> network(Map<String, HostTensor> weights) {
        Map<String, HostTensor> own = new LinkedHashMap<>();
        weights.forEach((n, t) -> {
            if (n.startsWith(GENERATOR)) {
                own.put(n.substring(GENERATOR.length()), t);
            }
        });
        return own;
    }

    @Override
    public int batchSize() {
        return options.batch();
    }

    /** The critic's loss, or once in {@link Options#criticUpdates} + 1 the generator's. */
    @Override
    public Tensor loss(SplittableRandom random, Map<String, Double> metrics) {
        LatentCache cache = train.get(random.nextInt(train.size()));
        int[] segments =
                random.ints(options.batch(), 0, cache.header().segments()).toArray();
        // Drawn, not counted, so that a resumed run needs no counter.
        return random.nextInt(options.criticUpdates() + 1) == 0
                ? generatorLoss(cache, segments, random, metrics)
                : criticLoss(batch(cache, segments, true, random), random, metrics);
    }

    private SegmentBatch batch(LatentCache cache, int[] segments, boolean guided, SplittableRandom random) {
        SegmentBatch batch = new SegmentBatch(plan, guidance, guided, segments.length, cache.header());
        LatentCache.Segment segment = LatentCache.Segment.of(cache.header());
        for (int i = 0; i < segments.length; i++) {
            cache.read(segments[i], segment);
            SegmentBatch.normalise(segment, cache.header(), mean, std);
            batch.put(i, segment, 0, random);
        }
        return batch;
    }

    /** What the generator makes in its own steps; the last of them with a gradient if gradients are recorded. */
    private Tensor rollOut(SegmentBatch batch, int steps, SplittableRandom random) {
        float[] x = gaussian(random, batch.target().length);
        for (int step = 0; ; step++) {
            double sigma = options.steps().get(step);
            batch.noisy(x, levels(batch, filled(batch.batch(), sigma)));
            if (step + 1 == steps) {
                Tensor noisy = batch.tensor(x, generator.deviceId());
                return noisy.sub(batch.velocity(generator, config).mul(new Scalar(sigma)));
            }
            double next = options.steps().get(step + 1);
            float[] clean = clean(batch, generator, x, filled(batch.batch(), sigma));
            float[] noise = gaussian(random, x.length);
            for (int k = 0; k < x.length; k++) {
                x[k] = (float) ((1 - next) * clean[k] + next * noise[k]);
            }
        }
    }

    /** x0 by one evaluation without a gradient. */
    private float[] clean(SegmentBatch batch, TorchModule net, float[] noisy, double[] sigma) {
        try (PointerScope scope = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            batch.noisy(noisy, levels(batch, sigma));
            float[] v = TorchTensors.toFloats(batch.velocity(net, config));
            int each = v.length / batch.batch();
            for (int k = 0; k < v.length; k++) {
                v[k] = (float) (noisy[k] - sigma[k / each] * v[k]);
            }
            return v;
        }
    }

    private Tensor generatorLoss(
            LatentCache cache, int[] segments, SplittableRandom random, Map<String, Double> metrics) {
        SegmentBatch batch = batch(cache, segments, true, random);
        int exit = 1 + random.nextInt(options.steps().size());
        Tensor made = rollOut(batch, exit, random);
        float[] x = TorchTensors.toFloats(made.detach());
        double[] timesteps = timesteps(random);
        float[] noised = matching.noised(x, gaussian(random, x.length), timesteps);
        double[] sigma = sigmas(timesteps);
        float[] fake = clean(batch, critic, noised, sigma);
        float[] real = clean(batch, teacher, noised, sigma);
        if (options.guidance() > 0) {
            real = matching.real(real, clean(batch(cache, segments, false, random), teacher, noised, sigma));
        }
        double[] direction = DistributionMatching.direction(x, real, fake, batch.batch());
        DistributionMatching.Loss loss = DistributionMatching.generator(direction);
        metrics.put("generator", loss.value());
        float[] gradient = new float[x.length];
        for (int k = 0; k < gradient.length; k++) {
            gradient[k] = (float) loss.gradient()[k];
        }
        // Its gradient by what was made is the one that is wanted.
        Tensor total = made.mul(batch.tensor(gradient, generator.deviceId())).sum();
        if (options.regression() > 0) {
            Tensor regression = knownError(batch, made);
            metrics.put("regression", (double) regression.item_float());
            total = total.add(regression.mul(new Scalar(options.regression())));
        }
        return total;
    }

    /** Mean squared error to the truth in cells that guidance knows and the truth counts. */
    private Tensor knownError(SegmentBatch batch, Tensor made) {
        float[] cells = new float[batch.weight().length];
        double total = 0;
        for (int i = 0; i < cells.length; i++) {
            cells[i] = batch.weight()[i] * batch.known()[i];
            total += cells[i];
        }
        return made.sub(batch.tensor(batch.target(), generator.deviceId()))
                .square()
                .mul(batch.cells(cells, generator.deviceId()))
                .sum()
                .div(new Scalar(Math.max(1, total) * batch.channels()));
    }

    private Tensor criticLoss(SegmentBatch batch, SplittableRandom random, Map<String, Double> metrics) {
        int exit = 1 + random.nextInt(options.steps().size());
        float[] x;
        try (PointerScope scope = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            x = TorchTensors.toFloats(rollOut(batch, exit, random));
        }
        double[] timesteps = timesteps(random);
        float[] noise = gaussian(random, x.length);
        float[] noised = matching.noised(x, noise, timesteps);
        batch.noisy(noised, levels(batch, sigmas(timesteps)));
        float[] velocity = new float[x.length];
        for (int k = 0; k < velocity.length; k++) {
            velocity[k] = noise[k] - x[k];
        }
        Tensor loss = batch.velocity(critic, config)
                .sub(batch.tensor(velocity, critic.deviceId()))
                .square()
                .mean();
        metrics.put("critic", (double) loss.item_float());
        return loss;
    }

    private double[] timesteps(SplittableRandom random) {
        double[] t = new double[options.batch()];
        for (int i = 0; i < t.length; i++) {
            t[i] = matching.timestep(random.nextInt(TRAIN_TIMESTEPS));
        }
        return t;
    }

    private static double[] filled(int n, double value) {
        double[] all = new double[n];
        Arrays.fill(all, value);
        return all;
    }

    private static double[] sigmas(double[] timesteps) {
        return Arrays.stream(timesteps).map(t -> t / TRAIN_TIMESTEPS).toArray();
    }

    /** One noise level per sample, the same for all stages. */
    private static double[][] levels(SegmentBatch batch, double[] sigma) {
        double[][] levels = new double[batch.batch()][batch.stages()];
        for (int i = 0; i < levels.length; i++) {
            Arrays.fill(levels[i], sigma[i]);
        }
        return levels;
    }

    private static float[] gaussian(SplittableRandom random, int n) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) random.nextGaussian();
        }
        return v;
    }

    /**
     * Samples of the generator in all its steps on held-out segments: {@code known_error}, mean squared error to the truth
     * where guidance knows; {@code unknown_error} where it does not; {@code unknown_detail}, the energy of neighbouring
     * cells' differences there over that of the truth, 1 where pictures are as rich as true ones.
     */
    @Override
    public Map<String, Double> evaluate(Path folder, long step) {
        double[] known = new double[2];
        double[] unknown = new double[2];
        double[] detail = new double[2];
        for (int s = 0; s < held.header().segments(); s++) {
            SplittableRandom random = new SplittableRandom(s);
            SegmentBatch batch = batch(held, new int[] {s}, true, random);
            float[] made;
            try (PointerScope scope = new PointerScope()) {
                made = TorchTensors.toFloats(rollOut(batch, options.steps().size(), random));
            }
            measure(batch, made, known, unknown, detail);
        }
        Map<String, Double> figures = new TreeMap<>();
        figures.put("known_error", known[0] / Math.max(1, known[1]));
        figures.put("unknown_error", unknown[0] / Math.max(1, unknown[1]));
        figures.put("unknown_detail", detail[0] / Math.max(1e-9, detail[1]));
        return figures;
    }

    private static void measure(SegmentBatch batch, float[] made, double[] known, double[] unknown, double[] detail) {
        float[] truth = batch.target();
        int area = batch.area();
        for (int c = 0; c < batch.channels(); c++) {
            for (int f = 0; f < batch.places(); f++) {
                int from = batch.at(0, c, f);
                for (int p = 0; p < area; p++) {
                    double share = batch.known()[f * area + p];
                    double error = Math.pow(made[from + p] - truth[from + p], 2);
                    known[0] += share * error;
                    known[1] += share;
                    unknown[0] += (1 - share) * error;
                    unknown[1] += 1 - share;
                    if (p % batch.width() != 0) {
                        detail[0] += (1 - share) * Math.pow(made[from + p] - made[from + p - 1], 2);
                        detail[1] += (1 - share) * Math.pow(truth[from + p] - truth[from + p - 1], 2);
                    }
                }
            }
        }
    }

    @Override
    public void close() {
        generator.close();
        critic.close();
        teacher.close();
    }
}
