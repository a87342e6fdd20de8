/** The session loop: keys in, guidance, plan, population, reconstruction, frames out. */
@NullMarked
package io.teleworld.core.loop;

import org.jspecify.annotations.NullMarked;
