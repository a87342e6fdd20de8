package io.teleworld.training.recipe;

import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.tensor.HostTensor;
import io.teleworld.training.data.ClipSupply;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.plot.SampleSheet;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Trains the streaming autoencoder to reproduce clips: mean absolute and squared error of pixels and of their spatial
 * differences, plus a weak pull of the latents towards zero. Confined to one thread.
 */
public final class AutoencoderObjective implements Objective, AutoCloseable {

    private final ClipSupply train;
    private final List<GroundTruthClip> held;
    private final int latents;
    private final int crop;
    private final int batch;
    private final boolean decoderOnly;
    private final TorchModule encoder;
    private final TorchModule decoder;
    private final TorchModule wholeEncoder;
    private final TorchModule wholeDecoder;
    private final VideoAutoencoderConfig config;

    /**
     * An objective on random crops.
     *
     * @param train clips of at least 4·(latents−1)+1 frames
     * @param held clips to judge by
     * @param latents latent frames of a sample
     * @param crop side of the square crop in pixels, a multiple of the spatial factor
     * @param batch samples of a step
     * @param decoderOnly whether the encoder stays as it is, so that whatever was trained on its latents stays valid
     */
    public AutoencoderObjective(
            VideoAutoencoderConfig config,
            Map<String, float[]> initial,
            ClipSupply train,
            List<GroundTruthClip> held,
            int latents,
            int crop,
            int batch,
            boolean decoderOnly,
            String deviceId,
            Arithmetic arithmetic) {
        this.config = config;
        this.decoderOnly = decoderOnly;
        this.train = train;
        this.held = List.copyOf(held);
        this.latents = latents;
        this.crop = crop;
        this.batch = batch;
        int f = config.spatialFactor();
        encoder = TorchModule.of(
                VideoAutoencoder.encoderClipGraph(config, crop, crop, latents), initial, deviceId, arithmetic);
        decoder = TorchModule.of(
                VideoAutoencoder.decoderClipGraph(config, crop / f, crop / f, latents), initial, deviceId, arithmetic);
        int h = held.get(0).height();
        int w = held.get(0).width();
        wholeEncoder = TorchModule.of(
                VideoAutoencoder.encoderClipGraph(config, h, w, latents), initial, deviceId, Arithmetic.FP32);
        wholeDecoder = TorchModule.of(
                VideoAutoencoder.decoderClipGraph(config, h / f, w / f, latents), initial, deviceId, Arithmetic.FP32);
    }

    @Override
    public Map<String, Tensor> parameters() {
        if (decoderOnly) {
            return decoder.parameters();
        }
        Map<String, Tensor> all = new LinkedHashMap<>(encoder.parameters());
        all.putAll(decoder.parameters());
        return all;
    }

    @Override
    public Map<String, HostTensor> network(Map<String, HostTensor> weights) {
        if (!decoderOnly) {
            return weights;
        }
        Map<String, HostTensor> all = new LinkedHashMap<>(weights);
        encoder.parameters().forEach((n, p) -> all.put(n, TorchTensors.toHost(p)));
        return all;
    }

    @Override
    public int batchSize() {
        return batch;
    }

    @Override
    public Tensor loss(SplittableRandom random, Map<String, Double> metrics) {
        int t = 4 * latents;
        float[] pixels = new float[batch * t * 3 * crop * crop];
        for (int i = 0; i < batch; i++) {
            GroundTruthClip c = train.next(random);
            int need = t - 3;
            int first = random.nextInt(c.frames() - need + 1);
            int top = random.nextInt(c.height() - crop + 1);
            int left = random.nextInt(c.width() - crop + 1);
            boolean still = random.nextInt(12) == 0;
            fill(c, first, top, left, crop, crop, still, pixels, i * t * 3 * crop * crop);
        }
        Tensor x = TorchTensors.to(TorchTensors.ofFloats(pixels, batch, t, 3, crop, crop), encoder.deviceId());
        Tensor z = output(
                decoderOnly ? encoder.inference(Map.of("frames", x)) : encoder.forward(Map.of("frames", x)), "latents");
        Tensor y = output(decoder.forward(Map.of("latents", z)), "frames");
        Tensor truth = x.narrow(1, 3, t - 3L);
        Tensor error = y.narrow(1, 3, t - 3L).sub(truth);
        Tensor mse = error.square().mean();
        Tensor l1 = error.abs().mean();
        Tensor dx = error.narrow(4, 1, crop - 1L)
                .sub(error.narrow(4, 0, crop - 1L))
                .abs()
                .mean();
        Tensor dy = error.narrow(3, 1, crop - 1L)
                .sub(error.narrow(3, 0, crop - 1L))
                .abs()
                .mean();
        Tensor pull = z.square().mean();
        metrics.put("psnr", -10 * Math.log10(mse.item_float() / 4));
        metrics.put("latent", Math.sqrt(pull.item_float()));
        return mse.mul(new Scalar(4))
                .add(l1)
                .add(dx.add(dy).mul(new Scalar(0.5)))
                .add(pull.mul(new Scalar(1e-3)));
    }

