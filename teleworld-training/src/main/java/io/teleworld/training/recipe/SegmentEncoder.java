package io.teleworld.training.recipe;

import io.teleworld.GuidanceFrame;
import io.teleworld.SegmentPlan;
import io.teleworld.core.generate.SegmentLayout;
import io.teleworld.core.network.VideoAutoencoder;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.runtime.Weights;
import io.teleworld.training.data.GroundTruthClip;
import io.teleworld.training.data.LatentCache;
import io.teleworld.training.data.SegmentSimulator;
import io.teleworld.training.torch.Arithmetic;
import io.teleworld.training.torch.TorchModule;
import io.teleworld.training.torch.TorchTensors;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * Turns clips into records of a {@link LatentCache}: simulates the guidance of a segment and encodes truth and guidance
 * with a trained autoencoder, as sessions do. Confined to one thread; the owner closes it.
 */
public final class SegmentEncoder implements AutoCloseable {

    private static final int MASK_CHANNELS = 2;
    private static final int MOST_HISTORY = 3;

    private final VideoAutoencoderConfig config;
    private final int frames;
    private final int height;
    private final int width;
    private final SegmentSimulator simulator;
    private final TorchModule encoder;

    /**
     * An encoder.
     *
     * @param autoencoder causal, four frames to a latent, without latent statistics
     * @param frames latent frames of a segment
     * @param height of pictures in pixels
     * @param width of pictures in pixels
     * @param depthNoise errors of simulated depth; see {@link SegmentSimulator}
     * @param deviceId {@code cpu} or {@code cuda:0}
     */
    public SegmentEncoder(
            NetworkFile<VideoAutoencoderConfig> autoencoder,
            int frames,
            int height,
            int width,
            double depthNoise,
            String deviceId) {
        this.config = autoencoder.config();
        if (config.grouping() != VideoAutoencoderConfig.Grouping.CAUSAL
                || config.temporalFactor() != 4
                || !config.latentsMean().isEmpty()) {
            throw new IllegalArgumentException("autoencoder groups frames " + config.grouping() + " by "
                    + config.temporalFactor() + " and has "
                    + config.latentsMean().size()
                    + " latent means; needed are CAUSAL, 4 and none");
        }
        this.frames = frames;
        this.height = height;
        this.width = width;
        this.simulator = new SegmentSimulator(depthNoise);
        this.encoder = new TorchModule(
                VideoAutoencoder.encoderClipGraph(config, height, width, frames),
                Weights.of(autoencoder.weights()),
                deviceId,
                Arithmetic.FP32);
    }

    /** Pixel frames of a segment: 4N−3. */
    public int pixelFrames() {
        return SegmentPlan.lastPixelFrame(frames) + 1;
    }

    /** The shape of the records, with a segment count of 0. */
    public LatentCache.Header header() {
        int f = config.spatialFactor();
        return new LatentCache.Header(0, frames, config.latentChannels(), height / f, width / f, MASK_CHANNELS);
    }

    /**
     * Appends the segment that starts at a frame of a clip. Its memory is built from that frame and from up to three
     * earlier ones.
     *
     * @return the share of guidance pixels that are not holes
     */
    public double append(GroundTruthClip clip, int first, SplittableRandom random, LatentCache.Writer writer)
            throws IOException {
        int count = pixelFrames();
        if (first < 0 || first + count > clip.frames()) {
            throw new IllegalArgumentException(
                    "segment begins at frame " + first + " of " + clip.frames() + "; it needs " + count + " frames");
        }
        int history = first == 0 ? 0 : random.nextInt(MOST_HISTORY + 1);
        List<GuidanceFrame> guidance = simulator.guidance(clip, first, count, history, random);
        int frame = 3 * height * width;
        int sample = 4 * frames * frame;
        float[] pixels = new float[2 * sample];
        for (int k = 0; k < 4 * frames; k++) {
            // The first frame fills a group of its own.
            int source = Math.max(0, k - 3);
            clip.normalised(first + source, 1, 0, 0, height, width, pixels, k * frame);
            SegmentLayout.writeGuidancePixels(guidance.get(source), pixels, sample + k * frame);
        }
        float[] latents;
        try (PointerScope scope = new PointerScope()) {
            Tensor x = TorchTensors.to(
                    TorchTensors.ofFloats(pixels, 2, 4L * frames, 3, height, width), encoder.deviceId());
            latents = TorchTensors.toFloats(
                    AutoencoderObjective.output(encoder.inference(Map.of("frames", x)), "latents"));
        }
        int half = latents.length / 2;
        LatentCache.Header h = header();
        int area = h.height() * h.width();
        float[] mask = new float[frames * MASK_CHANNELS * area];
        double known = 0;
        for (int f = 0; f < frames; f++) {
            for (int m = 0; m < MASK_CHANNELS; m++) {
                float[] one = SegmentLayout.latentMask(guidance, f + 1, config.spatialFactor(), m == 1);
                System.arraycopy(one, 0, mask, (f * MASK_CHANNELS + m) * area, area);
                for (float v : one) {
                    known += m == 0 ? v : 0;
                }
            }
        }
        writer.append(Arrays.copyOf(latents, half), Arrays.copyOfRange(latents, half, 2 * half), mask);
        return known / (frames * area);
    }

    @Override
    public void close() {
        encoder.close();
    }
}
