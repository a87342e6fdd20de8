/** World models made of a model package, a runtime and the session loop. */
@NullMarked
package io.teleworld.core;

import org.jspecify.annotations.NullMarked;
