/** Cameras and poses: immutable values in OpenCV axes (x right, y down, z forward). */
@NullMarked
package io.teleworld.geometry;

import org.jspecify.annotations.NullMarked;
