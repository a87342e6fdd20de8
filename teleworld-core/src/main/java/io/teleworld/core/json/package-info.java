/** JSON from files that nobody vouches for. */
@NullMarked
package io.teleworld.core.json;

import org.jspecify.annotations.NullMarked;
