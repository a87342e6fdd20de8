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
 */
public record ModelDescription(
        String name, Intrinsics intrinsics, double framesPerSecond, String runtime, long parameters) {}
