package io.teleworld.training.recipe;

import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.SuperResolutionNet;
import io.teleworld.core.network.WindowTransformer.Attention;
import io.teleworld.training.data.EnlargementClip;
import io.teleworld.training.plot.SampleSheet;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Function;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * Trains super-resolution to reproduce large clips from small ones, half of which went through the autoencoder:
 * the logarithm of each sample's squared error, that is, its PSNR. Confined to one thread.
 */
public final class SuperResolutionObjective implements Objective, AutoCloseable {

    private static final int GROUP = SuperResolutionConfig.GROUP;
    /** Squared error below which a sample counts as done: that of 8-bit pictures is 4/255²/12. */
    private static final double NOISE = 1e-5;

    private final SuperResolutionConfig config;
    private final Function<SplittableRandom, EnlargementClip> train;
    private final List<EnlargementClip> held;
    private final int groups;
    private final int cropHeight;
    private final int cropWidth;
    private final int batch;
    private final double decodedShare;
    private final TorchModule module;
    private final TorchModule whole;
    private final TorchModule bicubic;

    /**
     * An objective on random crops.
     *
     * @param train clips of at least 4·(groups−1)+1 frames
     * @param held clips to judge by, of at least as many frames
     * @param groups groups of a sample
     * @param cropHeight of the small pictures
     * @param cropWidth of the small pictures
     * @param batch samples of a step
     * @param decodedShare how many of the samples went through the autoencoder, in [0,1]
     */
    public SuperResolutionObjective(
            SuperResolutionConfig config,
            Map<String, float[]> initial,
            Function<SplittableRandom, EnlargementClip> train,
            List<EnlargementClip> held,
            int groups,
            int cropHeight,
            int cropWidth,
            int batch,
            double decodedShare,
            String deviceId,
            Arithmetic arithmetic) {
        this.config = config;
        this.train = train;
        this.held = List.copyOf(held);
        this.groups = groups;
        this.cropHeight = cropHeight;
        this.cropWidth = cropWidth;
        this.batch = batch;
        this.decodedShare = decodedShare;
        int h = held.get(0).height();
        int w = held.get(0).width();
        int heldGroups = (held.get(0).frames() + GROUP - 1) / GROUP;
        module = TorchModule.of(
                SuperResolutionNet.clipGraph(config, cropHeight, cropWidth, groups, Attention.NEIGHBOURS),
                initial,
                deviceId,
                arithmetic);
        whole = TorchModule.of(
                SuperResolutionNet.clipGraph(config, h, w, heldGroups, Attention.NEIGHBOURS),
                initial,
                deviceId,
                Arithmetic.FP32);
        bicubic = TorchModule.of(
                SuperResolutionNet.bicubicGraph(config.scale(), h, w), Map.of(), deviceId, Arithmetic.FP32);
    }

    @Override
    public Map<String, Tensor> parameters() {
        return module.parameters();
    }

    @Override
    public int batchSize() {
        return batch;
    }

    @Override
    public Tensor loss(SplittableRandom random, Map<String, Double> metrics) {
        int t = GROUP * groups;
        int frames = t - 3;
        int s = config.scale();
        int h = cropHeight;
        int w = cropWidth;
        float[] low = new float[batch * t * 3 * h * w];
        float[] high = new float[batch * frames * 3 * h * w * s * s];
        for (int i = 0; i < batch; i++) {
            EnlargementClip c = train.apply(random);
            byte[] from = random.nextDouble() < decodedShare ? c.decoded() : c.small();
            int first = random.nextInt((c.frames() - frames) / GROUP + 1) * GROUP;
            int top = random.nextInt(c.height() - h + 1);
            int left = random.nextInt(c.width() - w + 1);
            for (int k = 0; k < t; k++) {
                int frame = first + Math.max(0, k - 3);
                EnlargementClip.normalised(
                        from, c.width(), c.height(), frame, top, left, h, w, low, (i * t + k) * 3 * h * w);
            }
            for (int k = 0; k < frames; k++) {
                EnlargementClip.normalised(
                        c.large(),
                        c.width() * s,
                        c.height() * s,
                        first + k,
                        top * s,
                        left * s,
                        h * s,
                        w * s,
                        high,
                        (i * frames + k) * 3 * h * w * s * s);
            }
        }
        Tensor x = TorchTensors.to(TorchTensors.ofFloats(low, batch, t, 3, h, w), module.deviceId());
        Tensor truth = TorchTensors.to(
                TorchTensors.ofFloats(high, batch, frames, 3, (long) h * s, (long) w * s), module.deviceId());
        Tensor y = AutoencoderObjective.required(module.forward(Map.of("frames", x)), "enlarged");
        Tensor error = y.narrow(1, 3, frames).sub(truth);
        Tensor mse = error.square().mean(new long[] {1, 2, 3, 4});
        metrics.put("psnr", psnr(mse.mean().item_float()));
        return mse.add(new Scalar(NOISE)).log().mean();
    }

