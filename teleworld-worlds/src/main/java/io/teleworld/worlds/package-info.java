/**
 * Worlds with exact ground truth: procedural rooms and Freedoom maps, rendered to colour, planar depth, instance labels
 * and optical flow for any camera, and the recorders that turn them into training shards.
 *
 * <p>Every world uses one frame: right-handed, y down, so that it agrees with the OpenCV camera axes of
 * {@link io.teleworld.geometry.Pose} when the camera stands upright and looks along +z. A Freedoom map has x = map x
 * (east), y = −height, z = map y (north); its unit is the map unit, 32 to the metre.
 */
@NullMarked
package io.teleworld.worlds;

import org.jspecify.annotations.NullMarked;
