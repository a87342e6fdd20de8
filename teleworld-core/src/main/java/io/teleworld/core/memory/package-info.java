/** The 4D memory: static voxels, dynamic snapshots, sky and key frames, and the renderer of guidance views. */
@NullMarked
package io.teleworld.core.memory;

import org.jspecify.annotations.NullMarked;
