package io.teleworld.training;

import io.teleworld.core.diffusion.SchedulerConfig;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.model.TeleWorldConfig;
import io.teleworld.core.network.ColourCorrection;
import io.teleworld.core.network.GeometryNetConfig;
import io.teleworld.core.network.SuperResolutionConfig;
import io.teleworld.core.network.VideoAutoencoderConfig;
import io.teleworld.core.network.VideoAutoencoderConfig.Grouping;
import io.teleworld.core.network.VideoAutoencoderConfig.Stage;
import io.teleworld.core.network.VideoTransformerConfig;
import java.util.List;

/** Sizes of networks and pictures that belong together. */
enum ModelSize {
    /** The shipped model: 176×96 pictures. */
    NANO,
    /** For trying the whole way in minutes: 80×48 pictures. */
    TINY;

    TeleWorldConfig world() {
        TeleWorldConfig n = TeleWorldConfig.NANO.withGuidance(GuidanceConfig.BESIDE_TARGET);
        return switch (this) {
            case NANO -> n;
            case TINY ->
                new TeleWorldConfig(
                        "tiny",
                        n.version(),
                        n.licence(),
                        48,
                        80,
                        n.frameRate(),
                        n.horizontalFovDegrees(),
                        n.segmentMap(),
                        n.hideTerminal(),
                        n.guidance(),
                        n.controls(),
                        n.precision());
        };
    }

    VideoAutoencoderConfig autoencoder() {
        return switch (this) {
            case NANO -> VideoAutoencoderConfig.nano();
            case TINY ->
                new VideoAutoencoderConfig(
                        3,
                        16,
                        2,
                        16,
                        List.of(new Stage(16, 1, 1, 2), new Stage(32, 1, 2, 2), new Stage(48, 1, 2, 1)),
                        List.of(new Stage(48, 1, 2, 1), new Stage(32, 1, 2, 2), new Stage(16, 1, 1, 2)),
                        16,
                        false,
                        Grouping.CAUSAL,
                        List.of(),
                        List.of());
        };
    }

    GeometryNetConfig geometry() {
        return switch (this) {
            case NANO -> GeometryNetConfig.nano();
            case TINY -> new GeometryNetConfig(5, 2, List.of(16, 24, 32), List.of(1, 1, 1), 8);
        };
    }

    VideoTransformerConfig transformer() {
        VideoTransformerConfig n = VideoTransformerConfig.nano()
                .withInChannels(world().guidance().inputChannels(autoencoder().latentChannels()));
        return switch (this) {
            case NANO -> n;
            case TINY ->
                new VideoTransformerConfig(
                        n.patchSize(),
                        4,
                        24,
                        world().guidance().inputChannels(autoencoder().latentChannels()),
                        autoencoder().latentChannels(),
                        16,
                        64,
                        192,
                        3,
                        n.crossAttnNorm(),
                        n.qkNorm(),
                        n.eps(),
                        null,
                        null,
                        n.ropeMaxSeqLen(),
                        null,
                        n.textLen(),
                        n.maskChannels());
        };
    }

    SuperResolutionConfig superResolution() {
        return switch (this) {
            case NANO -> SuperResolutionConfig.nano();
            case TINY ->
                new SuperResolutionConfig(
                        2,
                        new SuperResolutionConfig.Projection(8, List.of(16, 24), 1, true),
                        new SuperResolutionConfig.Transformer(
                                2, 2, 12, null, 8, 48, 1, 16, null, 1e-6, List.of(1, 2, 2), 3, 4, 1),
                        new SuperResolutionConfig.Decoder(
                                4, List.of(new Stage(16, 1, 2, 4), new Stage(16, 1, 1, 1)), 16, false, 4, 0),
                        true,
                        ColourCorrection.Method.NONE);
        };
    }

    /**
     * The noise levels at which sessions sample. The shift is 1, not Wan's 5: a latent of 12×22 has few neighbours to tell
     * a cell through the noise, and guidance leaves about a tenth of its variance open, so what is still to be decided is
     * decided at low noise.
     */
    SchedulerConfig scheduler() {
        return new SchedulerConfig(1000, 1, List.of(1000, 500, 200, 80), true, 0, 50, 1);
    }
}
