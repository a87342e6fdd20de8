package io.teleworld.training.recipe;

import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.network.VideoTransformer;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.graph.Graph;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.optim.AdamW;
import io.teleworld.training.optim.Optimizer;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Sharpens the few-step video transformer against a discriminator of its latents, on its own samples (the adversarial part
 * of DMD2, arXiv 2405.14867, with self-forced samples, arXiv 2506.08009).
 *
 * <p>The error to the truth alone makes the mean of all likely pictures, which is blurred wherever guidance knows nothing.
 * The discriminator sees a sample and the truth beside what the generator was told, and compares them place by place
 * (relativistic pairing); it is held smooth by the difference that small noise on its input makes (arXiv 2501.08316). The
 * truth holds the generator where guidance knows, and a little elsewhere. Both learn in every step. Confined to one thread.
 */
public final class AdversarialObjective implements Objective, AutoCloseable {

    private static final String GENERATOR = OpposedNetworks.GENERATOR;
    private static final String DISCRIMINATOR = "discriminator.";
    private static final String[] SCALES = {"fine", "coarse"};

    /**
     * How it is trained.
     *
     * @param batch samples of a step
     * @param adversarial weight of the discriminator's judgement in the generator's loss
     * @param unknown weight of the error to the truth in cells of which guidance knows nothing; 1 is that of known ones
     * @param smoothness weight of the discriminator's mean squared change by noise
     * @param noise deviation of that noise, in latents of unit variance
     * @param patience steps of this object in which only the discriminator learns; 0 for a resumed run
     * @param steps noise levels σ that generation visits, falling, each in (0, 1]
     */
    public record Options(
            int batch,
            double adversarial,
            double unknown,
            double smoothness,
            double noise,
            int patience,
            List<Double> steps) {

        public Options {
            steps = FewStepRollOut.levels(steps);
            if (batch < 1
                    || !(adversarial >= 0)
                    || !(unknown >= 0)
                    || !(smoothness >= 0)
                    || !(noise > 0)
                    || patience < 0) {
                throw new IllegalArgumentException(
                        "batch " + batch + ", adversarial " + adversarial + ", unknown " + unknown + ", smoothness "
                                + smoothness + ", noise " + noise + ", patience " + patience + " are out of range");
            }
        }
    }

    private final List<FewStepRollOut> rollOuts;
    private final List<LatentCache> train;
    private final LatentCache held;
    private final Options options;
    private final TorchModule generator;
    private final TorchModule discriminator;
    /** The discriminator as the generator sees it: the same values, without gradients of its own. */
    private final TorchModule judge;

    private final Map<String, Tensor> parameters = new LinkedHashMap<>();
    private long losses;

    /**
     * An objective.
     *
     * @param plans the ways of generating a segment; three steps of four take the first, else one of the others is drawn
     * @param student weights that the generator starts from
     * @param train caches of one shape, each drawn equally often; borrowed
     * @param held segments to judge by; borrowed
     * @param mean per latent channel, subtracted from the cache's latents
     * @param std per latent channel, divides them then
     * @param seed of the discriminator's first weights
     */
    public AdversarialObjective(
            VideoTransformerConfig config,
            GuidanceConfig guidance,
            List<SegmentPlan> plans,
            Map<String, float[]> student,
            List<LatentCache> train,
            LatentCache held,
            float[] mean,
            float[] std,
            Options options,
            long seed,
            String deviceId,
            Arithmetic arithmetic) {
        this.rollOuts = plans.stream()
                .map(p -> new FewStepRollOut(config, guidance, p, mean.clone(), std.clone(), options.steps()))
                .toList();
        this.train = List.copyOf(train);
        this.held = held;
        this.options = options;
        int height = held.header().height();
        int width = held.header().width();
        int channels = held.header().channels()
                + SegmentBatch.conditionChannels(guidance, held.header().channels());
        this.generator =
                TorchModule.of(VideoTransformer.maskedGraph(config, height, width), student, deviceId, arithmetic);
        Graph judgement = LatentDiscriminator.graph(channels, height, width);
        Map<String, float[]> first = LatentDiscriminator.initialise(channels, height, width, seed);
        this.discriminator = TorchModule.of(judgement, first, deviceId, arithmetic);
        this.judge = TorchModule.of(judgement, first, deviceId, arithmetic);
        judge.parameters().values().forEach(t -> t.set_requires_grad(false));
        generator.parameters().forEach((n, t) -> parameters.put(GENERATOR + n, t));
        discriminator.parameters().forEach((n, t) -> parameters.put(DISCRIMINATOR + n, t));
    }

    /**
     * AdamW with little momentum for both networks.
     *
     * @param discriminatorFactor the discriminator's learning rate over the generator's, positive
     */
    public static Optimizer optimizer(Map<String, Tensor> parameters, double discriminatorFactor) {
        AdamW.Options adam = new AdamW.Options(0.5, 0.99, 1e-8, 0.01);
        return OpposedNetworks.optimizer(parameters, DISCRIMINATOR, adam, discriminatorFactor);
    }

    /** The parameters of generator and discriminator, told apart by their prefixes. */
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

