/** The training program and its commands. */
@NullMarked
package io.teleworld.training;

import org.jspecify.annotations.NullMarked;
