package io.teleworld.training.recipe;

import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.network.VideoTransformerConfig;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.WorldStyle;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Samples of a few-step generator by its own steps, from noise, on recorded segments (self-forcing, arXiv 2506.08009). The
 * frames that later stages see are those of the records. Immutable; as thread-safe as the modules that it is given.
 *
 * @param plan how a segment is generated
 * @param mean per latent channel, subtracted from a cache's latents
 * @param std per latent channel, divides them then
 * @param steps noise levels σ that generation visits, falling, each in (0, 1]
 */
@SuppressWarnings("ArrayRecordComponent") // statistics that nobody changes; never compared
record FewStepRollOut(
        VideoTransformerConfig config,
        GuidanceConfig guidance,
        SegmentPlan plan,
        float[] mean,
        float[] std,
        List<Double> steps) {

    FewStepRollOut {
        steps = levels(steps);
    }

    /** The noise levels, if they are some. */
    static List<Double> levels(List<Double> steps) {
        if (steps.isEmpty() || steps.stream().anyMatch(s -> !(s > 0) || s > 1)) {
            throw new IllegalArgumentException("noise levels are " + steps + "; each must lie in (0, 1]");
        }
        return List.copyOf(steps);
    }

    /** The share of segments whose style, where they have one, is told. */
    static final double STYLED = 0.7;

    /** Segments of a cache, normalised; most with their style. */
    SegmentBatch batch(LatentCache cache, int[] segments, boolean guided, SplittableRandom random) {
        SegmentBatch batch = new SegmentBatch(plan, guidance, guided, segments.length, cache.header());
        LatentCache.Segment segment = LatentCache.Segment.of(cache.header());
        for (int i = 0; i < segments.length; i++) {
            cache.read(segments[i], segment);
            SegmentBatch.normalise(segment, cache.header(), mean, std);
            batch.put(i, segment, 0, random);
            Optional<WorldStyle> style = cache.style(segments[i]);
            if (style.isPresent() && random.nextDouble() < STYLED) {
                batch.style(i, style);
            }
        }
        return batch;
    }

    /** What a generator makes in its first {@code exit} steps; the last of them with a gradient if gradients are recorded. */
    Tensor sample(TorchModule generator, SegmentBatch batch, int exit, SplittableRandom random) {
        float[] x = gaussian(random, batch.target().length);
        for (int step = 0; ; step++) {
            double sigma = steps.get(step);
            double[] all = new double[batch.batch()];
            Arrays.fill(all, sigma);
            if (step + 1 == exit) {
                batch.noisy(x, levels(batch, all));
                Tensor noisy = batch.tensor(x, generator.deviceId());
                return noisy.sub(batch.velocity(generator, config).mul(new Scalar(sigma)));
            }
            double next = steps.get(step + 1);
            float[] clean = clean(batch, generator, x, all);
            float[] noise = gaussian(random, x.length);
            for (int k = 0; k < x.length; k++) {
                x[k] = (float) ((1 - next) * clean[k] + next * noise[k]);
            }
        }
    }

    /** x0 by one evaluation without a gradient. */
    float[] clean(SegmentBatch batch, TorchModule net, float[] noisy, double[] sigma) {
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

    /**
     * Mean squared error to the truth, where the truth counts.
     *
     * @param unknown weight of cells of which guidance knows nothing; those that it knows have weight 1
     */
    static Tensor error(SegmentBatch batch, Tensor made, double unknown, String deviceId) {
        float[] cells = new float[batch.weight().length];
        double total = 0;
        for (int i = 0; i < cells.length; i++) {
            float known = batch.known()[i];
            cells[i] = (float) (batch.weight()[i] * (known + (1 - known) * unknown));
            total += cells[i];
        }
        return made.sub(batch.tensor(batch.target(), deviceId))
                .square()
                .mul(batch.cells(cells, deviceId))
                .sum()
                .div(new Scalar(Math.max(1, total) * batch.channels()));
    }

    /** One noise level per sample, the same for all stages. */
    static double[][] levels(SegmentBatch batch, double[] sigma) {
        double[][] levels = new double[batch.batch()][batch.stages()];
        for (int i = 0; i < levels.length; i++) {
            Arrays.fill(levels[i], sigma[i]);
        }
        return levels;
    }

    static float[] gaussian(SplittableRandom random, int n) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) random.nextGaussian();
        }
        return v;
    }

    /**
     * Samples in all steps on held-out segments: {@code known_error}, mean squared error to the truth where guidance knows;
     * {@code unknown_error} where it does not; {@code known_detail} and {@code unknown_detail}, the energy of neighbouring
     * cells' differences there over that of the truth, 1 where pictures are as rich as true ones.
     */
    Map<String, Double> figures(TorchModule generator, LatentCache held) {
        Shares sums = new Shares();
        for (int s = 0; s < held.header().segments(); s++) {
            SplittableRandom random = new SplittableRandom(s);
            SegmentBatch batch = batch(held, new int[] {s}, true, random);
            float[] made;
            try (PointerScope scope = new PointerScope();
                    AutoGradMode off = new AutoGradMode(false)) {
                made = TorchTensors.toFloats(sample(generator, batch, steps.size(), random));
            }
            sums.add(batch, made);
        }
        return sums.figures();
    }

    /** Sums over cells, by the share that guidance knows of them. */
    private static final class Shares {

        private final double[] cells = new double[2];
        private final double[] errors = new double[2];
        private final double[] madeDetail = new double[2];
        private final double[] trueDetail = new double[2];

        void add(SegmentBatch batch, float[] made) {
            float[] truth = batch.target();
            int area = batch.area();
            for (int c = 0; c < batch.channels(); c++) {
                for (int f = 0; f < batch.places(); f++) {
                    int from = batch.at(0, c, f);
                    for (int p = 0; p < area; p++) {
                        double known = batch.known()[f * area + p];
                        double error = Math.pow(made[from + p] - truth[from + p], 2);
                        boolean inner = p % batch.width() != 0;
                        double detail = inner ? Math.pow(made[from + p] - made[from + p - 1], 2) : 0;
                        double wanted = inner ? Math.pow(truth[from + p] - truth[from + p - 1], 2) : 0;
                        for (int k = 0; k < 2; k++) {
                            double share = k == 0 ? known : 1 - known;
                            cells[k] += share;
                            errors[k] += share * error;
                            madeDetail[k] += share * detail;
                            trueDetail[k] += share * wanted;
                        }
                    }
                }
            }
        }

        Map<String, Double> figures() {
            Map<String, Double> figures = new TreeMap<>();
            String[] names = {"known", "unknown"};
            for (int k = 0; k < 2; k++) {
                figures.put(names[k] + "_error", errors[k] / Math.max(1, cells[k]));
                figures.put(names[k] + "_detail", madeDetail[k] / Math.max(1e-9, trueDetail[k]));
            }
            return figures;
        }
    }
}