    @Override
    public Tensor loss(SplittableRandom random, Map<String, Double> metrics) {
        FewStepRollOut rollOut = rollOuts.get(0);
        if (rollOuts.size() > 1 && random.nextInt(4) == 0) {
            rollOut = rollOuts.get(1 + random.nextInt(rollOuts.size() - 1));
        }
        LatentCache cache = train.get(random.nextInt(train.size()));
        int[] segments =
                random.ints(options.batch(), 0, cache.header().segments()).toArray();
        SegmentBatch batch = rollOut.batch(cache, segments, true, random);
        int exit = 1 + random.nextInt(options.steps().size());
        if (losses++ < options.patience()) {
            try (AutoGradMode off = new AutoGradMode(false)) {
                Tensor made = rollOut.sample(generator, batch, exit, random);
                return discriminatorLoss(batch, made, random, metrics);
            }
        }
        return generatorAndDiscriminatorLoss(rollOut, batch, exit, random, metrics);
    }

    private Tensor generatorAndDiscriminatorLoss(
            FewStepRollOut rollOut,
            SegmentBatch batch,
            int exit,
            SplittableRandom random,
            Map<String, Double> metrics) {
        Tensor made = rollOut.sample(generator, batch, exit, random);
        Tensor total = FewStepRollOut.error(batch, made, options.unknown(), generator.deviceId());
        metrics.put("regression", (double) total.item_float());
        if (options.adversarial() > 0) {
            copyToJudge();
            Map<String, Tensor> fake = judge.forward(Map.of("video", video(batch, made)));
            Map<String, Tensor> real = judge.inference(Map.of("video", video(batch, truth(batch))));
            Tensor fooled = relativistic(fake, real);
            metrics.put("adversarial", (double) fooled.item_float());
            total = total.add(fooled.mul(new Scalar(options.adversarial())));
        }
        return total.add(discriminatorLoss(batch, made.detach(), random, metrics));
    }

    /** How far {@code losing} is judged less true than {@code winning}, place by place. */
    private static Tensor relativistic(Map<String, Tensor> losing, Map<String, Tensor> winning) {
        Tensor sum = null;
        for (String scale : SCALES) {
            Tensor margin = AutoencoderObjective.output(winning, scale).sub(AutoencoderObjective.output(losing, scale));
            Tensor loss = softplus(margin).mean();
            sum = sum == null ? loss : sum.add(loss);
        }
        return Objects.requireNonNull(sum);
    }

    /** ln(1 + exp x), without overflow. */
    private static Tensor softplus(Tensor x) {
        return x.relu().add(x.abs().neg().exp().log1p());
    }

    private Tensor discriminatorLoss(
            SegmentBatch batch, Tensor made, SplittableRandom random, Map<String, Double> metrics) {
        try (AutoGradMode on = new AutoGradMode(true)) {
            Tensor truth = truth(batch);
            Map<String, Tensor> real = discriminator.forward(Map.of("video", video(batch, truth)));
            Map<String, Tensor> fake = discriminator.forward(Map.of("video", video(batch, made)));
            Tensor caught = relativistic(real, fake);
            metrics.put("discriminator", (double) caught.item_float());
            if (options.smoothness() == 0) {
                return caught;
            }
            // One of the two a step: both in the mean, at half the cost.
            boolean ofTruth = random.nextBoolean();
            float[] noise = FewStepRollOut.gaussian(random, batch.target().length);
            Tensor moved = (ofTruth ? truth : made)
                    .add(batch.tensor(noise, discriminator.deviceId()).mul(new Scalar(options.noise())));
            Map<String, Tensor> other = discriminator.forward(Map.of("video", video(batch, moved)));
            Tensor change = null;
            for (String scale : SCALES) {
                Tensor c = AutoencoderObjective.output(other, scale)
                        .sub(AutoencoderObjective.output(ofTruth ? real : fake, scale))
                        .square()
                        .mean();
                change = change == null ? c : change.add(c);
            }
            Tensor rough = Objects.requireNonNull(change);
            metrics.put("discriminator_change", (double) rough.item_float());
            return caught.add(rough.mul(new Scalar(options.smoothness())));
        }
    }

    private Tensor truth(SegmentBatch batch) {
        return batch.tensor(batch.target(), discriminator.deviceId());
    }

    /** Latents beside what the generator was told, in the order of the frames. */
    private Tensor video(SegmentBatch batch, Tensor latents) {
        Tensor conditions = batch.tensor(batch.conditions(), batch.conditionChannels(), discriminator.deviceId());
        List<Integer> order =
                new ArrayList<>(IntStream.range(0, batch.places()).boxed().toList());
        order.sort(Comparator.comparing(batch::frameOf));
        long[] index = order.stream().mapToLong(Integer::longValue).toArray();
        Tensor places = TorchTensors.to(TorchTensors.ofLongs(index, index.length), discriminator.deviceId());
        return torch.cat(new TensorVector(latents, conditions), 1).index_select(2, places);
    }

    private void copyToJudge() {
        try (PointerScope scope = new PointerScope();
                AutoGradMode off = new AutoGradMode(false)) {
            judge.parameters()
                    .forEach((name, t) -> t.copy_(
                            Objects.requireNonNull(discriminator.parameters().get(name), name)));
        }
    }

    /** Samples of the generator in all its steps on held-out segments, see {@link FewStepRollOut#figures}. */
    @Override
    public Map<String, Double> evaluate(Path folder, long step) {
        return rollOuts.get(0).figures(generator, held);
    }

    @Override
    public void close() {
        generator.close();
        discriminator.close();
        judge.close();
    }
}
