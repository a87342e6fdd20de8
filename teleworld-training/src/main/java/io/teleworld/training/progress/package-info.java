/** Progress of long runs on the terminal or in a log. */
@NullMarked
package io.teleworld.training.progress;

import org.jspecify.annotations.NullMarked;