    /** The first frame four times, then the others: groups of 1, 4, 4, … frames. */
    private void fill(
            GroundTruthClip c, int first, int top, int left, int h, int w, boolean still, float[] out, int offset) {
        int frame = 3 * h * w;
        for (int k = 0; k < 4 * latents; k++) {
            int source = still ? first : first + Math.max(0, k - 3);
            c.normalised(source, 1, top, left, h, w, out, offset + k * frame);
        }
    }

    @Override
    public Map<String, Double> evaluate(Path folder, long step) {
        wholeEncoder.parameters().forEach((n, p) -> p.copy_(required(encoder.parameters(), n)));
        wholeDecoder.parameters().forEach((n, p) -> p.copy_(required(decoder.parameters(), n)));
        int t = 4 * latents;
        int h = held.get(0).height();
        int w = held.get(0).width();
        double psnr = 0;
        double worst = Double.MAX_VALUE;
        List<float[]> truths = new ArrayList<>();
        List<float[]> results = new ArrayList<>();
        for (int i = 0; i < held.size(); i++) {
            float[] pixels = new float[t * 3 * h * w];
            fill(held.get(i), 0, 0, 0, h, w, false, pixels, 0);
            try (org.bytedeco.javacpp.PointerScope scope = new org.bytedeco.javacpp.PointerScope()) {
                Tensor x = TorchTensors.to(TorchTensors.ofFloats(pixels, 1, t, 3, h, w), wholeEncoder.deviceId());
                Tensor z = output(wholeEncoder.inference(Map.of("frames", x)), "latents");
                Tensor y = output(wholeDecoder.inference(Map.of("latents", z)), "frames")
                        .clamp(
                                new org.bytedeco.pytorch.ScalarOptional(new Scalar(-1)),
                                new org.bytedeco.pytorch.ScalarOptional(new Scalar(1)));
                double mse = torch.mse_loss(y.narrow(1, 3, t - 3L), x.narrow(1, 3, t - 3L))
                        .item_float();
                double p = -10 * Math.log10(mse / 4);
                psnr += p / held.size();
                worst = Math.min(worst, p);
                if (i < 6) {
                    int frame = 3 * h * w;
                    truths.add(java.util.Arrays.copyOfRange(pixels, (t - 1) * frame, t * frame));
                    float[] out = TorchTensors.toFloats(y);
                    results.add(java.util.Arrays.copyOfRange(out, (t - 1) * frame, t * frame));
                }
            }
        }
        SampleSheet sheet = new SampleSheet(w, h).row("truth");
        truths.forEach(p -> sheet.planes(p, 0, h * w));
        sheet.row("decoded");
        results.forEach(p -> sheet.planes(p, 0, h * w));
        write(sheet, folder.resolve("autoencoder-" + step + ".png"));
        Map<String, Double> m = new java.util.TreeMap<>();
        m.put("held_psnr", psnr);
        m.put("held_psnr_min", worst);
        return m;
    }

    static Tensor output(Map<String, Tensor> outputs, String name) {
        return required(outputs, name);
    }

    static <T> T required(Map<String, T> map, String name) {
        T t = map.get(name);
        if (t == null) {
            throw new IllegalArgumentException("nothing is named " + name + "; there are " + map.keySet());
        }
        return t;
    }

    /** Writes a sheet of pictures, one row per label; failures to write are unchecked. */
    static void write(SampleSheet sheet, Path file) {
        try {
            sheet.write(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The configuration that is trained. */
    public VideoAutoencoderConfig config() {
        return config;
    }

    @Override
    public void close() {
        encoder.close();
        decoder.close();
        wholeEncoder.close();
        wholeDecoder.close();
    }
}
