/** The 4D memory as guidance, and the camera path that the keys command. */
@NullMarked
package io.teleworld.core.guide;

import org.jspecify.annotations.NullMarked;
