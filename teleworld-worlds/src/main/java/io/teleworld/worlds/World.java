package io.teleworld.worlds;

import io.teleworld.geometry.Intrinsics;
import io.teleworld.geometry.Pose;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A scene with exact ground truth that any pinhole camera can look at, at any time.
 *
 * <p>Implementations are immutable and safe for use by many threads; what a render writes belongs to its
 * {@link RenderTarget}, of which every thread needs its own. All results are functions of the arguments alone.
 *
 * <p>World frame: right-handed, x right (east), y down, z forward (north), in world units; see
 * {@link #unitsPerMetre()}. Time is in seconds and may be any finite number.
 */
public interface World {

    /** The label of sky and of nothing. */
    int LABEL_NONE = 0;

    /** The label of geometry that never moves. */
    int LABEL_STATIC = 1;

    /** A short unique name, such as {@code freedoom1/E1M1} or {@code room/42}. */
    String name();

    /** World units in one metre. */
    double unitsPerMetre();

    /** The height of a standing camera above the floor, in world units. */
    double eyeHeight();

    /** Everything that carries a label of its own, ordered by id. */
    List<InstanceInfo> instances();

    /**
     * Renders colour, planar depth and labels.
     *
     * <p>Colour is filtered over the pixel's area in linear light; depth and label are those of the ray through the
     * pixel's centre. Depth is the z coordinate in the camera frame, in world units, and +∞ for sky.
     *
     * @param out receives the picture; its size must equal that of {@code k}
     * @throws IllegalArgumentException if the sizes differ or the time is not finite
     */
    void render(Pose pose, Intrinsics k, double timeSeconds, RenderTarget out);

    /**
     * Optical flow from one view to another, exact for the surface point under each pixel centre, with the motion of
     * instances.
     *
     * @return H·W·2 values (du, dv) in pixels, row by row; NaN where the point is hidden in or outside of view B. Sky is
     *     infinitely far and moves with rotation only
     */
    float[] flow(Pose poseA, double timeA, Pose poseB, double timeB, Intrinsics k);

    /** A random level camera at eye height above a floor, at a place where it may stand. */
    Pose spawn(SplittableRandom random);

    /**
     * Walks. The camera is a vertical cylinder that slides along walls, climbs low steps and stays at eye height above
     * the floor; its orientation is kept. Only the horizontal part of the displacement counts: the height always
     * follows the floor.
     *
     * @param dx displacement along world x, in world units
     * @param dy displacement along world y; ignored by worlds with gravity, as both of ours are
     * @param dz displacement along world z
     */
    Pose move(Pose from, double dx, double dy, double dz);
}
