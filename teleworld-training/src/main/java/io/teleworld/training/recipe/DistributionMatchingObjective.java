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
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
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

    private static final String GENERATOR = OpposedNetworks.GENERATOR;
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
            steps = FewStepRollOut.levels(steps);
            if (batch < 1 || criticUpdates < 1 || !(guidance >= 0) || !(regression >= 0) || !(shift >= 1)) {
                throw new IllegalArgumentException("batch " + batch + ", critic updates " + criticUpdates
                        + ", guidance " + guidance + ", regression " + regression + ", shift " + shift
                        + " are out of range");
            }
        }
    }

    private static final int TRAIN_TIMESTEPS = 1000;
    private static final double MIN_TIMESTEP = 20;
    private static final double MAX_TIMESTEP = 980;

    private final VideoTransformerConfig config;
    private final List<LatentCache> train;
    private final LatentCache held;
    private final Options options;
    private final FewStepRollOut rollOut;
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
        this.train = List.copyOf(train);
        this.held = held;
        this.options = options;
        this.rollOut = new FewStepRollOut(config, guidance, plan, mean.clone(), std.clone(), options.steps());
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
        return OpposedNetworks.optimizer(parameters, CRITIC, adam, criticFactor);
    }

    /** The parameters of generator and critic, told apart by their prefixes. */
    @Override
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    /** The generator's weights under the network's own names. */
    @Override
    public Map<String, HostTensor> network(Map<String, HostTensor> weights) {
        return OpposedNetworks.generator(weights);
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
                : criticLoss(rollOut.batch(cache, segments, true, random), random, metrics);
    }

    private Tensor generatorLoss(
            LatentCache cache, int[] segments, SplittableRandom random, Map<String, Double> metrics) {
        SegmentBatch batch = rollOut.batch(cache, segments, true, random);
        int exit = 1 + random.nextInt(options.steps().size());
        Tensor made = rollOut.sample(generator, batch, exit, random);
        float[] x = TorchTensors.toFloats(made.detach());
        double[] timesteps = timesteps(random);
        float[] noised = matching.noised(x, FewStepRollOut.gaussian(random, x.length), timesteps);
        double[] sigma = sigmas(timesteps);
        float[] fake = rollOut.clean(batch, critic, noised, sigma);
        float[] real = rollOut.clean(batch, teacher, noised, sigma);
        if (options.guidance() > 0) {
            real = matching.real(
                    real, rollOut.clean(rollOut.batch(cache, segments, false, random), teacher, noised, sigma));
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
            Tensor regression = FewStepRollOut.error(batch, made, 0, generator.deviceId());
            metrics.put("regression", (double) regression.item_float());
            total = total.add(regression.mul(new Scalar(options.regression())));
        }
        return total;
    }

    private Tensor criticLoss(SegmentBatch batch, SplittableRandom random, Map<String, Double> metrics) {
        int exit = 1 + random.nextInt(options.steps().size());
        float[] x;
        try (PointerScope scope = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            x = TorchTensors.toFloats(rollOut.sample(generator, batch, exit, random));
        }
        double[] timesteps = timesteps(random);
        float[] noise = FewStepRollOut.gaussian(random, x.length);
        float[] noised = matching.noised(x, noise, timesteps);
        batch.noisy(noised, FewStepRollOut.levels(batch, sigmas(timesteps)));
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

    private static double[] sigmas(double[] timesteps) {
        return Arrays.stream(timesteps).map(t -> t / TRAIN_TIMESTEPS).toArray();
    }

    /** Samples of the generator in all its steps on held-out segments, see {@link FewStepRollOut#figures}. */
    @Override
    public Map<String, Double> evaluate(Path folder, long step) {
        return rollOut.figures(generator, held);
    }

    @Override
    public void close() {
        generator.close();
        critic.close();
        teacher.close();
    }
}