    private static double psnr(double squaredError) {
        return -10 * Math.log10(Math.max(1e-12, squaredError) / 4);
    }

    @Override
    public Map<String, Double> evaluate(Path folder, long step) {
        whole.parameters().forEach((n, p) -> p.copy_(AutoencoderObjective.required(module.parameters(), n)));
        EnlargementClip any = held.get(0);
        SampleSheet sheet = new SampleSheet(any.width() * config.scale(), any.height() * config.scale());
        Map<String, Double> m = new TreeMap<>();
        judge("", false, sheet, m);
        judge("_decoded", true, sheet, m);
        sheet.row("truth");
        for (int i = 0; i < Math.min(3, held.size()); i++) {
            int size = 3 * any.height() * any.width() * config.scale() * config.scale();
            sheet.rgb(Arrays.copyOfRange(held.get(i).large(), (any.frames() - 1) * size, any.frames() * size));
        }
        AutoencoderObjective.write(sheet, folder.resolve("super-resolution-" + step + ".png"));
        return m;
    }

    private void judge(String suffix, boolean decoded, SampleSheet sheet, Map<String, Double> m) {
        int s = config.scale();
        double own = 0;
        double reference = 0;
        double least = Double.MAX_VALUE;
        List<float[]> bicubics = new ArrayList<>();
        List<float[]> results = new ArrayList<>();
        for (EnlargementClip c : held) {
            int n = c.frames();
            int h = c.height();
            int w = c.width();
            int size = 3 * h * w;
            byte[] from = decoded ? c.decoded() : c.small();
            float[] low = new float[(n + 3) * size];
            for (int k = 0; k < n + 3; k++) {
                EnlargementClip.normalised(from, w, h, Math.max(0, k - 3), 0, 0, h, w, low, k * size);
            }
            float[] high = new float[n * size * s * s];
            for (int k = 0; k < n; k++) {
                EnlargementClip.normalised(c.large(), w * s, h * s, k, 0, 0, h * s, w * s, high, k * size * s * s);
            }
            try (PointerScope scope = new PointerScope()) {
                Tensor x = TorchTensors.to(TorchTensors.ofFloats(low, n + 3L, 3, h, w), whole.deviceId());
                Tensor truth = TorchTensors.to(
                        TorchTensors.ofFloats(high, n, 3, (long) h * s, (long) w * s), whole.deviceId());
                Tensor y = AutoencoderObjective.required(whole.inference(Map.of("frames", x.unsqueeze(0))), "enlarged")
                        .squeeze(0)
                        .narrow(0, 3, n)
                        .clamp(new ScalarOptional(new Scalar(-1)), new ScalarOptional(new Scalar(1)));
                Tensor b = AutoencoderObjective.required(
                        bicubic.inference(Map.of("frames", x.narrow(0, 3, n))), "enlarged");
                double p = psnr(y.sub(truth).square().mean().item_float());
                double q = psnr(b.sub(truth).square().mean().item_float());
                own += p / held.size();
                reference += q / held.size();
                least = Math.min(least, p - q);
                if (results.size() < 3) {
                    results.add(TorchTensors.toFloats(y.narrow(0, n - 1L, 1)));
                    bicubics.add(TorchTensors.toFloats(b.narrow(0, n - 1L, 1)));
                }
            }
        }
        int plane = held.get(0).height() * held.get(0).width() * s * s;
        sheet.row("bicubic" + suffix);
        bicubics.forEach(p -> sheet.planes(p, 0, plane));
        sheet.row("enlarged" + suffix);
        results.forEach(p -> sheet.planes(p, 0, plane));
        m.put("held_psnr" + suffix, own);
        m.put("held_bicubic" + suffix, reference);
        m.put("held_gain" + suffix, own - reference);
        m.put("held_gain_min" + suffix, least);
    }

    @Override
    public void close() {
        module.close();
        whole.close();
        bicubic.close();
    }
}
