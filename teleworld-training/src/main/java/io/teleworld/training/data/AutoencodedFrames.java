package io.teleworld.training.data;

import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * Passes frames through an autoencoder, so that networks learn on pictures as sessions make them. Thread-safe; the owner
 * closes it.
 */
public final class AutoencodedFrames implements AutoCloseable {

    private final int frames;
    private final int height;
    private final int width;
    private final TorchModule encoder;
    private final TorchModule decoder;

    /**
     * For clips of one size.
     *
     * @param frames of a clip, 1+4k
     * @param height of the pictures
     * @param width of the pictures
     * @param config the autoencoder's sizes
     * @param weights the autoencoder's
     */
    public AutoencodedFrames(
            int frames,
            int height,
            int width,
            VideoAutoencoderConfig config,
            Map<String, float[]> weights,
            String deviceId) {
        if (frames < 1 || (frames - 1) % 4 != 0) {
            throw new IllegalArgumentException("clips have " + frames + " frames; it must be 1+4k");
        }
        this.frames = frames;
        this.height = height;
        this.width = width;
        int latents = (frames + 3) / 4;
        int f = config.spatialFactor();
        this.encoder = TorchModule.of(
                VideoAutoencoder.encoderClipGraph(config, height, width, latents), weights, deviceId, Arithmetic.FP32);
        this.decoder = TorchModule.of(
                VideoAutoencoder.decoderClipGraph(config, height / f, width / f, latents),
                weights,
                deviceId,
                Arithmetic.FP32);
    }

    /**
     * A clip encoded and decoded.
     *
     * @param rgb [frames,H,W,3] bytes
     * @param noise deviation of what is added to the latents over their own root mean square, as generation does not hit
     *     them exactly; 0 for nothing
     * @param random draws the noise
     * @return as {@code rgb}
     */
    public byte[] decoded(byte[] rgb, double noise, SplittableRandom random) {
        int size = 3 * height * width;
        if (rgb.length != frames * size) {
            throw new IllegalArgumentException("there are " + rgb.length + " bytes; " + frames + " frames of " + width
                    + "×" + height + " have " + frames * size);
        }
        float[] pixels = new float[(frames + 3) * size];
        for (int t = 0; t < frames + 3; t++) {
            EnlargementClip.normalised(rgb, width, height, Math.max(0, t - 3), 0, 0, height, width, pixels, t * size);
        }
        byte[] out = new byte[rgb.length];
        try (PointerScope scope = new PointerScope()) {
            Tensor x =
                    TorchTensors.to(TorchTensors.ofFloats(pixels, 1, frames + 3, 3, height, width), encoder.deviceId());
            Tensor z = Objects.requireNonNull(
                    encoder.inference(Map.of("frames", x)).get("latents"));
            Tensor y =
                    Objects.requireNonNull(decoder.inference(Map.of("latents", noise > 0 ? noisy(z, noise, random) : z))
                            .get("frames"));
            float[] decoded = TorchTensors.toFloats(y);
            int area = height * width;
            for (int t = 0; t < frames; t++) {
                for (int c = 0; c < 3; c++) {
                    for (int i = 0; i < area; i++) {
                        float v = decoded[(t + 3) * size + c * area + i] * 127.5f + 127.5f;
                        out[t * size + 3 * i + c] = (byte) (int) (Math.max(0, Math.min(255, v)) + 0.5f);
                    }
                }
            }
        }
        return out;
    }

    /**
     * Adds Gaussian noise to latents, in place.
     *
     * @param noise its deviation over their root mean square
     */
    public static void disturb(float[] latents, double noise, SplittableRandom random) {
        double squares = 0;
        for (float v : latents) {
            squares += (double) v * v;
        }
        double deviation = noise * Math.sqrt(squares / latents.length);
        for (int i = 0; i < latents.length; i++) {
            latents[i] += (float) (deviation * random.nextGaussian());
        }
    }

    private Tensor noisy(Tensor latents, double noise, SplittableRandom random) {
        float[] values = TorchTensors.toFloats(latents);
        disturb(values, noise, random);
        long[] shape = {1, latents.size(1), latents.size(2), latents.size(3), latents.size(4)};
        return TorchTensors.to(TorchTensors.ofFloats(values, shape), decoder.deviceId());
    }

    @Override
    public void close() {
        encoder.close();
        decoder.close();
    }
}
