/** Weight files. */
@NullMarked
package io.teleworld.core.weights;

import org.jspecify.annotations.NullMarked;
