/** Models of a hub: fetching, checking and keeping files. */
@NullMarked
package io.teleworld.core.hub;

import org.jspecify.annotations.NullMarked;
