/** Pictures to latents and back, in streams. */
@NullMarked
package io.teleworld.core.decode;

import org.jspecify.annotations.NullMarked;
