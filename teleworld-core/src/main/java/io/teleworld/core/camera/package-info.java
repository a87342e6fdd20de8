/** From keys to camera poses: the smoothed keyboard camera, the discrete WorldPlay rule and scene-scaled speed. */
@NullMarked
package io.teleworld.core.camera;

import org.jspecify.annotations.NullMarked;
