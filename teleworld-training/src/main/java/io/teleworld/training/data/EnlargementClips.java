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
 * Makes pairs of large and small clips: renders large, reduces, and passes what is small through an autoencoder, so that a
 * network can learn to restore what generation gives. Thread-safe; the owner closes it.
 */
public final class EnlargementClips implements AutoCloseable {

    private final ClipSupply large;
    private final int scale;
    private final int frames;
    private final TorchModule encoder;
    private final TorchModule decoder;

    /**
     * Pairs of clips.
     *
     * @param large clips of at least {@code frames} frames at the large size
     * @param frames 1+4k
     * @param scale how many times smaller the small pictures are
     * @param height of the small pictures
     * @param width of the small pictures
     * @param config the autoencoder's sizes
     * @param weights the autoencoder's
     */
    public EnlargementClips(
            ClipSupply large,
            int frames,
            int scale,
            int height,
            int width,
            VideoAutoencoderConfig config,
            Map<String, float[]> weights,
            String deviceId) {
        if (frames < 1 || (frames - 1) % 4 != 0) {
            throw new IllegalArgumentException("clips have " + frames + " frames; it must be 1+4k");
        }
        this.large = large;
        this.frames = frames;
        this.scale = scale;
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

    /** A random pair. */
    public EnlargementClip next(SplittableRandom random) {
        GroundTruthClip clip = large.next(random);
        int h = clip.height() / scale;
        int w = clip.width() / scale;
        byte[] rgb = java.util.Arrays.copyOf(clip.rgb(), 3 * frames * clip.height() * clip.width());
        byte[] small = EnlargementClip.reduced(rgb, frames, clip.height(), clip.width(), scale);
        return new EnlargementClip(frames, h, w, scale, rgb, small, throughAutoencoder(small, h, w));
    }

    private byte[] throughAutoencoder(byte[] small, int h, int w) {
        int size = 3 * h * w;
        float[] pixels = new float[(frames + 3) * size];
        for (int t = 0; t < frames + 3; t++) {
            EnlargementClip.normalised(small, w, h, Math.max(0, t - 3), 0, 0, h, w, pixels, t * size);
        }
        byte[] out = new byte[small.length];
        try (PointerScope scope = new PointerScope()) {
            Tensor x = TorchTensors.to(TorchTensors.ofFloats(pixels, 1, frames + 3, 3, h, w), encoder.deviceId());
            Tensor z = Objects.requireNonNull(
                    encoder.inference(Map.of("frames", x)).get("latents"));
            Tensor y = Objects.requireNonNull(
                    decoder.inference(Map.of("latents", z)).get("frames"));
            float[] decoded = TorchTensors.toFloats(y);
            for (int t = 0; t < frames; t++) {
                for (int c = 0; c < 3; c++) {
                    for (int i = 0; i < h * w; i++) {
                        float v = decoded[(t + 3) * size + c * h * w + i] * 127.5f + 127.5f;
                        out[t * size + 3 * i + c] = (byte) (int) (Math.max(0, Math.min(255, v)) + 0.5f);
                    }
                }
            }
        }
        return out;
    }

    @Override
    public void close() {
        encoder.close();
        decoder.close();
    }
}
