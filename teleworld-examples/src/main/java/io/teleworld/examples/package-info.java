/** Programs that show the SDK at work: a walk, and the evaluation of a model. */
@NullMarked
package io.teleworld.examples;

import org.jspecify.annotations.NullMarked;
