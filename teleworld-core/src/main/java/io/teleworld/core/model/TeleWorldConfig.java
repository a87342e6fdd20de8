package io.teleworld.core.model;

import io.teleworld.core.camera.CameraOptions;
import io.teleworld.core.generate.GuidanceConfig;
import io.teleworld.core.plan.SegmentMap;
import io.teleworld.geometry.Intrinsics;
import io.teleworld.runtime.Precision;

/**
 * What makes networks a world model: {@code teleworld.json} of a model package. Immutable.
 *
 * @param name of the model
 * @param version of its weights
 * @param licence of its weights, an SPDX expression
 * @param height of generated pictures in pixels
 * @param width of generated pictures in pixels
 * @param frameRate pictures per second
 * @param horizontalFovDegrees the camera's horizontal field of view, in (0, 180)
 * @param segmentMap the group of each latent frame of a segment, separated by blanks; 0 is given, 1 planned
 * @param hideTerminal whether a populated group is kept from seeing planned frames beyond the one that bounds it
 * @param guidance how the rendered 4D memory enters the transformer
 * @param controls how keys move the camera
 * @param precision the arithmetic of each network
 */
public record TeleWorldConfig(
        String name,
        String version,
        String licence,
        int height,
        int width,
        double frameRate,
        double horizontalFovDegrees,
        String segmentMap,
        boolean hideTerminal,
        GuidanceConfig guidance,
        CameraOptions controls,
        NetworkPrecision precision) {

    /** The arithmetic of each network where the user does not ask for another. */
    public record NetworkPrecision(Precision transformer, Precision vae, Precision geometry) {

        /** Everything in fp32. */
        public static final NetworkPrecision FP32 =
                new NetworkPrecision(Precision.FP32, Precision.FP32, Precision.FP32);
    }

    /** The shipped model's sizes, and what holds where {@code teleworld.json} is silent. */
    public static final TeleWorldConfig NANO = new TeleWorldConfig(
            "nano",
            "0.1.0",
            "Apache-2.0",
            96,
            176,
            16,
            75,
            "0 1 2 2 2 1 3 3 3 1",
            true,
            GuidanceConfig.DEFAULT,
            CameraOptions.DEFAULT,
            NetworkPrecision.FP32);

    public TeleWorldConfig {
        if (height < 1 || width < 1) {
            throw new IllegalArgumentException("height is " + height + ", width " + width + "; both must be positive");
        }
        if (!(frameRate > 0 && frameRate <= 1000)) {
            throw new IllegalArgumentException("frame_rate is " + frameRate + "; allowed is (0, 1000]");
        }
        if (!(horizontalFovDegrees > 0 && horizontalFovDegrees < 180)) {
            throw new IllegalArgumentException(
                    "horizontal_fov_degrees is " + horizontalFovDegrees + "; allowed is (0, 180)");
        }
        SegmentMap.parse(segmentMap, hideTerminal);
    }

    /** This world with guidance that enters in another way. */
    public TeleWorldConfig withGuidance(GuidanceConfig other) {
        return new TeleWorldConfig(
                name,
                version,
                licence,
                height,
                width,
                frameRate,
                horizontalFovDegrees,
                segmentMap,
                hideTerminal,
                other,
                controls,
                precision);
    }

    /** This world with another arithmetic. */
    public TeleWorldConfig withPrecision(NetworkPrecision other) {
        return new TeleWorldConfig(
                name,
                version,
                licence,
                height,
                width,
                frameRate,
                horizontalFovDegrees,
                segmentMap,
                hideTerminal,
                guidance,
                controls,
                other);
    }

    /** The segment map, parsed. */
    public SegmentMap segments() {
        return SegmentMap.parse(segmentMap, hideTerminal);
    }

    /** The camera. */
    public Intrinsics intrinsics() {
        return Intrinsics.ofHorizontalFieldOfView(width, height, Math.toRadians(horizontalFovDegrees));
    }
}
