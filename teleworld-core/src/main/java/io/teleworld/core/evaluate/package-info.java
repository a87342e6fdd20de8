/** Measures of generated video: agreement with a reference, drift over time, and how sure a mean is. */
@NullMarked
package io.teleworld.core.evaluate;

import org.jspecify.annotations.NullMarked;
