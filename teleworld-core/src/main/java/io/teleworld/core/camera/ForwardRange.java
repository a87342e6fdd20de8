package io.teleworld.core.camera;

import io.teleworld.geometry.Pose;

/** How far the way ahead is known to be free. */
@FunctionalInterface
public interface ForwardRange {

    /** Nothing is ever in the way. */
    ForwardRange UNLIMITED = pose -> Double.POSITIVE_INFINITY;

    /** Distance in world units to the first thing on the forward ray of {@code pose}; infinite if nothing is known. */
    double distance(Pose pose);
}
