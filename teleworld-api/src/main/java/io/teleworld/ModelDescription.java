package io.teleworld;

import io.teleworld.geometry.Intrinsics;

/**
 * What a model generates. Immutable.
 *
 * @param name from its package
 * @param intrinsics the camera, with the size of generated pictures in pixels
 * @param framesPerSecond of the video
 * @param runtime the runtime that it was opened with
 * @param parameters weights in all networks together
 * @param scale how many times larger than {@code intrinsics} says the pictures of a session are along each side, unless
 *     {@link WorldStart#superResolution(boolean)} switches that off
 */
public record ModelDescription(
        String name, Intrinsics intrinsics, double framesPerSecond, String runtime, long parameters, int scale) {

    /** Width in pixels of the pictures that a session puts out. */
    public int outputWidth() {
        return intrinsics.width() * scale;
    }

    /** Height in pixels of the pictures that a session puts out. */
    public int outputHeight() {
        return intrinsics.height() * scale;
    }
}
